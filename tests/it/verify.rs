//! `iamship verify`: content, signature, provenance and each statement.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_time, key_pair, text};

fn promoted() -> (Project, String) {
    let project = Project::new();
    let digest = project.build();
    project.promote("dev", "staging");
    (project, digest)
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let (project, digest) = promoted();
    let before = snapshot(project.root());
    let version = text(&project.stage("dev")["version"]);
    for what in [
        "staging".to_owned(),
        digest.clone(),
        version.clone(),
        format!("oci:.iamship/store#{version}"),
        format!("oci:.iamship/store@{digest}"),
    ] {
        let document = project.json(&format!("verify {what}"), 0);
        assert_eq!(document["digest"], digest.as_str(), "{what}");
        assert_eq!(document["signed_by"], json!(["keys/iamship.pub"]));
        assert_eq!(document["problems"], json!([]));
        let statements = document["statements"].as_array().expect("statements");
        for statement in statements {
            assert_eq!(statement["signer"], "keys/iamship.pub");
            assert!(statement["at"].is_null() || is_time(&statement["at"]), "{statement}");
            for field in ["kind", "at", "stage", "result"] {
                assert!(statement.get(field).is_some(), "{statement}");
            }
        }
        let of = |kind: &str| {
            statements
                .iter()
                .filter(|s| s["kind"] == kind)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("provenance").len(), 1);
        assert_eq!(of("tested")[0]["stage"], "dev");
        assert_eq!(of("tested")[0]["result"], "passed");
        assert_eq!(of("promoted").len(), 2);
    }
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn what_is_not_there_is_the_callers_mistake() {
    let (project, _) = promoted();
    let absent = format!("sha256:{}", "0".repeat(64));
    for what in [
        "prod",
        "prd",
        "9.9-000000000000",
        absent.as_str(),
        "oci:nowhere#1.0",
        "sha256:12",
        "oci:.iamship/store#nothing",
    ] {
        let run = project.run(&format!("verify {what}"));
        run.expect_code(2);
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn content_that_was_changed_is_a_problem() {
    let (project, digest) = promoted();
    let store = project.store();
    let layer = text(&store.json(&digest)["layers"][0]["digest"]);
    let path = store.blob_path(&layer);
    let good = std::fs::read(&path).expect("a layer");
    let mut bad = good.clone();
    bad[20] ^= 1;
    std::fs::write(&path, bad).expect("written");
    let document = project.json("verify staging", 1);
    assert!(document["problems"].to_string().contains(&layer), "{document}");
    std::fs::remove_file(&path).expect("removed");
    let document = project.json("verify staging", 1);
    assert!(document["problems"].to_string().contains(&layer), "{document}");
    std::fs::write(&path, good).expect("written");
    project.json("verify staging", 0);
    assert_eq!(project.run("verify staging").code, Some(0));
}

#[test]
fn statements_by_unknown_keys_prove_nothing() {
    let (project, _) = promoted();
    project.write("keys/iamship.pub", &key_pair().1);
    let document = project.json("verify staging", 1);
    assert_eq!(document["signed_by"], json!([]));
    assert_eq!(document["statements"], json!([]));
    assert!(
        document["problems"]
            .as_array()
            .is_some_and(|problems| !problems.is_empty())
    );
}

#[test]
fn a_missing_signature_or_provenance_is_a_problem() {
    let (project, _) = promoted();
    let index = project.store().index();
    project.store().remove_tags(|tag| tag.ends_with(".sig"));
    let document = project.json("verify staging", 1);
    assert_eq!(document["signed_by"], json!([]));
    project.store().write_index(&index);
    project.store().remove_tags(|tag| tag.contains(".iamship-built-"));
    let document = project.json("verify staging", 1);
    assert!(document["problems"].as_array().map(Vec::len) > Some(0), "{document}");
    project.store().write_index(&index);
    assert_eq!(project.json("verify staging", 0)["problems"], Value::Array(Vec::new()));
}
