//! `iamship test`: a digest with a stage's values, and the result on record either way.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::project::{Project, is_digest, text};

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let all = document["checks"].as_array().expect("checks");
    all.iter()
        .find(|each| each["name"] == name)
        .unwrap_or_else(|| panic!("{name} in {document:#}"))
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = Project::new();
    let digest = project.build();
    let document = project.json("test dev", 0);
    assert_eq!(document["stage"], "dev");
    assert_eq!(document["digest"], digest.as_str());
    assert_eq!(document["suite"], "static");
    assert_eq!(document["result"], "passed");
    assert!(is_digest(&document["record"]));
    for each in document["checks"].as_array().expect("checks") {
        assert!(each["name"].is_string() && each["detail"].is_string(), "{each}");
        assert_eq!(each["result"], "passed");
    }
    let tag = format!("{}.iamship-tested-", digest.replace(':', "-"));
    let record = text(&document["record"]);
    let tags = project.store().tags();
    assert!(
        tags.iter()
            .any(|(name, target)| name.starts_with(&tag) && *target == record),
        "{tags:?}"
    );
    assert_eq!(project.stage("dev")["tested"]["result"], "passed");
}

#[test]
fn values_that_do_not_fit_fail_and_are_recorded() {
    let project = Project::new();
    project.build();
    let env = project.read("env/dev.env");
    let secrets = project.read("secrets/dev.env");
    for (what, bad_env, bad_secrets) in [
        (
            "missing",
            env.replace("DB_USERNAME=", "# DB_USERNAME="),
            secrets.clone(),
        ),
        (
            "empty",
            env.replace("DB_USERNAME=idsvr", "DB_USERNAME="),
            secrets.clone(),
        ),
        (
            "of another type",
            env.replace("WEB_BASE_URL=https://", "WEB_BASE_URL="),
            secrets.clone(),
        ),
        (
            "no secret",
            env.clone(),
            secrets.replace("DB_PASSWORD=", "# DB_PASSWORD="),
        ),
    ] {
        project.write("env/dev.env", &bad_env);
        project.write("secrets/dev.env", &bad_secrets);
        let document = project.json("test dev", 1);
        assert_eq!(document["result"], "failed", "{what}");
        assert_eq!(check(&document, "values")["result"], "failed", "{what}: {document:#}");
        assert!(is_digest(&document["record"]), "{what} is not recorded");
        assert_eq!(project.stage("dev")["tested"]["result"], "failed", "{what}");
        assert_eq!(
            Project::held(&project.json("explain dev staging", 1)),
            ["tested"],
            "{what}"
        );
    }
    project.write("env/dev.env", &env);
    project.write("secrets/dev.env", &secrets);
    project.json("test dev", 0);
    project.json("explain dev staging", 0);
}

#[test]
fn a_value_that_xml_can_not_carry_or_that_makes_two_files_contradict_fails() {
    let project = Project::new();
    // Another file has a data source of its own, as long as a value keeps the two apart.
    project.write(
        "config/more.xml",
        r#"<config xmlns="http://tail-f.com/ns/config/1.0">
  <facilities xmlns="https://curity.se/ns/conf/base">
    <data-sources>
      <data-source>
        <id>#{OTHER_DB}</id>
        <jdbc xmlns="https://curity.se/ns/ext-conf/jdbc"><username>other</username></jdbc>
      </data-source>
    </data-sources>
  </facilities>
</config>
"#,
    );
    for stage in ["dev", "staging", "prod"] {
        project.append(&format!("env/{stage}.env"), "OTHER_DB=other-db\n");
    }
    project.build();
    let good = project.read("env/dev.env");
    project.json("test dev", 0);
    project.write(
        "env/dev.env",
        &good.replace("OTHER_DB=other-db", "OTHER_DB=accounts-db"),
    );
    let conflict = project.json("test dev", 1);
    assert_eq!(check(&conflict, "resolves")["result"], "failed", "{conflict:#}");
    let detail = text(&check(&conflict, "resolves")["detail"]);
    assert!(
        detail.contains("more.xml") || detail.contains("facilities.xml"),
        "{detail}"
    );
    project.write(
        "env/dev.env",
        &good.replace("OTHER_DB=other-db", "OTHER_DB='other\u{1}db'"),
    );
    let broken = project.json("test dev", 1);
    assert_eq!(broken["result"], "failed");
}

#[test]
fn what_was_built_counts_and_not_the_working_tree() {
    let project = Project::new();
    project.build();
    project.edit("config/services.xml", "</config>", "");
    project.json("test dev", 0);
    std::fs::remove_dir_all(project.path("config")).expect("removed");
    project.json("test dev", 0);
    project.json("promote dev staging", 0);
}

