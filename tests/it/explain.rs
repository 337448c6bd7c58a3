//! `iamship explain`: for each hold the command that mends it, and it does mend it.

use serde_json::Value;

use crate::support::folder::snapshot;
use crate::support::project::{Project, text};

fn help(document: &Value, gate: &str) -> String {
    let gates = document["gates"].as_array().expect("gates");
    let gate = gates.iter().find(|each| each["gate"] == gate).expect("the gate");
    text(&gate["help"][0])
}

/// Runs a mend as it was told.
fn follow(project: &Project, mend: &str) {
    let command = mend
        .split_once("iamship ")
        .unwrap_or_else(|| panic!("no command: {mend}"))
        .1;
    project.run(command).expect_code(0);
}

#[test]
fn the_mends_lead_to_a_promotion() {
    let project = Project::new();
    project.edit(
        "iamship.toml",
        "name    = \"dev\"",
        "name    = \"dev\"\nleave   = { tests = [\"static\", \"e2e\"] }",
    );
    project.build();
    project.store().remove_tags(|tag| tag.ends_with(".sig"));
    let before = snapshot(project.root());
    let document = project.json("explain dev staging", 1);
    assert_eq!(snapshot(project.root()), before);
    assert_eq!(Project::held(&document), ["signed", "tested"]);
    follow(&project, &help(&document, "signed"));
    let gates = document["gates"].as_array().expect("gates");
    let tested = gates.iter().find(|each| each["gate"] == "tested").expect("tested");
    for mend in tested["help"].as_array().expect("help") {
        follow(&project, &text(mend));
    }
    let clear = project.json("explain dev staging", 0);
    assert_eq!(clear["moved"], false);
    assert_eq!(project.json("promote dev staging", 0)["moved"], true);
    // Skipping a stage: the mend is the promotion between.
    project.test("staging");
    let skipping = project.json("explain dev prod", 1);
    assert_eq!(help(&skipping, "order"), "iamship promote staging prod");
}

#[test]
fn a_tag_moved_by_hand_is_mended_as_told() {
    let project = Project::new();
    let first = project.build();
    project.promote("dev", "staging");
    project.change_configuration("second");
    let second = project.build();
    project.promote("dev", "staging");
    project.store().set_tag("staging", &first);
    let document = project.json("explain dev staging", 1);
    follow(&project, &help(&document, "unchanged"));
    assert_eq!(project.store().tag("staging"), Some(second));
}

#[test]
fn a_stage_that_has_run_nothing_is_told_what_fills_it() {
    let project = Project::new();
    let run = project.run("explain dev staging");
    run.expect_code(2);
    assert!(run.stderr.contains("help: iamship build"), "{}", run.stderr);
    project.build();
    let run = project.run("explain staging prod");
    run.expect_code(2);
    assert!(
        run.stderr.contains("help: iamship promote dev staging"),
        "{}",
        run.stderr
    );
}
