//! `iamship init`: a starter project that passes `check`, and nothing overwritten.

use serde_json::json;

use crate::support::folder::snapshot;
use crate::support::project::{Project, Run, text};

#[test]
fn every_servers_starter_passes_check() {
    for server in ["curity", "keycloak", "generic"] {
        let project = Project::empty();
        let document = project.json(&format!("init shop --server {server}"), 0);
        let files: Vec<_> = document["files"].as_array().expect("files").iter().map(text).collect();
        for file in &files {
            assert!(project.path("shop").join(file).is_file(), "{file}");
        }
        assert!(files.contains(&"iamship.toml".to_owned()));
        project.run("-C shop check --deny-warnings").expect_code(0);
        project.run("-C shop parameters").expect_code(0);
    }
}

/// How the settings begin that a starter shows as comments, of those for a server that is started.
const SHOWN: [&str; 8] = [
    "[oidc]",
    "[[oidc",
    "issuer",
    "id ",
    "secret",
    "grants",
    "redirect-uris",
    "test ",
];

/// The line without the mark that makes a comment of it, where such a setting follows.
fn uncommented(line: &str) -> &str {
    let is_shown = |text: &&str| SHOWN.iter().any(|start| text.starts_with(start));
    line.strip_prefix("# ").filter(is_shown).unwrap_or(line)
}

#[test]
fn every_servers_starter_shows_a_vault_and_a_test_with_an_engine() {
    for server in ["curity", "keycloak", "generic"] {
        let project = Project::empty();
        project.run(&format!("init . --server {server}")).expect_code(0);
        let file = project.read("iamship.toml");
        let lines = file
            .lines()
            .filter(|line| *line != "secrets = [\"file:secrets/staging.env\"]");
        let lines: Vec<_> = lines.map(uncommented).collect();
        for shown in [
            "[oidc]",
            "secrets = [\"vault:secret/iam/staging\"]",
            "test    = { kind = \"engine\", suite = [\"boot\", \"oidc\"] }",
        ] {
            assert!(lines.contains(&shown), "{server}: {shown}");
        }
        project.write("iamship.toml", &lines.join("\n"));
        project.run("check --no-stage --deny-warnings").expect_code(0);
        // The values that `[oidc]` asks for are there.
        project.run("check dev --deny-warnings").expect_code(0);
        let run = project.run("check staging");
        run.expect_code(1);
        assert!(run.stderr.contains("VAULT_ADDR"), "{}", run.stderr);
    }
}

#[test]
fn nothing_is_overwritten() {
    let project = Project::empty();
    project.run("init").expect_code(0);
    let before = snapshot(project.root());
    let run = project.run("init");
    run.expect_code(2);
    assert!(run.stderr.contains("is there already"), "{}", run.stderr);
    assert_eq!(snapshot(project.root()), before);
    // One file of the starter in the way is enough, and then none is written.
    let other = Project::empty();
    other.write("README.md", "mine");
    other.run("init").expect_code(2);
    assert!(!other.path("iamship.toml").exists());
    assert_eq!(other.read("README.md"), "mine");
}

#[test]
fn a_dry_run_writes_nothing() {
    let project = Project::empty();
    let planned = project.json("init shop --dry-run", 0);
    assert!(!project.path("shop").exists());
    assert_eq!(planned["files"], project.json("init shop", 0)["files"]);
}

#[test]
fn an_unknown_server_is_told_with_those_there_are() {
    let project = Project::empty();
    let run = project.run("init --server curty");
    run.expect_code(2);
    assert!(run.stderr.contains("curity"), "{}", run.stderr);
    assert_eq!(snapshot(project.root()).len(), 1);
}

