//! Keys: which of them may say what.

use serde_json::json;

use crate::support::project::{KEY_VARIABLE, Project, key_pair, text};

/// A project whose builder's key may only build, and a tester's and an operator's key beside it.
struct Team {
    project: Project,
    builder: String,
    tester: String,
    operator: String,
}

impl Team {
    fn new() -> Self {
        let project = Project::new();
        let [builder, tester, operator] = ["builder", "tester", "operator"].map(|name| {
            let (private, public) = key_pair();
            project.write(&format!("keys/{name}.pub"), &public);
            private
        });
        project.edit(
            "iamship.toml",
            "[\"keys/iamship.pub\"]",
            "[
  { key = \"keys/builder.pub\", may = [\"build\"] },
  { key = \"keys/tester.pub\", may = [\"test\"] },
  { key = \"keys/operator.pub\", may = [\"promote\"] },
]",
        );
        Self {
            project,
            builder,
            tester,
            operator,
        }
    }

    fn with(&mut self, key: &str) -> &Project {
        self.project.set(KEY_VARIABLE, key);
        // Whose key signs must not make fingerprints differ.
        self.project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
        &self.project
    }
}

#[test]
fn each_key_counts_only_for_what_it_may() {
    let mut team = Team::new();
    let (builder, tester, operator) = (team.builder.clone(), team.tester.clone(), team.operator.clone());
    // Whoever may build may also let the image enter the first stage.
    let built = team.with(&builder).json("build", 0);
    let digest = text(&built["digest"]);
    let verified = team.with(&builder).json(&format!("verify {digest}"), 0);
    assert_eq!(verified["signed_by"], json!(["keys/builder.pub"]));
    assert_eq!(team.project.stage("dev")["recorded"], true);
    // Neither of the two may test: what they say does not count.
    for key in [&builder, &operator] {
        let run = team.with(key).run("test dev");
        run.expect_code(2);
        assert!(run.stderr.contains("may not test"), "{}", run.stderr);
        team.project
            .run("attest tested dev --suite static --result passed")
            .expect_code(2);
        assert_eq!(Project::held(&team.project.json("explain dev staging", 1)), ["tested"]);
    }
    team.with(&tester).json("test dev", 0);
    team.with(&operator).json("explain dev staging", 0);
    // Neither the tester nor the builder may promote; what they may see, they may.
    for key in [&tester, &builder] {
        let run = team.with(key).run("promote dev staging");
        run.expect_code(2);
        assert!(run.stderr.contains("may not promote"), "{}", run.stderr);
        assert_eq!(team.project.json("history staging", 0)["entries"], json!([]));
        assert_eq!(team.project.store().tag("staging"), None);
    }
    let done = team.with(&operator).json("promote dev staging", 0);
    assert_eq!(done["digest"], digest.as_str());
    let row = team.project.stage("staging");
    assert_eq!(
        (&row["recorded"], &row["signed"]),
        (&json!(true), &json!(true)),
        "{row}"
    );
    let entry = team.project.json("history staging", 0)["entries"][0].clone();
    assert_eq!(entry["signer"], "keys/operator.pub");
}

#[test]
fn a_builders_signature_by_another_key_is_none() {
    let mut team = Team::new();
    let operator = team.operator.clone();
    // The operator's key may not build: what it would sign, nobody would believe.
    let run = team.with(&operator).run("build");
    run.expect_code(2);
    assert!(run.stderr.contains("may not build"), "{}", run.stderr);
}

#[test]
fn a_builder_can_not_let_an_image_enter_a_later_stage() {
    let mut team = Team::new();
    let builder = team.builder.clone();
    // As the builder would like to have it: prod is the first stage.
    let file = team.project.read("iamship.toml");
    let (head, stages) = file.split_once("[[stage]]").expect("stages");
    let own: Vec<_> = stages
        .split("[[stage]]")
        .filter(|stage| stage.contains("\"prod\""))
        .collect();
    team.project
        .write("iamship.toml", &format!("{head}[[stage]]{}", own[0]));
    team.with(&builder).json("build", 0);
    assert_eq!(team.project.stage("prod")["recorded"], true);
    // As it is for everybody else.
    team.project.write("iamship.toml", &file);
    let row = team.project.stage("prod");
    assert_eq!(row["recorded"], false, "{row}");
    let history = team.project.run("history prod --format json");
    history.expect_code(0);
    assert_eq!(history.document()["entries"], json!([]));
    assert!(history.stderr.contains("may only build"), "{}", history.stderr);
}

#[test]
fn two_trusted_keys_are_as_good_as_one() {
    let mut project = Project::new();
    let (private, public) = key_pair();
    project.write("keys/second.pub", &public);
    project.edit(
        "iamship.toml",
        "[\"keys/iamship.pub\"]",
        "[\"keys/iamship.pub\", \"keys/second.pub\"]",
    );
    project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    let digest = project.build();
    project.test("dev");
    project.set(KEY_VARIABLE, &private);
    let done = project.json("promote dev staging", 0);
    assert_eq!(done["digest"], digest.as_str());
    let verified = project.json("verify staging", 0);
    let signers: std::collections::BTreeSet<_> = verified["statements"]
        .as_array()
        .expect("statements")
        .iter()
        .map(|each| text(&each["signer"]))
        .collect();
    assert_eq!(
        signers,
        ["keys/iamship.pub", "keys/second.pub"].map(str::to_owned).into()
    );
}

#[test]
fn without_one_fingerprint_key_another_machines_test_can_not_be_compared() {
    let mut project = Project::new();
    let (private, public) = key_pair();
    project.write("keys/second.pub", &public);
    project.edit(
        "iamship.toml",
        "[\"keys/iamship.pub\"]",
        "[\"keys/iamship.pub\", \"keys/second.pub\"]",
    );
    project.build();
    project.test("dev");
    project.set(KEY_VARIABLE, &private);
    let held = project.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["tested"]);
    assert!(held.to_string().contains("IAMSHIP_FINGERPRINT_KEY"), "{held}");
}
