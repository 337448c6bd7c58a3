use serde_json::{Value, json};

use super::*;
use crate::attest::samples;

#[test]
fn every_kind_reads_as_written_and_is_the_same_each_time() {
    for predicate in samples::all() {
        let statement = samples::about(predicate);
        let bytes = statement.to_bytes();
        assert_eq!(Statement::parse(&bytes).expect("reads"), statement);
        assert_eq!(statement.to_bytes(), bytes);
    }
}

fn written(predicate: Predicate) -> Value {
    serde_json::from_slice(&samples::about(predicate).to_bytes()).expect("JSON")
}

#[test]
fn provenance_has_the_standards_shape() {
    let statement = written(samples::provenance());
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], samples::digest().hex());
    let predicate = &statement["predicate"];
    let definition = &predicate["buildDefinition"];
    assert_eq!(definition["buildType"], "https://iamship.dev/build/v1");
    assert_eq!(definition["externalParameters"]["server"], "curity");
    assert_eq!(definition["internalParameters"]["dirty"], true);
    assert_eq!(definition["internalParameters"]["author"], "Ada <ada@example.com>");
    let dependencies = definition["resolvedDependencies"].as_array().expect("array");
    let names: Vec<_> = dependencies.iter().map(|dependency| &dependency["name"]).collect();
    assert_eq!(names, ["base", "source", "inputs"]);
    assert_eq!(dependencies[1]["uri"], "git+https://git.example.com/iam");
    assert_eq!(
        dependencies[1]["digest"]["gitCommit"],
        "0123456789abcdef0123456789abcdef01234567"
    );
    let details = &predicate["runDetails"];
    assert_eq!(details["builder"]["id"], "https://iamship.dev/iamship");
    assert_eq!(
        details["metadata"],
        json!({"invocationId": "https://ci.example.com/7", "startedOn": "2026-01-02T03:04:05Z", "finishedOn": "2026-01-02T03:04:05Z"})
    );
}

#[test]
fn a_test_result_has_the_standards_shape() {
    let predicate = &written(samples::test_result())["predicate"];
    assert_eq!(predicate["result"], "FAILED");
    assert_eq!(predicate["passedTests"], json!(["references"]));
    assert_eq!(predicate["failedTests"], json!(["urls"]));
    let configuration = predicate["configuration"].as_array().expect("array");
    let names: Vec<_> = configuration.iter().map(|resource| &resource["name"]).collect();
    assert_eq!(names, ["stage/eu-staging", "suite/static", "values"]);
    // A ResourceDescriptor must have one of these.
    for resource in configuration {
        assert!(
            ["uri", "digest", "content"]
                .iter()
                .any(|field| resource.get(field).is_some()),
            "{resource}"
        );
    }
    assert_eq!(predicate["https://iamship.dev/test/run/v1"]["secrets"], "left-out");
}

#[test]
fn a_summary_has_the_standards_shape() {
    let predicate = &written(samples::summary())["predicate"];
    assert_eq!(predicate["verificationResult"], "PASSED");
    assert_eq!(predicate["timeVerified"], "2026-01-02T03:04:05Z");
    assert_eq!(predicate["resourceUri"], "oci://registry.example.com/iam/idsvr");
    assert_eq!(predicate["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_1"]));
    assert_eq!(predicate["policy"]["digest"]["sha256"], Digest::of(b"policy").hex());
    assert_eq!(
        predicate["inputAttestations"][0]["digest"]["sha256"],
        Digest::of(b"envelope").hex()
    );
}

#[test]
fn a_promotion_says_null_where_there_was_nothing() {
    let predicate = &written(samples::promotion())["predicate"];
    assert_eq!(predicate["replaces"], Value::Null);
    assert!(predicate.as_object().expect("object").contains_key("replaces"));
    assert_eq!(predicate["kind"], "promote");
    assert_eq!(predicate["gates"][0]["verdict"], "pass");
}

fn statement(predicate_type: &str, predicate: &str) -> Result<Statement, StatementError> {
    let hex = samples::digest().hex();
    let text = format!(
        r#"{{"_type":"{V1}","subject":[{{"digest":{{"sha256":"{hex}"}}}}],"predicateType":"{predicate_type}","predicate":{predicate}}}"#
    );
    Statement::parse(text.as_bytes())
}

