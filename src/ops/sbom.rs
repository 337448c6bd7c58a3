//! What is in the configuration, as CycloneDX 1.6: clients, data sources, key ids, parameters.
//!
//! A component's `bom-ref` is its place in the configuration. Only names are listed, never a value.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::attest::predicate::Json;
use crate::bundle::Bundle;
use crate::image::{Digest, Tag};
use crate::profile::ComponentRule;
use crate::project::Project;
use crate::values::{Contract, ContractParameter};

/// The most components of the configuration: an SBOM is carried in one signed statement.
const MAX_COMPONENTS: usize = 120_000;

/// The bill of materials: the same configuration gives the same document.
pub(super) fn cyclonedx(
    project: &Project,
    bundle: &Bundle,
    contract: &Contract,
    version: &Tag,
    image: &Digest,
) -> serde_json::Result<Json> {
    let mut components = configured(&project.server.components, bundle);
    components.extend(contract.parameters.iter().map(parameter));
    Json::of(&Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: Metadata {
            tools: Tools {
                components: [Tool {
                    kind: "application",
                    name: "iamship",
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            component: Image {
                kind: "container",
                bom_ref: image.to_string(),
                name: project.name.to_string(),
                version: version.as_str(),
                hashes: [Hash {
                    algorithm: "SHA-256",
                    content: image.hex().to_owned(),
                }],
            },
        },
        components,
    })
}

/// Each thing once, also when it is split over several files.
fn configured<'t>(rules: &'t [ComponentRule], bundle: &'t Bundle) -> Vec<Component<'t>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut add = |what: &'t str, name: Cow<'t, str>, place: String| {
        if !name.is_empty() && seen.len() < MAX_COMPONENTS && seen.insert(place.clone()) {
            found.push(Component::new(what, name, place));
        }
    };
    for rule in rules.iter().filter(|rule| rule.listed) {
        for node in bundle.tree().find(&rule.path) {
            // Where each file is a tree of its own, one key may stand in several.
            let place = match node.root_name().filter(|_| node.root().key().is_none()) {
                Some(file) => format!("{file}#{}", node.path()),
                None => node.path(),
            };
            if let Some(key) = node.key() {
                add(&rule.what, key, place);
            } else if node.is_leaf() {
                let name = node.value();
                let place = format!("{place}[{name}]");
                add(&rule.what, name, place);
            }
        }
    }
    found
}

fn parameter(parameter: &ContractParameter) -> Component<'_> {
    let name = parameter.name.as_str();
    let mut component = Component::new("parameter", name.into(), format!("parameter/{name}"));
    component.properties.push(Property {
        name: "iamship:type",
        value: parameter.kind.to_string().into(),
    });
    component.properties.push(Property {
        name: "iamship:secret",
        value: parameter.secret.to_string().into(),
    });
    component
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'t> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata<'t>,
    components: Vec<Component<'t>>,
}

#[derive(Serialize)]
struct Metadata<'t> {
    tools: Tools,
    component: Image<'t>,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Image<'t> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    version: &'t str,
    hashes: [Hash; 1],
}

#[derive(Serialize)]
struct Hash {
    #[serde(rename = "alg")]
    algorithm: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Component<'t> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: Cow<'t, str>,
    properties: Vec<Property<'t>>,
}

impl<'t> Component<'t> {
    fn new(what: &'t str, name: Cow<'t, str>, place: String) -> Self {
        Self {
            kind: "data",
            bom_ref: place,
            name,
            properties: vec![Property {
                name: "iamship:kind",
                value: what.into(),
            }],
        }
    }
}

#[derive(Serialize)]
struct Property<'t> {
    name: &'static str,
    value: Cow<'t, str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing;
    use crate::ops::fixture::project;

    fn listed(project: &Project, bundle: &Bundle) -> (serde_json::Value, Vec<String>) {
        let contract = crate::checks::contract(project, bundle).expect("contract");
        let version = "1.0-abc".parse().expect("tag");
        let sbom = cyclonedx(project, bundle, &contract, &version, &Digest::of(b"image")).expect("written");
        let sbom: serde_json::Value = sbom.read().expect("JSON");
        let components = sbom["components"].as_array().expect("components").iter();
        let lines = components
            .map(|component| {
                let kind = component["properties"][0]["value"].as_str().expect("kind");
                format!("{kind} {} {}", component["name"], component["bom-ref"])
            })
            .collect();
        (sbom, lines)
    }

    #[test]
    fn names_the_things_of_the_configuration_each_once_and_no_value() {
        let clients = |secret: &str| {
            testing::config(&format!(
                "<profiles xmlns=\"https://curity.se/ns/conf/base\"><profile><id>tokens</id><settings>\
                 <authorization-server><client-store><config-backed><client><id>web</id>{secret}</client>\
                 </config-backed></client-store></authorization-server></settings></profile></profiles>\
                 <facilities xmlns=\"https://curity.se/ns/conf/base\"><crypto><signing-keys><signing-key>\
                 <id>main</id><keystore>#{{SIGNING_KEY}}</keystore></signing-key></signing-keys></crypto></facilities>"
            ))
        };
        let project = project("curity");
        let (bundle, problems) =
            testing::read_as(&[&clients("<secret>hunter2</secret>"), &clients("")], &project.server);
        assert_eq!(problems, []);
        let (sbom, lines) = listed(&project, &bundle);
        assert_eq!(
            lines,
            [
                "client \"web\" \"/profiles/profile[tokens]/settings/authorization-server/client-store/config-backed/client[web]\"",
                "signing key \"main\" \"/facilities/crypto/signing-keys/signing-key[main]\"",
                "profile \"tokens\" \"/profiles/profile[tokens]\"",
                "parameter \"SIGNING_KEY\" \"parameter/SIGNING_KEY\"",
            ]
        );
        assert_eq!(sbom["bomFormat"], "CycloneDX");
        assert_eq!(sbom["specVersion"], "1.6");
        assert!(!sbom.to_string().contains("hunter2"));
    }

    #[test]
    fn names_the_things_of_a_realm() {
        let project = project("keycloak");
        let realm = r#"{"realm": "shop", "clients": [{"clientId": "w\u0065b", "secret": "hunter2"}],
            "identityProviders": [{"alias": "${IDP}"}]}"#;
        let (bundle, _) = testing::read_as(&[realm], &project.server);
        let (sbom, lines) = listed(&project, &bundle);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[0].starts_with("realm \"shop\""));
        assert!(lines[1].starts_with("client \"web\""));
        assert!(lines[2].starts_with("identity provider \"${IDP}\""));
        assert!(!sbom.to_string().contains("hunter2"));
    }
}
