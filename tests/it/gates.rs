//! What holds a promotion beside tests and approvals: time, freezes, rollbacks, rejections; each with its way out.

use serde_json::{Value, json};

use crate::approve::Crew;
use crate::support::folder::snapshot;
use crate::support::project::{KEY_VARIABLE, Project, Run, key_pair, text};

fn gate(document: &Value, name: &str) -> Value {
    let gates = document["gates"].as_array().expect("gates");
    gates
        .iter()
        .find(|gate| gate["gate"] == name)
        .expect("the gate")
        .clone()
}

fn help(document: &Value, name: &str) -> String {
    text(&gate(document, name)["help"][0])
}

/// Runs what a help says, as it says it.
fn follow(project: &Project, help: &str, code: i32) -> Run {
    let (_, command) = help.split_once("iamship ").expect("a command");
    let run = project.run(command);
    run.expect_code(code);
    run
}

/// staging has run two images, the second one runs; dev has a third one that is tested.
fn three() -> (Project, [String; 3]) {
    let project = Project::new();
    let digests = ["a", "b", "c"].map(|mark| {
        project.change_configuration(mark);
        let digest = project.build();
        project.test("dev");
        if mark != "c" {
            project.json("promote dev staging", 0);
        }
        digest
    });
    (project, digests)
}

// --- held

#[test]
fn a_rollback_holds_its_stage_until_it_is_named() {
    let (project, [a, b, c]) = three();
    let back = project.json("rollback staging", 0);
    let record = text(&back["record"]);
    assert_eq!(back["digest"], a.as_str());
    let row = project.stage("staging");
    assert_eq!(
        (&row["held"]["record"], &row["held"]["digest"]),
        (&json!(record), &json!(b))
    );
    assert!(project.run("status").stdout.contains("held: rolled back from"));
    let before = snapshot(project.root());
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["held"]);
    assert_eq!(
        help(&held, "held"),
        format!("iamship promote dev staging --clear-hold {record}")
    );
    project.json(&format!("promote dev staging --clear-hold {c}"), 1);
    assert_eq!(snapshot(project.root()), before);
    let explained = project.json("explain dev staging", 1);
    follow(&project, &help(&explained, "held"), 0);
    assert_eq!(project.store().tag("staging"), Some(c));
    project.json("explain dev staging", 0);
    let history = project.json("history staging", 0);
    assert_eq!(history["entries"][0]["cleared_hold"], json!(record));
    assert_eq!(history["entries"][1]["cleared_hold"], Value::Null);
    assert!(project.run("history staging").stdout.contains("cleared the hold"));
    assert_eq!(project.stage("staging")["held"], Value::Null);
    // The same command again has nothing to do, though the hold is gone.
    let again = project.json(&format!("promote dev staging --clear-hold {record}"), 0);
    assert_eq!(again["moved"], false);
}

#[test]
fn of_two_rollbacks_the_second_is_named() {
    let (project, [_, b, c]) = three();
    project.json("promote dev staging", 0);
    let first = text(&project.json("rollback staging", 0)["record"]);
    let second = project.json("rollback staging", 0);
    project.json(&format!("promote dev staging --clear-hold {first}"), 1);
    // By the digest that it took back, too.
    assert_eq!(second["previous"], b.as_str());
    let done = project.json(&format!("promote dev staging --clear-hold {b}"), 0);
    assert_eq!(done["digest"], c.as_str());
}

#[test]
fn what_it_was_rolled_back_to_needs_no_name_and_clears_nothing() {
    let (project, [a, _, c]) = three();
    let record = text(&project.json("rollback staging", 0)["record"]);
    let same = format!("promote dev staging --digest {a} --allow-older");
    let before = snapshot(project.root());
    let done = project.json(&same, 0);
    assert_eq!((&done["moved"], &done["record"]), (&json!(false), &json!(record)));
    assert_eq!(snapshot(project.root()), before);
    project.json("promote dev staging", 1);
    // Named, the hold is cleared and the stage stays where it is.
    let cleared = project.json(&format!("{same} --clear-hold {record}"), 0);
    assert_eq!(cleared["moved"], false);
    assert_ne!(cleared["record"], json!(record));
    assert_eq!(project.stage("staging")["held"], Value::Null);
    assert_eq!(project.stage("staging")["recorded"], true);
    assert_eq!(project.json("promote dev staging", 0)["digest"], c.as_str());
}

