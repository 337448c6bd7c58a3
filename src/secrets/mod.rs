//! Where secrets come from: a trait, and a file, the environment, a vault, a program behind it.
//!
//! Nothing here logs, shows or keeps a value; it goes from the source into a [`SecretString`].

mod environment;
mod file;
mod program;
mod vault;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use camino::Utf8Path;
use futures::future::join_all;
use secrecy::SecretString;

pub use environment::EnvironmentSource;
pub use file::FileSource;
pub use program::ProgramSource;
pub use vault::VaultSource;

use crate::diagnostic::Diagnostic;
use crate::profile::ParameterName;
use crate::project::SecretReference;
use crate::values::StageValues;
use crate::vault::Vault;

/// A place that holds secrets by the names of parameters.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// As in `iamship.toml`: `env:STAGING_`.
    fn name(&self) -> String;

    /// All that it holds. An empty source is fine, an unreachable one is an error.
    async fn read(&self) -> Result<Secrets, SecretError>;

    /// The same names; the values are empty where the source can tell the names without them. For questions that only
    /// ask what is there, on machines that may not read it.
    async fn read_names(&self) -> Result<Secrets, SecretError> {
        self.read().await
    }
}

/// What a source held.
#[derive(Debug, Default)]
pub struct Secrets {
    /// The secrets, by name.
    pub values: BTreeMap<ParameterName, SecretString>,
    /// What is doubtful about the source; shows no secret.
    pub warnings: Vec<Diagnostic>,
}

/// Why a source's secrets can't be had. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file that the project names is not there.
    #[error("`{source_name}`: no such file")]
    Absent {
        /// As in `iamship.toml`.
        source_name: String,
    },
    /// It is there and can't be read.
    #[error("`{source_name}` can't be read: {because}")]
    Unreadable {
        /// As in `iamship.toml`.
        source_name: String,
        /// The operating system's word, the vault's, the program's.
        because: String,
        /// What to do.
        help: Option<String>,
    },
    /// What the project or the environment says of it is not enough, or not right.
    #[error("`{source_name}` can't be used: {because}")]
    Unusable {
        /// As in `iamship.toml`.
        source_name: String,
        /// What is wrong.
        because: String,
        /// What to do.
        help: Option<String>,
    },
    /// What it holds is no set of secrets.
    #[error("`{source_name}` can't be understood: {because}")]
    Malformed {
        /// As in `iamship.toml`.
        source_name: String,
        /// What is wrong.
        because: String,
        /// The places, where there are any; their source is withheld.
        diagnostics: Vec<Diagnostic>,
    },
}

impl SecretError {
    /// Whether the user's input is to blame (exit 2); else the world is (exit 3).
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Unreadable { .. })
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Absent { .. } => Some("write it, or name another source under `secrets`"),
            Self::Unreadable { help, .. } | Self::Unusable { help, .. } => help.as_deref(),
            Self::Malformed { .. } => None,
        }
    }
}

/// The source that a project's reference means. `variables` are the process's: only `cli` reads them.
/// All sources of a run share one vault: what several stages name is asked for once.
pub fn open(
    reference: &SecretReference,
    root: &Utf8Path,
    variables: &[(OsString, OsString)],
    vault: &Arc<Vault>,
) -> Box<dyn SecretSource> {
    match reference {
        SecretReference::File(path) => Box::new(FileSource::new(root, path)),
        SecretReference::Environment(prefix) => Box::new(EnvironmentSource::new(prefix, variables)),
        SecretReference::Vault(path) => Box::new(VaultSource::new(Arc::clone(vault), path)),
        SecretReference::Program(command) => Box::new(ProgramSource::new(root, command)),
    }
}

/// Whether secrets are needed, or only their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The values.
    Values,
    /// What there is: see [`SecretSource::read_names`].
    Names,
}

/// Lays the secrets of all sources over a stage's plain values. The first source that has a name wins, and wins over
/// a plain value; each value tells which source it came from. All are asked at once; the first one that fails, in
/// their order, is the error.
pub async fn add_secrets(
    mut values: StageValues,
    sources: &[Box<dyn SecretSource>],
    need: Need,
) -> Result<(StageValues, Vec<Diagnostic>), SecretError> {
    let mut warnings = Vec::new();
    let ask = sources.iter().map(|source| async move {
        match need {
            Need::Values => source.read().await,
            Need::Names => source.read_names().await,
        }
    });
    for (source, secrets) in sources.iter().zip(join_all(ask).await) {
        let secrets = secrets?;
        warnings.extend(secrets.warnings);
        for (name, text) in secrets.values {
            values.insert_secret(name, text, &source.name());
        }
    }
    Ok((values, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::project::VaultSettings;
    use crate::values::{Origin, stage_values};

    #[tokio::test]
    async fn the_first_source_wins_and_each_value_tells_its_own() {
        let variables = [("A_X", "1"), ("B_X", "2"), ("B_Y", "3")].map(|(name, value)| (name.into(), value.into()));
        let open = |prefix: &str| {
            open(
                &SecretReference::Environment(prefix.to_owned()),
                Utf8Path::new("."),
                &variables,
                &Arc::new(Vault::new(VaultSettings::default(), ".".into(), Vec::new())),
            )
        };
        let (plain, _) = stage_values(&[Source::new("x.env", "Y=plain\nZ=plain")]);
        let (values, warnings) = add_secrets(plain, &[open("A_"), open("B_")], Need::Values)
            .await
            .expect("secrets");
        let told = |name: &str| {
            let value = values.get(&name.parse().expect("name")).expect("value");
            (value.expose().to_owned(), value.is_secret(), value.origin.clone())
        };
        assert_eq!(told("X"), ("1".to_owned(), true, Origin::Source("env:A_".to_owned())));
        assert_eq!(told("Y"), ("3".to_owned(), true, Origin::Source("env:B_".to_owned())));
        assert!(!told("Z").1);
        assert_eq!(warnings, []);
    }
}