#[test]
fn another_digest_is_tested_when_it_is_named() {
    let project = Project::new();
    let first = project.build();
    let version = text(&project.stage("dev")["version"]);
    project.change_configuration("second");
    project.build();
    assert_eq!(
        project.json(&format!("test dev --digest {first}"), 0)["digest"],
        first.as_str()
    );
    assert_eq!(
        project.json(&format!("test dev --digest {version}"), 0)["digest"],
        first.as_str()
    );
    project.run("test dev --digest 9.9-000000000000").expect_code(2);
    let absent = format!("sha256:{}", "0".repeat(64));
    project.run(&format!("test dev --digest {absent}")).expect_code(2);
}

#[test]
fn a_stage_that_runs_nothing_is_told_what_fills_it() {
    let project = Project::new();
    let run = project.run("test dev");
    run.expect_code(2);
    assert!(run.stderr.contains("help: iamship build"), "{}", run.stderr);
    project.build();
    let run = project.run("test staging");
    run.expect_code(2);
    assert!(
        run.stderr.contains("help: iamship promote dev staging"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_dry_run_records_nothing() {
    let project = Project::new();
    project.build();
    let before = snapshot(project.root());
    let document = project.json("test dev --dry-run", 0);
    assert_eq!(document["record"], Value::Null);
    assert_eq!(document["result"], "passed");
    assert_eq!(snapshot(project.root()), before);
    assert_eq!(project.stage("dev")["tested"], json!(null));
}

/// The starter project, to be tested in an engine that is not there.
fn in_an_engine() -> Project {
    let mut project = Project::new();
    project.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    project.edit(
        "iamship.toml",
        "name    = \"dev\"\n",
        "name    = \"dev\"\ntest    = { kind = \"engine\", suite = [\"boot\", \"oidc\"] }\n",
    );
    let client = "[[oidc.client]]\nid = \"app\"\nredirect-uris = \"https://app.example.com/cb\"\n";
    project.append(
        "iamship.toml",
        &format!("\n[oidc]\nissuer = \"https://login.example.com\"\n{client}"),
    );
    project
}

#[test]
fn without_an_engine_nothing_is_known_and_nothing_is_recorded() {
    let project = in_an_engine();
    project.build();
    let run = project.run("test dev");
    run.expect_code(3);
    assert!(run.stderr.contains("unix:///nowhere/docker.sock"), "{}", run.stderr);
    assert!(run.stderr.contains("DOCKER_HOST"), "{}", run.stderr);
    assert_eq!(project.stage("dev")["tested"], json!(null));
}

#[test]
fn what_does_not_resolve_fails_all_suites_before_an_engine_is_asked() {
    let project = in_an_engine();
    project.build();
    project.edit("env/dev.env", "DB_USERNAME=", "# DB_USERNAME=");
    let document = project.json("test dev", 1);
    assert_eq!(document["suite"], "boot,oidc");
    let failed = |suite: &str| json!({ "suite": suite, "result": "failed" });
    assert_eq!(document["suites"], json!([failed("boot"), failed("oidc")]));
    assert!(is_digest(&document["record"]));
    let each = document["checks"].as_array().expect("checks");
    assert!(
        each.iter()
            .any(|check| check["suite"] == "oidc" && check["name"] == "values")
    );
    assert_eq!(project.stage("dev")["tested"]["result"], "failed");
    let one = project.json("test dev --suite oidc --dry-run", 1);
    assert_eq!(one["suites"], json!([failed("oidc")]));
    let run = project.run("test dev --suite oidcs");
    run.expect_code(2);
    assert!(run.stderr.contains("did you mean `oidc`?"), "{}", run.stderr);
}

#[test]
fn secrets_that_can_not_be_read_stop_it_before_anything_starts() {
    let project = in_an_engine();
    project.build();
    project.edit(
        "iamship.toml",
        "secrets = [\"file:secrets/dev.env\"]",
        "secrets = [\"exec:false\"]",
    );
    let run = project.run("test dev");
    run.expect_code(3);
    assert!(run.stderr.contains("exec:false"), "{}", run.stderr);
    assert_eq!(project.stage("dev")["tested"], json!(null));
}

#[test]
fn a_client_whose_secret_no_configuration_asks_for_is_told_by_check() {
    let project = in_an_engine();
    project.append(
        "iamship.toml",
        "[[oidc.client]]\nid = \"web\"\nsecret = \"WEB_SECRET\"\n",
    );
    let run = project.run("check");
    run.expect_code(1);
    assert!(
        run.stderr.contains("oidc-parameter") || run.stdout.contains("oidc-parameter"),
        "{}{}",
        run.stdout,
        run.stderr
    );
}
