//! What a parameter's value may be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a parameter's value, inferred from the profile and the name, or said in `iamship.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// Anything that is not empty.
    #[default]
    Text,
    /// An absolute URL with a host.
    Url,
    /// A host name or address, without scheme.
    Host,
    /// 1 to 65535.
    Port,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A crypt(3) hash: `$5$<salt>$<43>` or `$6$<salt>$<86>`.
    PasswordHash,
    /// A value protected by the server's own key: `data:<type>;aes,v:S.<24>.<24>.<text>.<44>`.
    Encrypted,
    /// PEM text.
    Pem,
}

impl ParameterType {
    /// The word in `iamship.toml` and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Url => "url",
            Self::Host => "host",
            Self::Port => "port",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::PasswordHash => "password-hash",
            Self::Encrypted => "encrypted",
            Self::Pem => "pem",
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whether a value may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secrecy {
    /// May stand in git and in logs.
    Plain,
    /// May stand in neither.
    Secret,
}
