//! `iamship check`: what is wrong, where, and what mends it.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, text};

fn codes(document: &Value) -> Vec<String> {
    let all = document["diagnostics"].as_array().expect("diagnostics");
    all.iter().map(|each| text(&each["code"])).collect()
}

#[test]
fn a_good_project_has_an_empty_list() {
    let project = Project::new();
    let before = snapshot(project.root());
    let document = project.json("check", 0);
    assert_eq!(document["diagnostics"], json!([]));
    assert_eq!((&document["errors"], &document["warnings"]), (&json!(0), &json!(0)));
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn each_finding_has_its_place_and_its_mend() {
    let project = Project::new();
    project.edit("env/staging.env", "DB_USERNAME=", "DB_USERNAM=");
    let document = project.json("check", 1);
    let errors = document["errors"].as_u64().expect("a number");
    assert!(errors >= 1);
    let all = document["diagnostics"].as_array().expect("diagnostics");
    for each in all {
        assert!(each["code"].is_string() && each["message"].is_string());
        assert!(
            ["error", "warning"].contains(&each["severity"].as_str().expect("text")),
            "{each}"
        );
        assert!(each["help"].is_array());
        for label in each["labels"].as_array().expect("labels") {
            assert!(label["file"].is_string() && label["text"].is_string());
            assert!(label["line"].as_u64() > Some(0) && label["column"].as_u64() > Some(0));
        }
    }
    assert!(document.to_string().contains("DB_USERNAME"), "the name that was meant");
}

#[test]
fn only_the_stages_that_are_named_are_looked_at() {
    let project = Project::new();
    project.edit("env/prod.env", "DB_USERNAME=", "# DB_USERNAME=");
    project.json("check dev staging", 0);
    let document = project.json("check prod", 1);
    assert!(document.to_string().contains("prod"), "{document}");
    project.json("check", 1);
    let run = project.run("check prd");
    run.expect_code(2);
    assert!(run.stderr.contains("help: is `prod` meant?"), "{}", run.stderr);
}

#[test]
fn warnings_stop_only_when_they_shall() {
    let project = Project::new();
    project.append("env/dev.env", "NOBODY_ASKS_FOR_THIS=1\n");
    let document = project.json("check", 0);
    assert_eq!(codes(&document).len(), 1);
    assert_eq!(document["warnings"], 1);
    project.json("check --deny-warnings", 1);
}

#[test]
fn conflicts_and_literal_secrets_are_found() {
    let project = Project::new();
    project.edit("config/facilities.xml", "#{DB_PASSWORD}", "Hunter2-canary-plain");
    let run = project.run("check --format json");
    run.expect_code(1);
    assert!(
        !run.stdout.contains("canary") && !run.stderr.contains("canary"),
        "{run:?}"
    );
    let told = project.run("check");
    told.expect_code(1);
    assert!(told.stderr.contains("config/facilities.xml:24"), "{}", told.stderr);
    assert!(!told.stderr.contains("canary"), "{}", told.stderr);
}

#[test]
fn other_programs_read_it_too() {
    let project = Project::new();
    project.edit("env/prod.env", "DB_USERNAME=", "# DB_USERNAME=");
    let sarif = project.run("check --format sarif");
    sarif.expect_code(1);
    assert_eq!(sarif.document()["version"], "2.1.0");
    let github = project.run("check --format github");
    github.expect_code(1);
    assert!(
        github
            .stdout
            .lines()
            .all(|line| line.starts_with("::error ") || line.starts_with("::warning "))
    );
    project.run("status --format sarif").expect_code(2);
}

#[test]
fn a_broken_project_file_tells_all_its_problems_at_once() {
    let project = Project::new();
    project.edit("iamship.toml", "[signing]", "[singing]");
    project.edit("iamship.toml", "base = ", "bse = ");
    let run = project.run("check");
    run.expect_code(2);
    assert_eq!(run.stdout, "");
    for word in ["singing", "bse", "iamship.toml:"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
}

#[test]
fn people_see_the_line_and_a_caret() {
    let project = Project::new();
    project.edit(
        "env/staging.env",
        "RUNTIME_BASE_URL=https://login",
        "RUNTIME_BASE_URL=login",
    );
    let run = project.run("check staging");
    run.expect_code(1);
    insta::assert_snapshot!(run.stderr, @r#"
    error[parameter-type]: `RUNTIME_BASE_URL` of `staging` should be an absolute URL with a host: it has no `scheme://`
     --> env/staging.env:2:18
      |
    2 | RUNTIME_BASE_URL=login.staging.example.com
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: if it is another type: `RUNTIME_BASE_URL = { type = "text" }` under `[parameters]`

    note: `iamship rule parameter-type` tells more; so for every code
    "#);
}

#[test]
fn without_secrets_the_configuration_alone_is_checked() {
    let project = Project::new();
    std::fs::remove_dir_all(project.path("secrets")).expect("removed");
    project.run("check dev").expect_code(1);
    project.run("check --no-stage").expect_code(0);
    project.run("check dev --no-stage").expect_code(2);
    project.edit("config/services.xml", "</config>", "</confg>");
    project.run("check --no-stage").expect_code(1);
}

#[test]
fn a_project_that_can_not_be_read_is_told_in_the_format_that_was_asked_for() {
    let project = Project::new();
    project.append("iamship.toml", "\nvalus = []\n");
    let document = project.json("check", 2);
    assert_eq!(codes(&document), ["project-unknown-key"]);
    let run = project.run("check --format github");
    run.expect_code(2);
    assert!(
        run.stdout.starts_with("::error file=iamship.toml,line="),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("error[project-unknown-key]"), "{}", run.stderr);
}

#[test]
fn a_finding_is_allowed_where_it_stands_with_a_reason() {
    let project = Project::new();
    let values = project.read("env/prod.env");
    project.write(
        "env/prod.env",
        &(values.clone() + "# iamship: allow parameter-unused for the sidecar\nSIDECAR=1\n"),
    );
    let document = project.json("check", 0);
    assert_eq!(
        (&document["diagnostics"], &document["warnings"]),
        (&json!([]), &json!(0))
    );
    let allowed = &document["allowed"][0];
    assert_eq!(
        (&allowed["code"], &allowed["reason"]),
        (&json!("parameter-unused"), &json!("for the sidecar"))
    );
    assert_eq!(allowed["said"]["file"], "env/prod.env");
    let run = project.run("check --deny-warnings");
    run.expect_code(0);
    assert_eq!(run.stdout, "no problems found; 1 allowed\n");
    let sarif = project.run("check --format sarif").document();
    assert_eq!(
        sarif["runs"][0]["results"][0]["suppressions"][0]["justification"],
        "for the sidecar"
    );

    project.write(
        "env/prod.env",
        &(values + "# iamship: allow parameter-unused\nSIDECAR=1\n"),
    );
    let document = project.json("check", 0);
    assert_eq!(codes(&document), ["parameter-unused", "allow-invalid"]);
}

#[test]
fn the_project_allows_what_stands_where_no_comment_can() {
    let project = Project::new();
    project.append("env/prod.env", "SIDECAR=1\n");
    project.append(
        "iamship.toml",
        "\n[[checks.allow]]\ncode = \"parameter-unused\"\npath = \"env/*.env\"\nreason = \"for the sidecar\"\n",
    );
    let document = project.json("check", 0);
    assert_eq!(document["allowed"][0]["said"]["file"], "iamship.toml");
    project.edit("env/prod.env", "SIDECAR=1\n", "");
    assert_eq!(codes(&project.json("check", 0)), ["allow-unused"]);
}

#[test]
fn a_stage_has_severities_of_its_own() {
    let project = Project::new();
    project.append("iamship.toml", "\n[stage.checks]\nparameter-unusd = \"error\"\n");
    let run = project.run("check");
    run.expect_code(2);
    assert!(
        run.stderr.contains("did you mean `parameter-unused`?"),
        "{}",
        run.stderr
    );
    project.edit("iamship.toml", "unusd", "unused");
    project.append("env/dev.env", "SIDECAR=1\n");
    project.json("check", 0);
}
