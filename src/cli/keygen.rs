//! `iamship keygen`

use std::sync::Arc;

use serde_json::json;

use super::arguments::{Format, Global, KeyAlgorithm, Keygen};
use super::failure::Failure;
use super::shell::Shell;
use super::transit::KeyInVault;
use super::{Outcome, connect, key_ring};
use crate::attest::Algorithm;
use crate::ops::{OpsError, keygen};
use crate::project::{InvalidTransitKey, TransitKey, VaultSettings};
use crate::vault::Vault;

pub(super) fn run(arguments: &Keygen, global: &Global, shell: &Shell) -> Outcome {
    if let Some(key) = &arguments.from {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(fetch(key, arguments, global, shell));
    }
    let algorithm = match arguments.algorithm {
        KeyAlgorithm::EcdsaP256 => Algorithm::P256,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
    };
    let prefix = connect::folder(global).join(&arguments.out);
    let plan = keygen::plan(&prefix, algorithm)?;
    let fingerprint = if arguments.dry_run {
        None
    } else {
        let password = key_ring::new_key_password()?;
        Some(keygen::apply(&plan, &password)?)
    };
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.keygen/v1",
            "key": plan.key,
            "public_key": plan.public_key,
            "fingerprint": fingerprint,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    match fingerprint {
        Some(fingerprint) => shell.answer(format!("{}\n{}\n{fingerprint}", plan.key, plan.public_key)),
        None => shell.answer(format!("{}\n{}", plan.key, plan.public_key)),
    }
    shell.note(format!(
        "keep `{}` secret; commit `{}`, so that others can verify",
        plan.key, plan.public_key
    ));
    Ok(())
}

/// The public half of a key in a transit engine. The project may not be whole yet: it lacks this very file.
async fn fetch(key: &str, arguments: &Keygen, global: &Global, shell: &Shell) -> Outcome {
    let text = key.strip_prefix("vault:").unwrap_or(key);
    let key: TransitKey = text
        .parse()
        .map_err(|error: InvalidTransitKey| Failure::input(error.to_string()))?;
    let folder = connect::folder(global);
    let plan = keygen::plan_public(&folder.join(&arguments.out))?;
    let vault = Vault::new(VaultSettings::load(&folder)?, folder, std::env::vars_os().collect());
    let found = KeyInVault::find(Arc::new(vault), &key).await.map_err(OpsError::from)?;
    let fingerprint = found.public().fingerprint().to_string();
    if !arguments.dry_run {
        keygen::write_public(&plan, found.public())?;
    }
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.keygen/v1",
            "key": key.to_string(),
            "public_key": plan,
            "fingerprint": fingerprint,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    shell.answer(format!("{plan}\n{fingerprint}"));
    shell.note(format!(
        "commit `{plan}`; in `iamship.toml`, under `[signing]`: `key = \"{key}\"`, `trusted = [\"{plan}\"]`"
    ));
    Ok(())
}
