//! Secrets from a KV engine of Vault or OpenBao: the keys of a path are the names of parameters.

use std::sync::Arc;

use async_trait::async_trait;

use super::{SecretError, SecretSource, Secrets};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::profile::ParameterName;
use crate::vault::{Vault, VaultError};

/// A path of a KV engine.
pub struct VaultSource {
    vault: Arc<Vault>,
    path: String,
}

impl VaultSource {
    /// `path` is with its mount, as `vault kv get` takes it.
    pub fn new(vault: Arc<Vault>, path: &str) -> Self {
        Self {
            vault,
            path: path.to_owned(),
        }
    }

    fn failed(&self, error: &VaultError) -> SecretError {
        let (source_name, because, help) = (self.name(), error.to_string(), error.help());
        match error.is_input() {
            true => SecretError::Unusable {
                source_name,
                because,
                help,
            },
            false => SecretError::Unreadable {
                source_name,
                because,
                help,
            },
        }
    }
}

#[async_trait]
impl SecretSource for VaultSource {
    fn name(&self) -> String {
        format!("vault:{}", self.path)
    }

    async fn read(&self) -> Result<Secrets, SecretError> {
        let entries = self
            .vault
            .entries(&self.path)
            .await
            .map_err(|error| self.failed(&error))?;
        let mut structures = entries.skipped.iter().map(|skipped| skipped.name.as_str());
        // What can't be a parameter may be anything; under a parameter's name it was meant as one.
        if let Some(name) = structures.find(|name| name.parse::<ParameterName>().is_ok()) {
            return Err(SecretError::Unusable {
                source_name: self.name(),
                because: format!("`{name}` is an object or a list there, and a value is a text"),
                help: Some(format!("store it as a text, or store `{name}` elsewhere")),
            });
        }
        let values = entries.values.iter().map(|(name, text)| (name.as_str(), text.clone()));
        Ok(named(&self.name(), values))
    }

    async fn read_names(&self) -> Result<Secrets, SecretError> {
        let names = self
            .vault
            .names(&self.path)
            .await
            .map_err(|error| self.failed(&error))?;
        let values = names.iter().map(|name| (name.as_str(), String::new().into()));
        Ok(named(&self.name(), values))
    }
}

/// What has a parameter's name; of the others a warning tells, since one of them may be meant for a parameter.
pub(super) fn named<'n>(source: &str, values: impl Iterator<Item = (&'n str, secrecy::SecretString)>) -> Secrets {
    let mut secrets = Secrets::default();
    let mut others = Vec::new();
    for (name, text) in values {
        match name.parse::<ParameterName>() {
            Ok(name) => {
                secrets.values.insert(name, text);
            }
            Err(_) => others.push(name),
        }
    }
    if !others.is_empty() {
        secrets.warnings.push(unnamed(source, &others));
    }
    secrets
}

fn unnamed(source: &str, others: &[&str]) -> Diagnostic {
    const SHOWN: usize = 3;
    let short = |name: &&str| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        format!("`{name}`")
    };
    let mut names = others.iter().take(SHOWN).map(short).collect::<Vec<_>>().join(", ");
    if others.len() > SHOWN {
        names = format!("{names} and {} more", others.len() - SHOWN);
    }
    let message = format!("`{source}` holds what can't be a parameter's name, and is passed over: {names}");
    Diagnostic::new(Code::SecretsName, message)
        .at(Source::withheld(source, "").span(0..0), "")
        .help("parameters are named with letters, digits and `_`")
}
