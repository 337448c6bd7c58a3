//! What stops a verb.

use crate::attest::SignError;
use crate::diagnostic::Diagnostic;
use crate::engine::EngineError;
use crate::store::StoreError;
use crate::vault::VaultError;

/// What stops a verb. A gate that holds is no error.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The project, its files or its values.
    #[error("{} problems in the project", .0.len())]
    Diagnostics(Vec<Diagnostic>),
    /// What the caller asked for.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// Mends.
        help: Vec<String>,
    },
    /// Network, registry, files.
    #[error("{message}")]
    World {
        /// What is wrong.
        message: String,
        /// Mends.
        help: Vec<String>,
    },
}

impl OpsError {
    /// What the caller asked for can't be.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            help: Vec::new(),
        }
    }

    /// The world did not answer.
    pub fn world(message: impl Into<String>) -> Self {
        Self::World {
            message: message.into(),
            help: Vec::new(),
        }
    }

    /// Adds a mend.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Input { help, .. } | Self::World { help, .. } = &mut self {
            help.push(text.into());
        }
        self
    }
}

impl From<Vec<Diagnostic>> for OpsError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Diagnostics(diagnostics)
    }
}

impl From<std::io::Error> for OpsError {
    fn from(error: std::io::Error) -> Self {
        Self::world(error.to_string())
    }
}

impl From<EngineError> for OpsError {
    fn from(error: EngineError) -> Self {
        let help = match &error {
            EngineError::Unreachable { .. } => Some("is it up? `DOCKER_HOST` or `docker context` says where it is"),
            EngineError::AddressTaken { .. } => {
                Some("stop what listens there, or name another port under `[stage.run]`")
            }
            _ => None,
        };
        let message = error.to_string();
        let failure = match error {
            EngineError::Settings(_) => Self::input(message),
            _ => Self::world(message),
        };
        match help {
            Some(text) => failure.help(text),
            None => failure,
        }
    }
}

impl From<SignError> for OpsError {
    fn from(error: SignError) -> Self {
        let failure = Self::world(error.message);
        match error.help {
            Some(text) => failure.help(text),
            None => failure,
        }
    }
}

impl From<VaultError> for OpsError {
    fn from(error: VaultError) -> Self {
        let failure = match error.is_input() {
            true => Self::input(error.to_string()),
            false => Self::world(error.to_string()),
        };
        match error.help() {
            Some(text) => failure.help(text),
            None => failure,
        }
    }
}

impl From<StoreError> for OpsError {
    fn from(error: StoreError) -> Self {
        let help = match &error {
            StoreError::Unreachable { .. } => Some("is the registry up, and is its name right in `iamship.toml`?"),
            StoreError::Denied { .. } => {
                Some("log in with `docker login`, or set `IAMSHIP_REGISTRY_USERNAME` and `IAMSHIP_REGISTRY_PASSWORD`")
            }
            StoreError::WrongDigest { .. } | StoreError::WrongSize { .. } => {
                Some("nothing was changed; find out who wrote to the store before you go on")
            }
            _ => None,
        };
        let failure = Self::world(error.to_string());
        match help {
            Some(text) => failure.help(text),
            None => failure,
        }
    }
}
