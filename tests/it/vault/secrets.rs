//! What a KV engine gives a stage, and who may see what of it.

use serde_json::{Value, json};

use super::{CANARY, Scene, asked, quiet, tested};
use crate::support::project::{Project, text};

#[test]
fn both_versions_of_kv_give_a_stage_its_secrets() {
    for version in [1, 2] {
        let Some(scene) = Scene::new(version) else { return };
        // Once for the engine, once for the path.
        assert_eq!(asked(&quiet(&scene.project, "check", 0)), 2);
        quiet(&scene.project, "build", 0);
        let run = quiet(&scene.project, "test dev", 0);
        assert_eq!(asked(&run), 2);
        quiet(&scene.project, "promote dev staging", 0);
    }
}

#[test]
fn the_first_source_wins_and_a_rotated_secret_makes_a_test_stale() {
    let Some(mut scene) = Scene::new(2) else { return };
    let second = format!("{}/common", scene.bao.kv(1));
    scene.bao.put(
        &second,
        1,
        &json!({ "DB_PASSWORD": "one", "OTHER": "x", "db-password": "y" }),
    );
    let sources = format!("\"vault:{}\"", scene.path);
    scene
        .project
        .edit("iamship.toml", &sources, &format!("{sources}, \"vault:{second}\""));
    let checked = scene.project.json("check", 0);
    let told = text(&checked["diagnostics"][0]["message"]);
    assert!(
        told.contains("`db-password`"),
        "a name that nobody can ask for is told: {told}"
    );
    scene.project.build();
    scene.project.test("dev");
    scene.bao.put(&second, 1, &json!({ "DB_PASSWORD": "two" }));
    assert_eq!(tested(&scene.project)["stale"], false, "the first source has it");
    scene.change("DB_PASSWORD", "rotated");
    assert_eq!(tested(&scene.project)["stale"], true);
    assert_eq!(Project::held(&scene.project.json("promote dev staging", 1)), ["tested"]);
    scene.project.test("dev");
    scene.project.json("promote dev staging", 0);
}

#[test]
fn one_path_of_several_stages_is_asked_for_once() {
    let Some(scene) = Scene::new(2) else { return };
    for stage in ["staging", "prod"] {
        let (own, shared) = (
            format!("\"file:secrets/{stage}.env\""),
            format!("\"vault:{}\"", scene.path),
        );
        scene.project.edit("iamship.toml", &own, &format!("{own}, {shared}"));
    }
    assert_eq!(asked(&scene.project.run("check -v")), 2);
}

#[test]
fn numbers_and_booleans_are_texts_and_objects_are_refused() {
    let Some(mut scene) = Scene::new(2) else { return };
    scene.change("DB_PASSWORD", 12345);
    scene.change("NOTHING", Value::Null);
    scene.change("a-note", json!({ "of": "somebody" }));
    scene.project.run("check").expect_code(0);
    scene.change("DB_PASSWORD", Value::Null);
    let run = quiet(&scene.project, "check", 1);
    let mend = format!("put `DB_PASSWORD` into `vault:{}`: it is a secret", scene.path);
    assert!(run.stderr.contains(&mend), "{}", run.stderr);
    scene.change("DB_PASSWORD", json!({ "old": CANARY }));
    let run = quiet(&scene.project, "check", 1);
    assert!(run.stderr.contains("`DB_PASSWORD` is an object"), "{}", run.stderr);
}

#[test]
fn presence_is_seen_without_reading_a_value() {
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    let subkeys = scene.data().replace("/data/", "/subkeys/");
    let policy = format!("path \"{subkeys}\" {{ capabilities = [\"read\"] }}");
    project.set("VAULT_TOKEN", &scene.bao.token(&policy));
    let parameters = project.json("parameters", 0);
    let all = parameters["parameters"].as_array().expect("parameters");
    assert!(
        all.iter().any(|parameter| parameter["stages"]["dev"] == "secret"),
        "{parameters}"
    );
    assert!(
        all.iter().all(|parameter| parameter["stages"]["dev"] != "missing"),
        "{parameters}"
    );
    let run = quiet(&project, "check", 3);
    let lacks = format!("Vault denies `{}`: the token's policy lacks `read` there", scene.data());
    assert!(run.stderr.contains(&lacks), "{}", run.stderr);
    assert!(
        run.stderr
            .contains(&format!("path \"{}\" {{ capabilities", scene.data())),
        "{}",
        run.stderr
    );
    // Nobody's secrets are needed to judge the configuration.
    assert_eq!(asked(&quiet(&project, "check --no-stage", 0)), 0);
    // The other way round: no subkeys, so the values are read.
    project.set("VAULT_TOKEN", &scene.bao.token(&policy.replace("/subkeys/", "/data/")));
    project.json("parameters", 0);
    quiet(&project, "check", 0);
}

#[test]
fn a_token_that_may_nothing_and_a_path_with_nothing_are_told_apart() {
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    project.set(
        "VAULT_TOKEN",
        &scene.bao.token("path \"other/x\" { capabilities = [\"read\"] }"),
    );
    let run = quiet(&project, "check", 3);
    assert!(
        run.stderr.contains(&format!("Vault denies `{}`", scene.path)),
        "{}",
        run.stderr
    );
    project.set("VAULT_TOKEN", "hvs.nobody");
    quiet(&project, "check", 3);
    project.set("VAULT_TOKEN", &scene.bao.root);
    project.edit("iamship.toml", "/iam/dev", "/iam/nothing");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains("Vault holds nothing at") && run.stderr.contains("vault kv put"),
        "{}",
        run.stderr
    );
    project.edit("iamship.toml", "/iam/nothing", "/data/iam/dev");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains(&format!(
            "write it without `data/`, as for `vault kv get`: `vault:{}`",
            scene.path
        )),
        "{}",
        run.stderr
    );
    let (mount, _) = scene.path.split_once('/').expect("a mount");
    scene.bao.call("DELETE", &scene.data(), &Value::Null);
    let run = quiet(&scene.project, "check", 1);
    assert!(
        run.stderr.contains("was deleted at 20") && run.stderr.contains("undelete"),
        "{}",
        run.stderr
    );
    let transit = scene.bao.transit("ed25519");
    scene
        .project
        .edit("iamship.toml", &format!("vault:{mount}/"), &format!("vault:{transit}/"));
    let run = quiet(&scene.project, "check", 1);
    assert!(run.stderr.contains("an engine of the kind `transit`"), "{}", run.stderr);
}
