//! `iamship approve` and `iamship reject`, and the gates that read them.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{KEY_VARIABLE, Project, Run, is_digest, key_pair, text};

/// A project whose `staging` asks for approvals: the pipeline's key does all the rest, people may only approve.
pub(crate) struct Crew {
    pub(crate) project: Project,
    keys: Vec<(String, String)>,
}

impl Crew {
    pub(crate) fn new(enter: &str) -> Self {
        let mut project = Project::new();
        project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
        let names = ["pipeline", "ada", "bob", "eve", "stranger"];
        let keys = names.map(|name| {
            let (private, public) = key_pair();
            project.write(&format!("keys/{name}.pub"), &public);
            (name.to_owned(), private)
        });
        project.edit(
            "iamship.toml",
            "[\"keys/iamship.pub\"]",
            "[
  \"keys/pipeline.pub\",
  { key = \"keys/ada.pub\", may = [\"approve\"] },
  { key = \"keys/bob.pub\", may = [\"approve\"] },
  { key = \"keys/eve.pub\", may = [\"test\", \"promote\"] },
]",
        );
        let rule = format!("name    = \"staging\"\nenter   = {enter}");
        project.edit("iamship.toml", "name    = \"staging\"", &rule);
        let mut crew = Self {
            project,
            keys: keys.to_vec(),
        };
        crew.is("pipeline");
        crew
    }

    /// From here on, this key signs.
    pub(crate) fn is(&mut self, name: &str) -> &Project {
        let (_, key) = self.keys.iter().find(|(known, _)| known == name).expect("a key");
        let key = key.clone();
        self.project.set(KEY_VARIABLE, &key);
        &self.project
    }

    /// dev runs an image that is tested there.
    pub(crate) fn tested(&mut self) -> String {
        let digest = self.is("pipeline").build();
        self.project.test("dev");
        digest
    }
}

fn gate(document: &Value, name: &str) -> Value {
    let gates = document["gates"].as_array().expect("gates");
    gates
        .iter()
        .find(|gate| gate["gate"] == name)
        .expect("the gate")
        .clone()
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let mut crew = Crew::new("{ approvals = 1 }");
    let digest = crew.tested();
    let version = text(&crew.project.stage("dev")["version"]);
    let before = snapshot(crew.project.root());
    let dry = crew
        .is("ada")
        .json(&format!("approve {digest} --for staging --dry-run"), 0);
    assert_eq!(dry["record"], Value::Null);
    assert_eq!(snapshot(crew.project.root()), before);
    let done = crew
        .project
        .json(&format!("approve {version} --for staging --reason CHG-4711"), 0);
    assert_eq!(done["digest"], digest.as_str());
    assert!(is_digest(&done["record"]), "{done}");
    assert_eq!(
        (&done["stage"], &done["reason"], &done["by"]),
        (&json!("staging"), &json!("CHG-4711"), &json!("tester"))
    );
    // Who has approved says nothing new.
    let after = snapshot(crew.project.root());
    let again = crew.project.json(&format!("approve {digest} --for staging"), 0);
    assert_eq!((&again["record"], &again["approved"]), (&done["record"], &json!(false)));
    assert_eq!(snapshot(crew.project.root()), after);
    let verified = crew.project.json(&format!("verify {digest}"), 0);
    let statements = verified["statements"].as_array().expect("statements");
    let approved: Vec<_> = statements.iter().filter(|said| said["kind"] == "approved").collect();
    assert_eq!(approved.len(), 1, "{verified:#}");
    assert_eq!(
        (&approved[0]["signer"], &approved[0]["stage"]),
        (&json!("keys/ada.pub"), &json!("staging"))
    );
}

#[test]
fn so_many_different_people_must_want_it() {
    let mut crew = Crew::new("{ approvals = 2 }");
    let digest = crew.tested();
    let held = crew.project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["approved"]);
    assert_eq!(
        gate(&held, "approved")["help"],
        json!([format!("iamship approve {digest} --for staging")])
    );
    crew.is("ada").json(&format!("approve {digest} --for staging"), 0);
    let held = crew.is("pipeline").json("promote dev staging", 1);
    let because = text(&gate(&held, "approved")["because"]);
    assert!(
        because.contains("1 of 2") && because.ends_with("still to come from `keys/bob.pub`"),
        "{because}"
    );
    crew.is("bob").json(&format!("approve {digest} --for staging"), 0);
    let done = crew.is("pipeline").json("promote dev staging", 0);
    assert_eq!(done["moved"], true);
    assert_eq!(done["digest"], digest.as_str());
}

#[test]
fn nobody_signs_an_approval_that_would_not_count() {
    let mut crew = Crew::new("{ approvals = 1, approvers = [\"keys/bob.pub\"] }");
    let digest = crew.tested();
    let before = snapshot(crew.project.root());
    for (who, says) in [
        ("pipeline", "your key built"),
        ("eve", "may not approve"),
        ("ada", "none of the approvers of `staging`"),
        ("stranger", "does not trust the signing key"),
    ] {
        let run = crew.is(who).run(&format!("approve {digest} --for staging"));
        run.expect_code(2);
        assert!(run.stderr.contains(says), "{who}: {}", run.stderr);
    }
    let run = crew.is("bob").run(&format!("approve {digest} --for dev"));
    run.expect_code(2);
    assert!(run.stderr.contains("--for staging"), "{}", run.stderr);
    crew.project.run("approve 9.9-nothing --for staging").expect_code(2);
    let unknown = format!("sha256:{}", "0".repeat(64));
    crew.project
        .run(&format!("approve {unknown} --for staging"))
        .expect_code(2);
    // Not in the stage before `prod`? The store is the same one, so it is known there; a stage that is none is not.
    crew.project
        .run(&format!("approve {digest} --for prodd"))
        .expect_code(2);
    assert_eq!(snapshot(crew.project.root()), before);
}

#[test]
fn where_none_is_asked_for_an_approval_is_recorded_and_counts_for_nothing() {
    let mut crew = Crew::new("{ approvals = 0 }");
    let digest = crew.tested();
    let run = crew.is("pipeline").run(&format!("approve {digest} --for staging"));
    run.expect_code(0);
    for says in ["your key built", "asks for no approvals"] {
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let verified = crew.project.json("verify dev", 0);
    let kinds = verified["statements"].as_array().expect("statements");
    assert!(
        kinds.iter().any(|statement| statement["kind"] == "approved"),
        "{verified}"
    );
}

#[test]
fn a_rejected_digest_goes_nowhere() {
    let mut crew = Crew::new("{ approvals = 1 }");
    let digest = crew.tested();
    crew.is("ada").json(&format!("approve {digest} --for staging"), 0);
    let before = snapshot(crew.project.root());
    let arguments = ["reject", &digest, "--reason", "logins fail", "--format", "json"];
    let dry = Run::of(crew.is("bob").command(&[&arguments[..], &["--dry-run"]].concat())).document();
    assert_eq!((&dry["record"], &dry["reason"]), (&Value::Null, &json!("logins fail")));
    assert_eq!(snapshot(crew.project.root()), before);
    let run = Run::of(crew.project.command(&arguments));
    let rejected = run.expect_code(0).document();
    assert_eq!(rejected["schema"], "iamship.reject/v1");
    assert_eq!(rejected["digest"], digest.as_str());
    assert!(is_digest(&rejected["record"]), "{rejected}");
    let held = crew.is("pipeline").json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["not-rejected"]);
    let because = text(&gate(&held, "not-rejected")["because"]);
    assert!(
        because.contains("keys/bob.pub") && because.ends_with("logins fail"),
        "{because}"
    );
    let verified = crew.project.json(&format!("verify {digest}"), 1);
    let problems = verified["problems"].as_array().expect("problems");
    assert!(
        matches!(&problems[..], [only] if text(only).contains("keys/bob.pub") && text(only).ends_with(": logins fail")),
        "{verified:#}"
    );
    let statements = verified["statements"].as_array().expect("statements");
    let rejected = statements.iter().find(|said| said["kind"] == "rejected");
    let rejected = rejected.expect("a rejection");
    assert_eq!(
        (&rejected["result"], &rejected["reason"]),
        (&json!("rejected"), &json!("logins fail"))
    );
}
