//! `iamship attest tested`: a result from elsewhere.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest};

const PASSED: &str = r#"<testsuites><testsuite name="e2e" tests="2">
  <testcase classname="login" name="works"/><testcase classname="login" name="logs out"/>
</testsuite></testsuites>"#;
const FAILED: &str = r#"<testsuite name="e2e" tests="2" failures="1">
  <testcase classname="login" name="works"/>
  <testcase classname="login" name="logs out"><failure message="no">trace</failure></testcase>
</testsuite>"#;

/// staging is left only with the suite `e2e`.
fn project() -> Project {
    let project = Project::new();
    project.edit(
        "iamship.toml",
        "name    = \"dev\"",
        "name    = \"dev\"\nleave   = { tests = [\"static\", \"e2e\"] }",
    );
    project.build();
    project.test("dev");
    project
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = project();
    let digest = project.stage("dev")["digest"].clone();
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
    let document = project.json(
        "attest tested dev --suite e2e --result passed --url https://ci.example.com/42",
        0,
    );
    assert_eq!(document["stage"], "dev");
    assert_eq!(document["digest"], digest);
    assert_eq!(document["suite"], "e2e");
    assert_eq!(document["result"], "passed");
    assert_eq!(document["checks"], json!([]));
    assert!(is_digest(&document["record"]));
    project.json("promote dev staging", 0);
}

#[test]
fn a_junit_report_tells_how_it_ended() {
    let project = project();
    project.write("junit.xml", FAILED);
    let failed = project.json("attest tested dev --suite e2e --report junit.xml", 0);
    assert_eq!(failed["result"], "failed");
    let results: Vec<_> = failed["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|c| c["result"].clone())
        .collect();
    assert_eq!(results, ["failed", "passed"]);
    assert!(
        failed["checks"][0]["name"]
            .as_str()
            .is_some_and(|name| name.contains("logs out")),
        "{failed}"
    );
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
    project.write("junit.xml", PASSED);
    let passed = project.json("attest tested dev --suite e2e --report junit.xml", 0);
    assert_eq!(passed["result"], "passed");
    project.json("promote dev staging", 0);
}

#[test]
fn passed_against_a_report_with_failures_is_refused() {
    let project = project();
    project.write("junit.xml", FAILED);
    let before = snapshot(project.root());
    let run = project.run("attest tested dev --suite e2e --result passed --report junit.xml");
    run.expect_code(2);
    assert_eq!(snapshot(project.root()), before);
    // A suite may fail although each of its tests passed.
    project.write("junit.xml", PASSED);
    let document = project.json("attest tested dev --suite e2e --result failed --report junit.xml", 0);
    assert_eq!(document["result"], "failed");
}

#[test]
fn the_newest_result_of_a_suite_counts() {
    let project = project();
    project
        .run("attest tested dev --suite e2e --result passed")
        .expect_code(0);
    project.json("explain dev staging", 0);
    project
        .run("attest tested dev --suite e2e --result failed")
        .expect_code(0);
    project.json("explain dev staging", 1);
    project
        .run("attest tested dev --suite e2e --result passed")
        .expect_code(0);
    project.json("explain dev staging", 0);
}

#[test]
fn rubbish_is_refused_and_nothing_is_recorded() {
    let project = project();
    let before = snapshot(project.root());
    for arguments in [
        "attest tested dev --suite e2e",
        "attest tested dev --result passed",
        "attest tested dev --suite e2e --result perhaps",
        "attest tested dev --suite e2e --report absent.xml",
        "attest tested dev --suite e2e --report iamship.toml",
        "attest tested dve --suite e2e --result passed",
        "attest tested staging --suite e2e --result passed",
    ] {
        let run = project.run(arguments);
        run.expect_code(2);
        assert_eq!(run.stdout, "");
    }
    let planned = project.json("attest tested dev --suite e2e --result passed --dry-run", 0);
    assert_eq!(planned["record"], Value::Null);
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn a_suite_has_a_name_that_the_project_file_can_write() {
    let project = Project::new();
    project.run("build").expect_code(0);
    let run = project.run("attest tested dev --suite e/2e --result passed");
    run.expect_code(2);
    assert!(run.stderr.contains("`e/2e` can't name a test suite"), "{}", run.stderr);
}
