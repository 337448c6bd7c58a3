//! `[signing]`: where the private key is, and whom the project trusts.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::load::LARGEST_TEXT;
use super::paths::{self, PathProblem, Root};
use super::read::{Table, Value};
use super::{InvalidTransitKey, KeyReference, Permission, SigningSettings, TrustedKey};
use crate::diagnostic::Code;

pub(super) fn read(root: &Root, file: &Table<'_>) -> SigningSettings {
    let table = file.table("signing", "`[signing]`");
    let key = table.get("key").and_then(|value| key_reference(&value));
    let trusted = match table.get("trusted") {
        Some(value) => value
            .one_or_list()
            .iter()
            .filter_map(|item| trusted_key(root, item, key.as_ref()))
            .collect(),
        None => neighbour(root, key.as_ref()).into_iter().collect(),
    };
    table.finish();
    SigningSettings { key, trusted }
}

fn key_reference(value: &Value<'_>) -> Option<KeyReference> {
    let text = value.text()?;
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(KeyReference::File(path.into())),
        Some(("env", name)) if is_variable(name) => Some(KeyReference::Environment(name.to_owned())),
        Some(("env", name)) => value.refuse(format!("`{name}` can't name an environment variable"), None),
        Some(("vault", path)) => match path.trim_matches('/').parse() {
            Ok(key) => Some(KeyReference::Vault(key)),
            Err(problem) => value.refuse(InvalidTransitKey::to_string(&problem), None),
        },
        _ => value.refuse(
            format!("`{text}` does not say where the key is"),
            format!(
                "write `key = \"file:{}\"`, `\"env:NAME\"` or `\"vault:transit/keys/NAME\"`",
                example(text)
            ),
        ),
    }
}

/// What was written, if it can be a path.
fn example(text: &str) -> &str {
    if text.is_empty() || text.contains(':') {
        "keys/iamship.key"
    } else {
        text
    }
}

pub(super) fn is_variable(name: &str) -> bool {
    name.parse::<crate::profile::ParameterName>().is_ok()
}

fn trusted_key(root: &Root, value: &Value<'_>, own: Option<&KeyReference>) -> Option<TrustedKey> {
    if !value.is_table() {
        let (path, pem) = public_key(root, value, own)?;
        let may = Permission::ALL.into();
        return Some(TrustedKey { path, pem, may });
    }
    let table = value.table("the trusted key")?;
    let key = table
        .need("key", "\"keys/ops.pub\"")
        .and_then(|key| public_key(root, &key, own));
    let words = Permission::ALL.map(|permission| (permission.as_str(), permission));
    let may = match table.get("may") {
        Some(may) => may
            .one_or_list()
            .iter()
            .filter_map(|word| word.choice(&words))
            .collect::<BTreeSet<_>>(),
        None => Permission::ALL.into(),
    };
    table.finish();
    let (path, pem) = key?;
    Some(TrustedKey { path, pem, may })
}

fn public_key(root: &Root, value: &Value<'_>, own: Option<&KeyReference>) -> Option<(Utf8PathBuf, String)> {
    let text = value.text()?;
    // People write it as they write the private one.
    let text = text.strip_prefix("file:").unwrap_or(text);
    let read = root
        .existing_file(text)
        .and_then(|path| Ok((paths::read_text(&root.path().join(&path), LARGEST_TEXT)?, path)));
    match read {
        Ok((pem, _)) if pem.contains("PRIVATE KEY") => value.refuse(
            format!("`{text}` is a private key"),
            "trust the public one, `PREFIX.pub` beside it".to_owned(),
        ),
        Ok((pem, path)) => Some((path, pem)),
        Err(PathProblem::Missing) => value.refuse_as(
            Code::ProjectMissing,
            format!("the public key `{text}` is not there"),
            missing_key(text.strip_suffix(".pub").unwrap_or(text), own),
        ),
        Err(problem) => value.refuse(format!("`{text}` {problem}"), None),
    }
}

fn missing_key(prefix: &str, own: Option<&KeyReference>) -> String {
    match own {
        Some(KeyReference::Vault(key)) => format!("`iamship keygen --from {key} --out {prefix}` fetches it"),
        _ => format!("`iamship keygen --out {prefix}` makes a pair"),
    }
}

/// `keys/iamship.pub` for `file:keys/iamship.key`, when it is there: a new project trusts itself.
fn neighbour(root: &Root, key: Option<&KeyReference>) -> Option<TrustedKey> {
    let Some(KeyReference::File(path)) = key else {
        return None;
    };
    let path: &Utf8Path = path;
    let path = path.with_extension("pub");
    let pem = paths::read_text(&root.path().join(&path), LARGEST_TEXT).ok()?;
    let may = Permission::ALL.into();
    Some(TrustedKey { path, pem, may })
}
