//! `secrets`: where a stage's secrets come from, as written.

use super::SecretReference;
use super::read::Value;
use super::signing::is_variable;

pub(super) fn read(value: &Value<'_>) -> Option<SecretReference> {
    let text = value.text()?;
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(SecretReference::File(path.into())),
        Some(("env", prefix)) if is_variable(prefix) => Some(SecretReference::Environment(prefix.to_owned())),
        Some(("env", prefix)) => value.refuse(
            format!("`{prefix}` can't begin the name of an environment variable"),
            "write a prefix: `\"env:STAGING_\"` gives `DB_PASSWORD` from `STAGING_DB_PASSWORD`".to_owned(),
        ),
        Some((kind @ ("vault" | "exec"), _)) => value.refuse(
            format!("`{kind}:` secrets are not supported by this version"),
            "write them to a file outside git and use `file:PATH`, or use `env:PREFIX_`".to_owned(),
        ),
        _ => value.refuse(
            format!("`{text}` does not say where the secrets are"),
            "write `\"file:PATH\"` (an env file outside git) or `\"env:PREFIX_\"`".to_owned(),
        ),
    }
}
