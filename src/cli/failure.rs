//! What stops a verb: a message, mends, and an exit code.

use std::process::ExitCode;

use super::shell::Shell;
use crate::diagnostic::Diagnostic;
use crate::image::{InvalidDigest, InvalidReference};
use crate::ops::OpsError;
use crate::report;
use crate::store::StoreError;

/// What stops a verb.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit 2: usage, `iamship.toml`, a file that it names.
    Input { message: String, help: Vec<String> },
    /// Exit 2, with places.
    Diagnostics(Vec<Diagnostic>),
    /// Exit 3: network, registry, files.
    World { message: String, help: Vec<String> },
    /// Exit 1: the answer is no; it has been printed.
    No,
    /// Exit 3: there is no answer, since the world gave none; that has been printed.
    Unanswered,
}

impl Failure {
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            help: Vec::new(),
        }
    }

    pub(crate) fn world(message: impl Into<String>) -> Self {
        Self::World {
            message: message.into(),
            help: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Input { help, .. } | Self::World { help, .. } = &mut self {
            help.push(text.into());
        }
        self
    }

    /// Says what it is, and gives the exit code.
    pub(crate) fn tell(self, shell: &Shell) -> ExitCode {
        match self {
            Self::No => ExitCode::from(1),
            Self::Unanswered => ExitCode::from(3),
            Self::Diagnostics(diagnostics) => {
                shell.aside(report::text(&diagnostics, super::check::color(shell)).trim_end());
                super::check::explain(&diagnostics, shell);
                ExitCode::from(2)
            }
            Self::Input { message, help } => say(shell, &message, &help, 2),
            Self::World { message, help } => say(shell, &message, &help, 3),
        }
    }
}

fn say(shell: &Shell, message: &str, help: &[String], code: u8) -> ExitCode {
    shell.error(message);
    for text in help {
        shell.help(text);
    }
    ExitCode::from(code)
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Diagnostics(diagnostics)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::world(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::world(error.to_string())
    }
}

impl From<InvalidDigest> for Failure {
    fn from(error: InvalidDigest) -> Self {
        Self::input(error.to_string())
    }
}

impl From<InvalidReference> for Failure {
    fn from(error: InvalidReference) -> Self {
        Self::input(error.to_string())
    }
}

impl From<OpsError> for Failure {
    fn from(error: OpsError) -> Self {
        match error {
            OpsError::Diagnostics(diagnostics) => Self::Diagnostics(diagnostics),
            OpsError::Input { message, help } => Self::Input { message, help },
            OpsError::World { message, help } => Self::World { message, help },
        }
    }
}
