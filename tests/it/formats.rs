//! JSON, YAML and TOML have the tree that XML has: references, secrets, types by path, places, differences.

use serde_json::{Value, json};

use crate::support::project::{Project, text};

/// A project of another server, made by `init`.
fn project(server: &str) -> Project {
    let project = Project::empty();
    project.run(&format!("init . --server {server}")).expect_code(0);
    project
}

fn findings(document: &Value) -> Vec<(String, String, u64)> {
    let all = document["diagnostics"].as_array().expect("diagnostics").iter();
    all.map(|each| {
        let label = &each["labels"][0];
        (
            text(&each["code"]),
            text(&label["file"]),
            label["line"].as_u64().unwrap_or_default(),
        )
    })
    .collect()
}

fn parameter(document: &Value, name: &str) -> Value {
    let all = document["parameters"].as_array().expect("parameters");
    all.iter().find(|each| each["name"] == name).expect("there").clone()
}

#[test]
fn a_realm_is_checked_by_its_elements() {
    let project = project("keycloak");
    assert_eq!(project.json("check", 0)["diagnostics"], json!([]));
    let realm = "config/shop-realm.json";
    project.edit(
        realm,
        "\"secret\": \"${WEB_CLIENT_SECRET}\"",
        "\"secret\": \"hunter2\",\n      \"defaultClientScopes\": [\"email\", \"ordesr\"]",
    );
    project.edit(
        realm,
        "\"roles\"",
        "\"clientScopes\": [{\"name\": \"orders\"}],\n  \"browserFlow\": \"browser\",\n  \"roles\"",
    );
    let document = project.json("check", 1);
    let found = findings(&document);
    let line = |needle: &str| {
        project
            .read(realm)
            .lines()
            .position(|line| line.contains(needle))
            .expect("there") as u64
            + 1
    };
    for (code, needle) in [("secret-literal", "hunter2"), ("reference-dangling", "ordesr")] {
        let expected = (code.to_owned(), realm.to_owned(), line(needle));
        assert!(found.contains(&expected), "{found:?}");
    }
    assert!(!document.to_string().contains("hunter2"));
    assert!(document.to_string().contains("there is a client scope `orders`"));
}

#[test]
fn placeholders_are_known_by_where_they_stand() {
    let project = project("keycloak");
    let realm = "config/shop-realm.json";
    project.edit(realm, "\"port\": \"587\"", "\"port\": \"${MAIL}\"");
    project.edit(realm, "\"enabled\": true", "\"enabled\": ${ON:true}");
    project.edit(realm, "\"${WEB_CLIENT_SECRET}\"", "\"${WEB}\"");
    let document = project.json("parameters", 0);
    assert_eq!(parameter(&document, "MAIL")["type"], "port");
    assert_eq!(parameter(&document, "WEB")["secret"], true);
    assert_eq!(parameter(&document, "ON")["default"], "true");
    assert_eq!(parameter(&document, "ON")["used"][0]["path"], "/realm[shop]/enabled");
}

#[test]
fn files_of_text_are_trees_by_their_ending() {
    let project = project("generic");
    assert_eq!(project.json("check", 0)["diagnostics"], json!([]));
    project.edit("config/server.yaml", "${WEB_CLIENT_SECRET}", "hunter2");
    let found = findings(&project.json("check", 1));
    assert!(
        found.contains(&("secret-literal".into(), "config/server.yaml".into(), 11)),
        "{found:?}"
    );
    project.edit(
        "config/server.yaml",
        "hunter2",
        "${WEB_CLIENT_SECRET}\n    secret: again",
    );
    let found = findings(&project.json("check", 1));
    assert!(
        found.contains(&("duplicate-key".into(), "config/server.yaml".into(), 12)),
        "{found:?}"
    );
    project.edit("config/server.yaml", "issuer: ", "issuer: : ");
    let found = findings(&project.json("check", 1));
    assert!(found.iter().any(|(code, ..)| code == "yaml-malformed"), "{found:?}");
}