#[test]
fn the_stages_after_are_not_held() {
    let (project, [a, ..]) = three();
    project.json("rollback staging", 0);
    project.test("staging");
    assert_eq!(project.json("promote staging prod", 0)["digest"], a.as_str());
}

/// The record comes before the tag: a promotion that was stopped between them, or put back, is on record as the newest.
#[test]
fn a_promotion_that_never_took_effect_clears_no_hold() {
    let (project, [a, _, _]) = three();
    let back = project.json("rollback staging", 0);
    project.change_configuration("d");
    project.build();
    project.test("dev");
    let done = project.json(
        &format!("promote dev staging --clear-hold {}", text(&back["record"])),
        0,
    );
    let store = project.store();
    let (tags, digest) = (store.tags(), text(&done["digest"]));
    let immutable = tags
        .iter()
        .filter(|(tag, to)| tag.starts_with("staging-") && **to == digest)
        .map(|(tag, _)| tag.clone());
    let immutable: Vec<String> = immutable.collect();
    store.remove_tags(|tag| immutable.iter().any(|name| name == tag));
    store.set_tag("staging", &a);
    project.change_configuration("e");
    project.build();
    project.test("dev");
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["held"]);
    assert!(help(&held, "held").ends_with(&format!("--clear-hold {}", text(&back["record"]))));
    let never = project.json(&format!("rollback staging --to {digest}"), 1);
    assert!(Project::held(&never).contains(&"order".to_owned()), "{never}");
}

#[test]
fn putting_back_a_tag_that_was_taken_away_keeps_the_hold() {
    let (project, [a, _, _]) = three();
    let back = project.json("rollback staging", 0);
    project.store().remove_tags(|tag| tag == "staging");
    // Also where it is promoted instead: that can't take the rollback's record up, and so is held.
    let held = project.json(&format!("promote dev staging --digest {a} --allow-older"), 1);
    assert!(Project::held(&held).contains(&"unchanged".to_owned()), "{held}");
    assert_eq!(project.json("rollback staging", 0)["digest"], a.as_str());
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["held"]);
    assert!(help(&held, "held").ends_with(&format!("--clear-hold {}", text(&back["record"]))));
}

// --- soak and freeze

#[test]
fn a_digest_must_have_run_for_so_long() {
    let project = Project::new();
    let rule = |soak: &str| format!("name    = \"dev\"\nleave   = {{ tests = [], soak = \"{soak}\" }}");
    project.edit("iamship.toml", "name    = \"dev\"", &rule("24h"));
    project.build();
    let before = snapshot(project.root());
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["soak"]);
    assert!(text(&gate(&held, "soak")["because"]).ends_with("it must for 1d"));
    let help = help(&held, "soak");
    assert!(
        help.starts_with("wait until 20") && help.ends_with("then: iamship promote dev staging"),
        "{help}"
    );
    assert_eq!(snapshot(project.root()), before);
    project.edit("iamship.toml", "24h", "0s");
    project.json("promote dev staging", 0);
}