#[test]
fn secrets_are_for_their_owner_and_not_for_git() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::empty();
    project.run("init").expect_code(0);
    let mode = std::fs::metadata(project.path("secrets/dev.env"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let ignored = project.read(".gitignore");
    for line in ["secrets/", "keys/*.key", ".iamship/"] {
        assert!(ignored.lines().any(|known| known == line), "{ignored}");
    }
}

#[test]
fn its_next_steps_lead_through_the_whole_flow() {
    let mut project = Project::empty();
    project.set("IAMSHIP_KEY_PASSWORD", "correct horse");
    project.run("init .").expect_code(0);
    project.run("keygen").expect_code(0);
    project.bases().image("1.0", crate::support::base::Dialect::Oci, "base");
    project.edit("iamship.toml", "curity.azurecr.io/curity/idsvr:11.3.1", "oci:base#1.0");
    for step in [
        "check",
        "build",
        "test dev",
        "promote dev staging",
        "test staging",
        "promote staging prod",
        "verify prod",
        "status",
        "history prod",
    ] {
        project.run(step).expect_code(0);
    }
    assert_eq!(project.stage("prod")["digest"], project.stage("dev")["digest"]);
}

#[test]
fn usage_errors_are_the_callers() {
    let project = Project::new();
    for arguments in [
        "",
        "frobnicate",
        "promote dev",
        "check --frob",
        "status --format yaml",
        "-q -v status",
        "history dev --limit x",
    ] {
        let run = project.run(arguments);
        run.expect_code(2);
        assert_eq!(run.stdout, "", "{arguments}");
        assert!(!run.stderr.is_empty());
    }
    for arguments in ["--help", "--version", "promote --help", "help attest"] {
        let run = project.run(arguments);
        run.expect_code(0);
        assert!(!run.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn every_verb_says_how_a_project_begins_where_there_is_none() {
    let project = Project::empty();
    for arguments in [
        "check",
        "build",
        "lock",
        "parameters",
        "status",
        "history dev",
        "test dev",
        "promote dev staging",
        "explain dev staging",
        "rollback dev",
        "verify dev",
        "attest tested dev --suite s --result passed",
    ] {
        let run = project.run(arguments);
        run.expect_code(2);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("iamship init"), "{arguments}: {}", run.stderr);
        project.run(&format!("{arguments} --format json")).expect_code(2);
    }
    assert_eq!(snapshot(project.root()).len(), 1);
}

#[test]
fn another_folder_is_named_with_its_flag() {
    let project = Project::new();
    let digest = project.build();
    let mut command = project.command(&[
        "-C",
        &project.root().display().to_string(),
        "status",
        "--format",
        "json",
    ]);
    command.current_dir("/");
    let run = Run::of(command);
    run.expect_code(0);
    assert_eq!(run.document()["stages"][0]["digest"], digest);
    assert_eq!(run.document()["stages"][0]["repository"], json!("oci:.iamship/store"));
    project.run("-C nowhere status").expect_code(2);
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let mut project = Project::new();
    project.build();
    assert!(!project.run("status").stdout.contains('\u{1b}'), "a pipe has none");
    let colored = project.run("status --color always");
    assert!(colored.stdout.contains('\u{1b}'));
    assert!(!project.run("status --color never").stdout.contains('\u{1b}'));
    let json = project.run("status --color always --format json");
    assert!(!json.stdout.contains('\u{1b}'), "never in JSON");
    project.set("NO_COLOR", "1");
    let run = project.run("status");
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'));
}

#[test]
fn quiet_leaves_the_answer_and_verbose_tells_more() {
    let project = Project::new();
    let quiet = project.run("build -q");
    quiet.expect_code(0);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.starts_with("sha256:") && quiet.stdout.lines().count() == 1);
    let plain = project.run("status");
    let verbose = project.run("status -vv");
    verbose.expect_code(0);
    assert_eq!(plain.stdout, verbose.stdout);
    assert!(verbose.stderr.len() >= plain.stderr.len());
    // In JSON too, what is not the answer stays off stdout.
    project.run("status -vv --format json").document();
}

#[test]
fn a_pipeline_joins_a_project_that_is_there() {
    let project = Project::empty();
    project.run("init . --quiet").expect_code(0);
    for (service, file) in [
        ("github", ".github/workflows/iamship.yml"),
        ("gitlab", ".gitlab-ci.yml"),
        ("jenkins", "Jenkinsfile"),
    ] {
        let document = project.json(&format!("init --ci {service}"), 0);
        assert_eq!(document["files"], serde_json::json!([file]));
        assert!(project.path(file).is_file());
        let run = project.run(&format!("init --ci {service}"));
        run.expect_code(2);
        assert!(
            run.stderr.starts_with(&format!("error: `{file}` is there already")),
            "{}",
            run.stderr
        );
    }
}
