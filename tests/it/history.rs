//! `iamship history`: what ran in a stage, newest first.

use serde_json::{Value, json};

use crate::support::project::{Project, is_digest, is_time, masked, text};

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = Project::new();
    let first = project.build();
    project.promote("dev", "staging");
    project.change_configuration("second");
    let second = project.build();
    project.promote("dev", "staging");
    project.json("rollback staging", 0);
    let document = project.json("history staging", 0);
    assert_eq!(document["stage"], "staging");
    let entries = document["entries"].as_array().expect("entries");
    let kinds: Vec<_> = entries.iter().map(|entry| text(&entry["kind"])).collect();
    assert_eq!(kinds, ["rollback", "promote", "promote"]);
    let digests: Vec<_> = entries.iter().map(|entry| text(&entry["digest"])).collect();
    assert_eq!(digests, [&first, &second, &first].map(String::clone));
    assert_eq!(entries[0]["from"], Value::Null);
    assert_eq!(entries[1]["from"], "dev");
    for entry in entries {
        assert!(is_time(&entry["at"]) && is_digest(&entry["record"]), "{entry}");
        assert_eq!(entry["by"], "tester");
        assert!(entry["version"].is_string());
    }
    // Signed links: each names the one before it, so that none can be missing unseen.
    assert_eq!(entries[2]["previous"], json!([]));
    assert_eq!(entries[1]["previous"], json!([entries[2]["record"]]));
    assert_eq!(entries[0]["previous"], json!([entries[1]["record"]]));
    let entered = project.json("history dev", 0);
    assert_eq!(entered["entries"][0]["kind"], "enter");
}

#[test]
fn so_many_as_are_asked_for() {
    let project = Project::new();
    for mark in ["a", "b", "c"] {
        project.change_configuration(mark);
        project.build();
    }
    for (limit, expected) in [("1", 1), ("2", 2), ("50", 3), ("0", 0)] {
        let document = project.json(&format!("history dev --limit {limit}"), 0);
        assert_eq!(document["entries"].as_array().map(Vec::len), Some(expected), "{limit}");
    }
}

#[test]
fn an_empty_stage_has_an_empty_list() {
    let project = Project::new();
    assert_eq!(project.json("history prod", 0)["entries"], json!([]));
    let run = project.run("history prod");
    run.expect_code(0);
    assert_eq!(run.stdout, "nothing is on record for `prod`\n");
}

#[test]
fn a_link_that_is_missing_is_told() {
    let project = Project::new();
    for mark in ["a", "b", "c"] {
        project.change_configuration(mark);
        project.build();
    }
    let entries = project.json("history dev", 0)["entries"].clone();
    let middle = text(&entries[1]["record"]);
    let tags = project.store().tags();
    let (tag, _) = tags.iter().find(|(_, target)| **target == middle).expect("its tag");
    assert_eq!(project.store().remove_tags(|name| name == tag), 1);
    let run = project.run("history dev");
    run.expect_code(0);
    assert!(
        run.stderr.contains("warning: "),
        "a record is missing and nobody says so: {}",
        run.stderr
    );
}

#[test]
fn people_read_one_row_a_move() {
    let project = Project::new();
    project.build();
    project.promote("dev", "staging");
    let run = project.run("history staging");
    run.expect_code(0);
    insta::assert_snapshot!(masked(&run.stdout), @r"
    AT (UTC)             HOW      VERSION           DIGEST        FROM  BY      TAG
    TIME  promote  1.0-…  …  dev   tester  staging-DAY-N
    ");
}
