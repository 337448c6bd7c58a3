//! `iamship lock`: the base, pinned by digest.

use serde_json::Value;

use crate::support::base::Dialect;
use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest};

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = Project::new();
    let locked = project.json("lock", 0);
    assert_eq!(locked["base"], "oci:base#1.0");
    assert!(is_digest(&locked["digest"]));
    assert_eq!(locked["previous"], Value::Null);
    assert!(
        project
            .read("iamship.lock")
            .contains(locked["digest"].as_str().expect("text"))
    );
}

#[test]
fn a_pin_moves_only_when_it_is_asked_to() {
    let project = Project::new();
    let first = project.json("lock", 0);
    project.bases().image("1.0", Dialect::Oci, "newer");
    let before = snapshot(project.root());
    let kept = project.json("lock", 0);
    assert_eq!(kept["digest"], first["digest"]);
    let planned = project.json("lock --update --dry-run", 0);
    assert_eq!(snapshot(project.root()), before);
    let moved = project.json("lock --update", 0);
    assert_eq!(moved["previous"], first["digest"]);
    assert_eq!(moved["digest"], planned["digest"]);
    assert_ne!(moved["digest"], first["digest"]);
}

#[test]
fn a_base_that_is_not_there_is_the_worlds_fault() {
    let project = Project::without_base();
    let run = project.run("lock");
    run.expect_code(3);
    assert!(
        run.stderr.contains("oci:base#1.0") && run.stderr.contains("help: "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_lock_of_another_base_is_told() {
    let project = Project::new();
    project.run("lock").expect_code(0);
    project.bases().image("2.0", Dialect::Oci, "two");
    project.edit("iamship.toml", "oci:base#1.0", "oci:base#2.0");
    let run = project.run("build");
    run.expect_code(2);
    assert!(run.stderr.contains("iamship lock --update"), "{}", run.stderr);
    project.json("lock --update", 0);
    let built = project.json("build", 0);
    assert!(built["version"].as_str().expect("text").starts_with("2.0-"));
}

#[test]
fn a_broken_lock_file_is_told_with_its_place() {
    let project = Project::new();
    project.write("iamship.lock", "rubbish");
    let run = project.run("build");
    run.expect_code(2);
    assert!(run.stderr.contains("iamship.lock"), "{}", run.stderr);
}
