//! Names of parameters.

use std::fmt;
use std::str::FromStr;

/// The name that a placeholder asks for: `[A-Za-z_][A-Za-z0-9_]*`, what every shell and env file can carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterName(std::sync::Arc<str>);

impl ParameterName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ParameterName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ParameterName {
    type Err = InvalidParameterName;

    fn from_str(text: &str) -> Result<Self, InvalidParameterName> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && text.len() <= 255 {
            Ok(Self(text.into()))
        } else {
            Err(InvalidParameterName(text.to_owned()))
        }
    }
}

impl serde::Serialize for ParameterName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ParameterName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that can't be a parameter's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't name a parameter: a letter or `_`, then letters, digits and `_`")]
pub struct InvalidParameterName(pub String);
