//! `exec:` secrets, through the whole program.

use std::os::unix::fs::PermissionsExt as _;

use super::{CANARY, quiet, tested};
use crate::support::project::Project;

/// A project whose stage `dev` asks a script, which stands for sops: it prints a file as JSON.
fn project() -> Project {
    let mut project = Project::new();
    project.edit("secrets/dev.env", "example-db-password-dev", CANARY);
    let script = "#!/bin/sh\n[ -z \"$IAMSHIP_KEY_PASSWORD$COSIGN_PASSWORD\" ] || exit 9\n[ \"$VAULT_TOKEN\" = kept ] || exit 8\ncat \"$1\"\n";
    project.write("tools/decrypt", script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.path("tools/decrypt"), mode).expect("mode");
    project.edit(
        "iamship.toml",
        "\"file:secrets/dev.env\"",
        "\"exec:tools/decrypt 'secrets/dev.env'\"",
    );
    project.set("IAMSHIP_KEY_PASSWORD", "not for programs");
    project.set("VAULT_TOKEN", "kept");
    project
}

#[test]
fn a_program_gives_a_stage_its_secrets() {
    let project = project();
    // From another folder, too: it is seen from the project.
    let root = project.root().to_str().expect("UTF-8").to_owned();
    let mut command = project.command(&["-C", &root, "check"]);
    command.current_dir("/");
    crate::support::project::Run::of(command).expect_code(0);
    quiet(&project, "build", 0);
    quiet(&project, "test dev", 0);
    let env = project.read("secrets/dev.env");
    project.write("secrets/dev.env", &env.replace(CANARY, "rotated"));
    assert_eq!(tested(&project)["stale"], true);
    project.edit(
        "iamship.toml",
        "\"exec:tools/decrypt 'secrets/dev.env'\"",
        "{ exec = [\"tools/decrypt\", \"secrets/dev.env\"] }",
    );
    quiet(&project, "check", 0);
}

#[test]
fn a_program_that_fails_is_the_world_and_nothing_is_recorded() {
    let mut project = project();
    project.build();
    project.set("VAULT_TOKEN", "");
    let run = quiet(&project, "check", 3);
    assert!(
        run.stderr
            .contains("`exec:tools/decrypt` can't be read: it ended with 8"),
        "{}",
        run.stderr
    );
    quiet(&project, "test dev", 3);
    assert_eq!(tested(&project)["result"], serde_json::Value::Null);
    project.write("tools/decrypt", "#!/bin/sh\necho nonsense\n");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains("neither a JSON object nor env lines"),
        "{}",
        run.stderr
    );
    std::fs::remove_file(project.path("tools/decrypt")).expect("removed");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains("there is no program `tools/decrypt`"),
        "{}",
        run.stderr
    );
}