#[test]
fn foreign_shapes_are_kept_as_they_are() {
    for (predicate_type, predicate) in [
        (
            uri::PROVENANCE,
            r#"{"buildDefinition":{"buildType":"https://other.example/"},"x":[1.50]}"#,
        ),
        (uri::TEST_RESULT, r#"{"result":"PASSED","configuration":[]}"#),
        (uri::SUMMARY, "null"),
        ("https://spdx.dev/Document", r#"{"a":{}}"#),
        ("https://cyclonedx.org/bomb", "1"),
    ] {
        let read = statement(predicate_type, predicate).expect(predicate_type);
        assert!(
            matches!(&read.predicate, Predicate::Other { predicate_type: kept, predicate: json }
                if kept == predicate_type && json.as_str() == predicate),
            "{predicate_type}"
        );
    }
    // By its type it needs the permission all the same.
    let foreign = statement(uri::PROVENANCE, "{}").expect("reads");
    assert_eq!(foreign.predicate.permission(), Some(Permission::Build));
    assert_eq!(
        statement("https://spdx.dev/Document", "{}")
            .expect("reads")
            .predicate
            .permission(),
        None
    );
    assert!(matches!(
        statement("https://cyclonedx.org/bom/v1.6", "{}")
            .expect("reads")
            .predicate,
        Predicate::Sbom(_)
    ));
}

#[test]
fn what_was_meant_for_iamship_and_can_not_be_read_is_an_error() {
    let failed = String::from_utf8(samples::about(samples::test_result()).to_bytes()).expect("text");
    for changed in [
        failed.replace("eu-staging", "EU STAGING"),
        failed.replace("FAILED", "BROKEN"),
        failed.replace(r#""name":"values""#, r#""name":"value""#),
        failed.replace("suite/static", "stage/dev"),
    ] {
        assert!(
            matches!(
                Statement::parse(changed.as_bytes()),
                Err(StatementError::Predicate { .. })
            ),
            "{changed}"
        );
    }
    assert!(matches!(
        statement(uri::REJECTION, "{}"),
        Err(StatementError::Predicate { .. })
    ));
    assert!(matches!(
        statement(uri::PROMOTION, "null"),
        Err(StatementError::Predicate { .. })
    ));
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let text = String::from_utf8(samples::about(samples::promotion()).to_bytes()).expect("text");
    let later = text.replace(r#""kind":"promote""#, r#""kind":"promote","later":{"x":[]}"#);
    assert_eq!(
        Statement::parse(later.as_bytes()).expect("reads"),
        samples::about(samples::promotion())
    );
    let older = text.replace("Statement/v1", "Statement/v0.1");
    assert_eq!(
        Statement::parse(older.as_bytes()).expect("reads"),
        samples::about(samples::promotion())
    );
}

#[test]
fn subjects_without_a_sha256_match_nothing() {
    let text = format!(
        r#"{{"_type":"{V1}","subject":[{{"name":"a","digest":{{"sha512":"00"}}}},{{"digest":{{"sha256":"E3"}}}},{{}}],"predicateType":"x"}}"#
    );
    let read = Statement::parse(text.as_bytes()).expect("reads");
    assert!(read.subjects.is_empty());
    assert!(!read.is_about(&samples::digest()));
}

#[test]
fn junk_is_refused() {
    let many = vec!["{}"; MAX_SUBJECTS + 1].join(",");
    for text in [
        "",
        "null",
        "{}",
        r#"{"_type":"https://in-toto.io/Statement/v2","subject":[],"predicateType":"x","predicate":{}}"#,
        &format!(r#"{{"_type":"{V1}","subject":[{many}],"predicateType":"x","predicate":{{}}}}"#),
        &format!(r#"{{"_type":"{V1}","subject":[],"predicateType":"x","predicateType":"y"}}"#),
        &format!(
            r#"{{"_type":"{V1}","subject":[],"predicateType":"{}","predicate":{}}}"#,
            uri::PROMOTION,
            "[".repeat(100_000)
        ),
    ] {
        assert!(
            Statement::parse(text.as_bytes()).is_err(),
            "{}",
            &text[..text.len().min(80)]
        );
    }
}
