//! `iamship status` and what it says of each stage.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest, is_time, masked};

#[test]
fn before_anything_ran_every_stage_is_empty() {
    let project = Project::new();
    let before = snapshot(project.root());
    let document = project.json("status", 0);
    let stages = document["stages"].as_array().expect("stages");
    let names: Vec<_> = stages.iter().map(|stage| stage["name"].clone()).collect();
    assert_eq!(names, ["dev", "staging", "prod"]);
    for stage in stages {
        assert_eq!(stage["repository"], "oci:.iamship/store");
        assert_eq!(stage["tag"], stage["name"]);
        for field in ["digest", "version", "tested"] {
            assert_eq!(stage.get(field), Some(&Value::Null), "{field}");
        }
        assert_eq!(stage["signed"], false);
        assert_eq!(stage["recorded"], true);
        assert_eq!((&stage["ahead"], &stage["behind"]), (&json!(0), &json!(0)));
    }
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn it_tells_what_runs_and_how_far_behind_it_is() {
    let project = Project::new();
    let first = project.build();
    let row = project.stage("dev");
    assert_eq!(row["digest"], first.as_str());
    assert_eq!(row["tested"], Value::Null);
    assert_eq!((&row["signed"], &row["recorded"]), (&json!(true), &json!(true)));
    assert_eq!(project.stage("staging")["behind"], 1);
    project.promote("dev", "staging");
    let tested = project.stage("dev")["tested"].clone();
    assert_eq!(
        (&tested["suite"], &tested["result"], &tested["stale"]),
        (&json!("static"), &json!("passed"), &json!(false))
    );
    assert!(is_time(&tested["at"]), "{tested}");
    let row = project.stage("staging");
    assert_eq!((&row["behind"], &row["ahead"]), (&json!(0), &json!(0)));
    assert!(is_digest(&row["digest"]) && row["version"].is_string());
    assert_eq!(row["tested"], Value::Null, "a test in dev is none in staging");
    for mark in ["b", "c"] {
        project.change_configuration(mark);
        project.build();
    }
    assert_eq!(project.stage("staging")["behind"], 2);
}

#[test]
fn who_moved_it_is_named_without_a_user_variable_too() {
    let project = Project::new();
    project.build();
    assert_eq!(project.stage("dev")["moved_by"], "tester");
    let mut command = project.command(&["build"]);
    project.change_configuration("second");
    command.env_remove("USER");
    crate::support::project::Run::of(command).expect_code(0);
    let by = project.stage("dev")["moved_by"].clone();
    assert_ne!(by, "unknown");
    assert!(by.as_str().is_some_and(|by| !by.is_empty()));
}

#[test]
fn people_read_one_row_a_stage() {
    let project = Project::new();
    project.build();
    project.promote("dev", "staging");
    project.change_configuration("second");
    project.build();
    let run = project.run("status");
    run.expect_code(0);
    insta::assert_snapshot!(masked(&run.stdout), @r"
    STAGE    VERSION           DIGEST        TESTED  SIGNED  SINCE (UTC)       BY      NOTE
    dev      1.0-…  …  no      yes     TIME  tester
    staging  1.0-…  …  no      yes     TIME  tester  1 behind
    prod     -                 -             -       -       -                 -       1 behind
    ");
}

#[test]
fn without_the_keys_password_everybody_may_look() {
    let mut project = Project::new();
    project.build();
    project.test("dev");
    project.set(crate::support::project::KEY_VARIABLE, "");
    let row = project.stage("dev");
    assert_eq!(row["tested"]["result"], "passed");
    assert_eq!(row["tested"]["stale"], Value::Null, "nobody can tell without the key");
    project.json("history dev", 0);
    project.json("verify dev", 0);
}

#[test]
fn values_that_can_not_be_read_are_not_called_changed() {
    let project = Project::new();
    for line in ["build", "test dev"] {
        project.run(line).expect_code(0);
    }
    std::fs::remove_file(project.path("secrets/dev.env")).expect("removed");
    let document = project.json("status", 0);
    assert_eq!(document["stages"][0]["tested"]["stale"], Value::Null);
}
