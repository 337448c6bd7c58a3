//! What is in the configuration, as CycloneDX 1.6: clients, data sources, key ids, parameters.

use serde_json::{Value, json};

use crate::bundle::{Bundle, Node};
use crate::image::{Digest, Tag};
use crate::project::Project;
use crate::values::Contract;

/// The most components of one kind: an SBOM is read by other tools, and 100,000 clients are not what they expect.
const MAX_COMPONENTS: usize = 200_000;

/// The bill of materials: the same configuration gives the same document.
pub(super) fn cyclonedx(
    project: &Project,
    bundle: &Bundle,
    contract: &Contract,
    version: &Tag,
    image: &Digest,
) -> Value {
    let mut components = Vec::new();
    for rule in &project.server.components {
        let found = bundle.tree().find(&rule.path).take(MAX_COMPONENTS);
        components.extend(found.filter_map(|node| component(&rule.what, &node)));
    }
    components.extend(contract.parameters.iter().map(|parameter| {
        json!({
            "type": "data",
            "name": parameter.name,
            "bom-ref": format!("parameter/{}", parameter.name),
            "properties": [
                { "name": "iamship:kind", "value": "parameter" },
                { "name": "iamship:type", "value": parameter.kind },
                { "name": "iamship:secret", "value": parameter.secret.to_string() },
            ],
        })
    }));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": project.name,
                "version": version.as_str(),
                "bom-ref": image.to_string(),
                "hashes": [{ "alg": "SHA-256", "content": image.hex() }],
            },
            "tools": { "components": [{
                "type": "application",
                "name": "iamship",
                "version": env!("CARGO_PKG_VERSION"),
            }] },
        },
        "components": components,
    })
}

/// A named thing of the configuration; never a value.
fn component(what: &str, node: &Node<'_>) -> Option<Value> {
    let key = node.key()?;
    Some(json!({
        "type": "data",
        "name": key,
        "bom-ref": format!("{}{}", what, node.path()),
        "properties": [
            { "name": "iamship:kind", "value": what },
            { "name": "iamship:path", "value": node.path() },
        ],
    }))
}
