//! `iamship keygen`

use serde_json::json;

use super::arguments::{Format, Global, KeyAlgorithm, Keygen};
use super::shell::Shell;
use super::{Outcome, connect};
use crate::attest::Algorithm;
use crate::ops::keygen;

pub(super) fn run(arguments: &Keygen, global: &Global, shell: &Shell) -> Outcome {
    let algorithm = match arguments.algorithm {
        KeyAlgorithm::EcdsaP256 => Algorithm::P256,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
    };
    let prefix = connect::folder(global).join(&arguments.out);
    let plan = keygen::plan(&prefix, algorithm)?;
    let fingerprint = if arguments.dry_run {
        None
    } else {
        let password = connect::new_key_password()?;
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
