//! `iamship rollback`: back to what ran there before.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest, text};

/// staging has run three images; the last one runs.
fn three() -> (Project, [String; 3]) {
    let project = Project::new();
    let digests = ["a", "b", "c"].map(|mark| {
        project.change_configuration(mark);
        let digest = project.build();
        project.promote("dev", "staging");
        digest
    });
    (project, digests)
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let (project, [_, b, c]) = three();
    let document = project.json("rollback staging", 0);
    assert_eq!(document["from"], Value::Null);
    assert_eq!(document["to"], "staging");
    assert_eq!(document["digest"], b.as_str());
    assert_eq!(document["previous"], c.as_str());
    assert_eq!(document["moved"], true);
    assert!(document["version"].is_string());
    assert!(is_digest(&document["record"]));
    assert!(document["gates"].as_array().is_some_and(|gates| !gates.is_empty()));
    assert_eq!(document["repositories"][0]["moved"], true);
    assert_eq!(project.store().tag("staging"), Some(b));
    assert_eq!(project.json("history staging", 0)["entries"][0]["kind"], "rollback");
    assert_eq!(project.stage("staging")["recorded"], true);
}

#[test]
fn again_goes_on_and_then_there_is_nothing_left() {
    let (project, [a, b, _]) = three();
    assert_eq!(project.json("rollback staging", 0)["digest"], b.as_str());
    assert_eq!(project.json("rollback staging", 0)["digest"], a.as_str());
    let run = project.run("rollback staging");
    run.expect_code(2);
    assert!(
        run.stderr.contains("nothing else ran in `staging` before"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_was_taken_back_is_not_gone_to_again() {
    let (project, [_, b, c]) = three();
    let taken_back = project.json("rollback staging", 0);
    project.change_configuration("d");
    let d = project.build();
    project.test("dev");
    let promote = format!("promote dev staging --clear-hold {}", text(&taken_back["record"]));
    assert_eq!(project.json(&promote, 0)["digest"], d.as_str());
    let back = project.json("rollback staging", 0);
    assert_eq!(back["digest"], b.as_str(), "{c} was taken back before");
}

#[test]
fn it_goes_to_what_is_named_if_that_ran_there() {
    let (project, [a, b, c]) = three();
    let entries = project.json("history staging", 0)["entries"].clone();
    let version = text(&entries[2]["version"]);
    assert_eq!(
        project.json(&format!("rollback staging --to {version} --dry-run"), 0)["digest"],
        a.as_str()
    );
    assert_eq!(
        project.json(&format!("rollback staging --to {b}"), 0)["digest"],
        b.as_str()
    );
    assert_eq!(
        project.json(&format!("rollback staging --to {c}"), 0)["digest"],
        c.as_str()
    );
    project.change_configuration("never in staging");
    let other = project.build();
    let before = snapshot(project.root());
    let held = project.json(&format!("rollback staging --to {other}"), 1);
    assert_eq!(held["moved"], false);
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn a_dry_run_writes_nothing() {
    let (project, [_, b, _]) = three();
    let before = snapshot(project.root());
    let planned = project.json("rollback staging --dry-run", 0);
    assert_eq!(planned["digest"], b.as_str());
    assert_eq!(planned["moved"], false);
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn the_values_must_fit_what_it_goes_back_to() {
    let (project, _) = three();
    project.edit("env/staging.env", "DB_USERNAME=", "# DB_USERNAME=");
    let held = project.json("rollback staging", 1);
    assert_eq!(Project::held(&held), ["values"]);
}

#[test]
fn what_was_rolled_back_comes_again_only_when_it_is_asked_for() {
    let (project, [_, _, c]) = three();
    project.json("rollback staging", 0);
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["held"]);
    project.json(&format!("promote dev staging --digest {c} --allow-older"), 1);
    let done = project.json(&format!("promote dev staging --digest {c} --clear-hold {c}"), 0);
    assert_eq!(done["digest"], c.as_str());
    assert_eq!(project.store().tag("staging"), Some(c));
}

#[test]
fn a_tag_that_was_taken_away_or_moved_by_hand_can_be_mended() {
    let (project, [a, _, c]) = three();
    project.store().remove_tags(|tag| tag == "staging");
    assert_eq!(project.stage("staging")["recorded"], false);
    let held = project.json("promote dev staging", 1);
    let gate = held["gates"]
        .as_array()
        .expect("gates")
        .iter()
        .find(|gate| gate["gate"] == "unchanged");
    assert_eq!(gate.expect("it")["help"], json!(["iamship rollback staging"]));
    assert_eq!(project.json("rollback staging", 0)["digest"], c.as_str());
    assert_eq!(project.stage("staging")["recorded"], true);
    project.store().set_tag("staging", &a);
    let held = project.json("rollback staging", 1);
    assert_eq!(Project::held(&held), ["unchanged"]);
    project.json(&format!("rollback staging --expect-current {a} --to {c}"), 0);
    assert_eq!(project.store().tag("staging"), Some(c));
}

#[test]
fn an_empty_stage_has_nowhere_to_go() {
    let project = Project::new();
    project.build();
    project.run("rollback staging").expect_code(2);
    project.run("rollback prdo").expect_code(2);
}
