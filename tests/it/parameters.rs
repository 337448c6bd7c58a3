//! `iamship parameters`: the contract with each stage.

use serde_json::{Value, json};

use crate::support::project::Project;

fn parameter(document: &Value, name: &str) -> Value {
    let all = document["parameters"].as_array().expect("parameters");
    all.iter()
        .find(|each| each["name"] == name)
        .unwrap_or_else(|| panic!("{name}"))
        .clone()
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = Project::new();
    project.edit("config/facilities.xml", "#{DB_USERNAME}", "#{DB_USERNAME | idsvr}");
    project.edit("env/staging.env", "DB_USERNAME=", "# DB_USERNAME=");
    project.edit("env/prod.env", "WEB_BASE_URL=", "# WEB_BASE_URL=");
    let document = project.json("parameters", 0);
    let user = parameter(&document, "DB_USERNAME");
    assert_eq!(user["type"], "text");
    assert_eq!(user["secret"], false);
    assert_eq!(user["default"], "idsvr");
    assert_eq!(
        user["stages"],
        json!({ "dev": "given", "staging": "default", "prod": "given" })
    );
    let used = &user["used"][0];
    assert_eq!(used["file"], "config/facilities.xml");
    assert!(used["line"].is_u64() && used["column"].is_u64(), "{used}");
    let password = parameter(&document, "DB_PASSWORD");
    assert_eq!(password["secret"], true);
    assert_eq!(password["default"], Value::Null);
    assert_eq!(
        password["stages"],
        json!({ "dev": "secret", "staging": "secret", "prod": "secret" })
    );
    let web = parameter(&document, "WEB_BASE_URL");
    assert_eq!(web["type"], "url");
    assert_eq!(web["stages"]["prod"], "missing");
    assert!(web["used"].as_array().map(Vec::len) > Some(1));
}

#[test]
fn people_read_a_table() {
    let project = Project::new();
    let run = project.run("parameters");
    run.expect_code(0);
    assert!(!run.stdout.contains("example-"), "no value is shown: {}", run.stdout);
    let head: Vec<_> = run.stdout.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["PARAMETER", "TYPE", "dev", "staging", "prod", "USED"]);
    assert_eq!(run.stdout.lines().count(), 13);
}

#[test]
fn equal_values_have_equal_letters_and_what_is_suspicious_is_noted() {
    let project = Project::new();
    project.edit(
        "secrets/prod.env",
        "'example-db-password-prod'",
        "'example-db-password-staging'",
    );
    project.edit("env/prod.env", "WEB_BASE_URL=https://", "WEB_BASE_URL=http://");
    let document = project.json("parameters", 0);
    let password = parameter(&document, "DB_PASSWORD");
    assert_eq!(password["groups"], json!({ "dev": "A", "staging": "B", "prod": "B" }));
    let codes = |parameter: &Value| -> Vec<(String, String)> {
        let notes = parameter["notes"].as_array().expect("notes").iter();
        let text = |note: &Value, name: &str| note[name].as_str().expect("a text").to_owned();
        notes.map(|note| (text(note, "stage"), text(note, "code"))).collect()
    };
    let shared = |stage: &str| (stage.to_owned(), "secret-shared".to_owned());
    assert_eq!(codes(&password), [shared("staging"), shared("prod")]);
    let plain = ("prod".to_owned(), "stage-plain-http".to_owned());
    assert_eq!(codes(&parameter(&document, "WEB_BASE_URL")), [plain]);
    let run = project.run("parameters --stage prod --stage staging");
    run.expect_code(0);
    let line = |text: &str| {
        text.lines()
            .find(|line| line.contains("DB_PASSWORD"))
            .expect("a row")
            .to_owned()
    };
    assert!(
        line(&run.stdout).contains("secret =B !") || line(&run.stdout).contains("secret =A !"),
        "{}",
        run.stdout
    );
    assert!(
        !run.stdout.contains("dev") && run.stderr.contains("warning[secret-shared]"),
        "{}",
        run.stderr
    );
    let run = project.run("parameters --format markdown");
    run.expect_code(0);
    assert!(
        run.stdout
            .contains("| `DB_PASSWORD` | text, secret | secret | secret =B ! | secret =B ! |"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("- **error** `stage-plain-http`: `WEB_BASE_URL` of `prod`"),
        "{}",
        run.stdout
    );
    for text in [&run.stdout, &document.to_string()] {
        assert!(!text.contains("example-db-password"), "{text}");
    }
    project.run("parameters --stage nowhere").expect_code(2);
}