#[test]
fn nothing_new_comes_in_a_freeze_unless_somebody_says_why() {
    let project = Project::new();
    let rule = "name    = \"staging\"
enter   = { freeze = [
  { from = \"2020-01-01\", until = \"2020-01-02\", zone = \"UTC\" },
  { from = \"2020-01-01T00:00Z\", until = \"2999-01-01T00:00Z\", reason = \"a long one\" },
] }";
    project.edit("iamship.toml", "name    = \"staging\"", rule);
    let first = project.build();
    project.test("dev");
    let before = snapshot(project.root());
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["freeze"]);
    assert!(text(&gate(&held, "freeze")["because"]).contains("until 2999-01-01T00:00:00Z: a long one"));
    for line in [
        "promote dev staging --dry-run --override-freeze x",
        "explain dev staging --override-freeze x",
    ] {
        project.json(line, 0);
    }
    let blank = ["promote", "dev", "staging", "--override-freeze", " "];
    Run::of(project.command(&blank)).expect_code(2);
    assert_eq!(snapshot(project.root()), before);
    let arguments = ["promote", "dev", "staging", "--override-freeze", "logins are down"];
    Run::of(project.command(&arguments)).expect_code(0);
    let entry = project.json("history staging", 0)["entries"][0].clone();
    assert_eq!(
        (&entry["digest"], &entry["overridden_freeze"]),
        (&json!(first), &json!("logins are down"))
    );
    assert!(
        project
            .run("history staging")
            .stdout
            .contains("overrode a freeze: logins are down")
    );
    // Going back is never frozen.
    project.change_configuration("b");
    project.build();
    project.test("dev");
    let held = project.json("promote dev staging", 1);
    follow(&project, &text(&gate(&held, "freeze")["help"][1]), 0);
    assert_eq!(project.json("rollback staging", 0)["digest"], first.as_str());
}

// --- rejections

#[test]
fn a_rejected_digest_is_passed_over_and_that_is_said() {
    let (project, [_, b, c]) = three();
    project.json(&format!("reject {c} --reason broken"), 0);
    let run = project.run("promote dev staging --format json");
    run.expect_code(0);
    assert!(run.stderr.contains("was rejected"), "{}", run.stderr);
    let document = run.document();
    assert_eq!((&document["digest"], &document["moved"]), (&json!(b), &json!(false)));
    assert_eq!(document["passed_over"], json!([c]));
    // Named, it holds.
    let held = project.json(&format!("promote dev staging --digest {c}"), 1);
    assert_eq!(Project::held(&held), ["not-rejected"]);
    assert_eq!(project.stage("dev")["rejected"], true);
    assert!(project.run("status").stdout.contains("REJECTED"));
}

#[test]
fn what_its_own_stage_was_rolled_back_from_is_passed_over() {
    let (project, [_, b, c]) = three();
    project.json("promote dev staging", 0);
    project.test("staging");
    // What it goes back to was not tested there; what it went back from was.
    assert_eq!(project.json("rollback staging", 0)["digest"], b.as_str());
    let held = project.json("promote staging prod", 1);
    assert_eq!(
        (&held["digest"], Project::held(&held)),
        (&json!(b), vec!["tested".to_owned()])
    );
    project.json(&format!("promote staging prod --digest {c} --dry-run"), 0);
}

#[test]
fn nothing_goes_back_to_a_rejected_digest() {
    let (project, [a, b, _]) = three();
    project.json("promote dev staging", 0);
    project.json(&format!("reject {b} --reason broken"), 0);
    let held = project.json(&format!("rollback staging --to {b}"), 1);
    assert_eq!(Project::held(&held), ["not-rejected"]);
    let run = project.run("rollback staging --format json");
    run.expect_code(0);
    assert_eq!(run.document()["digest"], a.as_str(), "{b} is rejected");
    assert_eq!(run.document()["passed_over"], json!([b]));
    assert!(run.stderr.contains("was rejected"), "{}", run.stderr);
    // Where all were rejected it holds, and says so.
    let (project, [a, ..]) = three();
    project.json(&format!("reject {a} --reason broken"), 0);
    let held = project.json("rollback staging", 1);
    assert_eq!(Project::held(&held), ["not-rejected"]);
}

#[test]
fn a_rejection_whose_tag_was_moved_still_holds() {
    let project = Project::new();
    let digest = project.build();
    project.test("dev");
    let tested = text(&project.json("test dev", 0)["record"]);
    let record = text(&project.json(&format!("reject {digest} --reason broken"), 0)["record"]);
    let tags = project.store().tags();
    let (tag, _) = tags
        .iter()
        .find(|(tag, target)| **target == record && tag.contains(".iamship-rejected-"))
        .expect("its tag");
    for other in [&tested, &digest] {
        project.store().set_tag(tag, other);
        let held = project.json(&format!("promote dev staging --digest {digest}"), 1);
        assert_eq!(Project::held(&held), ["not-rejected"]);
        assert!(help(&held, "not-rejected").contains(tag.as_str()), "{held:#}");
    }
}

#[test]
fn a_rejection_in_any_repository_of_the_stage_counts() {
    let project = Project::new();
    project.edit(
        "iamship.toml",
        "name    = \"staging\"",
        "name    = \"staging\"\nrepository = [\"oci:.iamship/eu\", \"oci:.iamship/us\"]",
    );
    let first = project.build();
    project.promote("dev", "staging");
    project.change_configuration("b");
    let second = project.build();
    project.promote("dev", "staging");
    let rejected = project.json(&format!("reject {first} --reason broken"), 0);
    let repositories = rejected["repositories"].as_array().expect("repositories");
    assert_eq!(repositories.len(), 3, "{rejected}");
    // Taken away in two of the three.
    for store in [".iamship/store", ".iamship/eu"] {
        let store = crate::support::layout::LayoutFolder(project.path(store));
        assert_eq!(store.remove_tags(|tag| tag.contains(".iamship-rejected-")), 1);
    }
    for line in [
        format!("rollback staging --to {first}"),
        format!("promote dev staging --digest {first} --allow-older"),
    ] {
        assert_eq!(Project::held(&project.json(&line, 1)), ["not-rejected"], "{line}");
    }
    assert_eq!(project.store().tag("dev"), Some(second));
}

// --- tests of the same digest on several machines

#[test]
fn a_failure_with_the_values_of_now_takes_a_pass_back_whichever_machine_says_it() {
    let mut project = Project::new();
    let own = key_pair();
    let (other, public) = key_pair();
    project.write("keys/iamship.pub", &own.1);
    project.write("keys/other.pub", &public);
    project.edit(
        "iamship.toml",
        "[\"keys/iamship.pub\"]",
        "[\"keys/iamship.pub\", \"keys/other.pub\"]",
    );
    project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    project.set(KEY_VARIABLE, &own.0);
    project.build();
    project.test("dev");
    project.json("explain dev staging", 0);
    // Another machine, another key, the same values.
    project.set(KEY_VARIABLE, &other);
    project.json("attest tested dev --suite static --result failed", 0);
    project.set(KEY_VARIABLE, &own.0);
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
    project.test("dev");
    project.json("explain dev staging", 0);
    // A failure with other values says nothing of these ones, and a pass with others nothing against a failure.
    let env = project.read("env/dev.env");
    let changed = env.replace("DB_USERNAME=", "DB_USERNAME=x");
    assert_ne!(env, changed);
    project.write("env/dev.env", &changed);
    project.json("attest tested dev --suite static --result failed", 0);
    project.write("env/dev.env", &env);
    project.json("explain dev staging", 0);
    project.json("attest tested dev --suite static --result failed", 0);
    project.write("env/dev.env", &changed);
    project.test("dev");
    project.json("explain dev staging", 0);
    project.write("env/dev.env", &env);
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
    assert_eq!(project.stage("dev")["tested"]["result"], "failed");
    // A machine that hashes with another key can't say of which values it speaks: its failure counts, its pass does not.
    project.test("dev");
    project.set("IAMSHIP_FINGERPRINT_KEY", "another text");
    project.json("attest tested dev --suite static --result failed", 0);
    project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
}

// --- all at once

#[test]
fn what_holds_is_told_in_order_and_each_mend_leads_on() {
    let mut crew = Crew::new("{ approvals = 1 }");
    for mark in ["a", "b"] {
        crew.project.change_configuration(mark);
        let digest = crew.tested();
        crew.is("ada").json(&format!("approve {digest} --for staging"), 0);
        crew.is("pipeline").json("promote dev staging", 0);
    }
    crew.project.json("rollback staging", 0);
    crew.project.change_configuration("c");
    let digest = crew.is("pipeline").build();
    let explain = "explain dev staging --digest";
    let held = crew.project.json(&format!("{explain} {digest}"), 1);
    assert_eq!(Project::held(&held), ["tested", "approved", "held"]);
    let status = crew.project.stage("dev")["approvals"].clone();
    assert_eq!(status, json!({ "stage": "staging", "given": 0, "needed": 1 }));
    follow(&crew.project, &help(&held, "tested"), 0);
    let held = crew.project.json(&format!("{explain} {digest}"), 1);
    assert_eq!(Project::held(&held), ["approved", "held"]);
    follow(crew.is("ada"), &help(&held, "approved"), 0);
    assert!(
        crew.project
            .run("status")
            .stdout
            .contains("1 of 1 approvals for staging")
    );
    let held = crew.is("pipeline").json(&format!("{explain} {digest}"), 1);
    assert_eq!(Project::held(&held), ["held"]);
    follow(&crew.project, &help(&held, "held"), 0);
    let clear = crew.project.json("explain dev staging", 0);
    assert_eq!((&clear["digest"], &clear["previous"]), (&json!(digest), &json!(digest)));
}
