//! One stage's values, plain and secret.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::diagnostic::Span;
use crate::profile::ParameterName;

/// What one stage gives the parameters. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct StageValues {
    values: BTreeMap<ParameterName, Value>,
}

/// One value and where it comes from.
#[derive(Clone, Debug)]
pub struct Value {
    /// The text.
    pub text: ValueText,
    /// Where it comes from.
    pub origin: Origin,
}

/// A value's text.
#[derive(Clone, Debug)]
pub enum ValueText {
    /// May be shown.
    Plain(String),
    /// May not.
    Secret(SecretString),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A place in a values file.
    File(Span),
    /// A secret source, named as in `iamship.toml` (`env:STAGING_`).
    Source(String),
}

impl Value {
    /// Whether it came from a secret source.
    pub fn is_secret(&self) -> bool {
        matches!(self.text, ValueText::Secret(_))
    }

    /// The text itself: for filling and hashing, never for showing.
    pub fn expose(&self) -> &str {
        match &self.text {
            ValueText::Plain(text) => text,
            ValueText::Secret(text) => text.expose_secret(),
        }
    }
}

impl StageValues {
    /// Gives a parameter a value, in place of one it had.
    pub fn insert(&mut self, name: ParameterName, value: Value) {
        self.values.insert(name, value);
    }

    /// A parameter's value.
    pub fn get(&self, name: &ParameterName) -> Option<&Value> {
        self.values.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterName, &Value)> {
        self.values.iter()
    }
}
