//! `iamship keygen`: a key in cosign's format.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest};

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let mut project = Project::empty();
    project.set("IAMSHIP_KEY_PASSWORD", "correct horse");
    let document = project.json("keygen", 0);
    assert_eq!(document["key"], "keys/iamship.key");
    assert_eq!(document["public_key"], "keys/iamship.pub");
    assert!(is_digest(&document["fingerprint"]), "{document}");
    let mode = std::fs::metadata(project.path("keys/iamship.key"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        project
            .read("keys/iamship.key")
            .starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
    );
    assert!(
        project
            .read("keys/iamship.pub")
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
}

#[test]
fn a_key_is_never_overwritten() {
    let mut project = Project::empty();
    project.set("COSIGN_PASSWORD", "correct horse");
    project.run("keygen --out k").expect_code(0);
    let before = snapshot(project.root());
    project.run("keygen --out k").expect_code(2);
    assert_eq!(snapshot(project.root()), before);
    project.run("keygen --out other --algorithm ed25519").expect_code(0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let mut project = Project::empty();
    project.set("IAMSHIP_KEY_PASSWORD", "correct horse");
    let document = project.json("keygen --dry-run", 0);
    assert_eq!(document["key"], "keys/iamship.key");
    assert_eq!(snapshot(project.root()).len(), 1);
}

#[test]
fn without_a_terminal_it_says_where_the_password_goes() {
    let project = Project::empty();
    let run = project.run("keygen");
    run.expect_code(2);
    assert!(run.stderr.contains("IAMSHIP_KEY_PASSWORD"), "{}", run.stderr);
    assert!(!project.path("keys/iamship.key").exists());
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let mut project = Project::new();
    project.set("IAMSHIP_KEY_PASSWORD", "correct horse");
    project.run("keygen --out keys/own").expect_code(0);
    project.edit("iamship.toml", "env:SHOP_SIGNING_KEY", "file:keys/own.key");
    project.set("IAMSHIP_KEY_PASSWORD", "wrong-canary");
    let run = project.run("build");
    run.expect_code(2);
    assert!(
        run.stderr.contains("keys/own.key") && !run.stderr.contains("canary"),
        "{}",
        run.stderr
    );
}
