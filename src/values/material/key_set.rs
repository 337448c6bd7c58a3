//! JSON Web Keys (RFC 7517): a key, or a set of them.

use serde_json::Value;

use super::armor::decode;
use super::certificate::Certificate;
use super::key::PublicKey;
use super::{MOST_ENTRIES, Material};

/// Adds what a text has, if it is JSON with keys.
pub(super) fn add(material: &mut Material, text: &str) {
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return;
    };
    match document.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.iter().take(MOST_ENTRIES).for_each(|key| add_key(material, key)),
        None => add_key(material, &document),
    }
}

fn add_key(material: &mut Material, key: &Value) {
    let chain = key.get("x5c").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let chain = chain.iter().filter_map(Value::as_str).take(10).filter_map(decode);
    let certificates: Vec<_> = chain.filter_map(|der| Certificate::from_der(&der)).collect();
    let Some(public) = public_key(key) else {
        return material.certificates.extend(certificates);
    };
    if key.get("d").is_some() {
        material.private_keys.push(public);
    } else if certificates.is_empty() {
        material.public_keys.push(public);
    }
    material.certificates.extend(certificates);
}

/// RFC 7518 §6, RFC 8037 §2.
fn public_key(key: &Value) -> Option<PublicKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(decode);
    match text("kty")? {
        "RSA" => Some(PublicKey::rsa(&bytes("n")?, &bytes("e")?)),
        "EC" => PublicKey::jwk_curve(text("crv")?, &bytes("x")?, &bytes("y")?),
        "OKP" => PublicKey::jwk_edwards(text("crv")?, &bytes("x")?),
        _ => None,
    }
}
