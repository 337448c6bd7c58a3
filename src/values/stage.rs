//! One stage's values, plain and secret.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::env_file::parse_env;
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::profile::ParameterName;

/// What one stage gives the parameters. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct StageValues {
    values: BTreeMap<ParameterName, Value>,
    names: BTreeMap<ParameterName, Span>,
    overridden: Vec<(ParameterName, Value)>,
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
    /// The value's place in a values file.
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
    /// Gives a parameter a value, in place of one it had, which is kept among the [overridden](Self::overridden).
    pub fn insert(&mut self, name: ParameterName, value: Value) {
        if let Some(before) = self.values.insert(name.clone(), value) {
            self.overridden.push((name, before));
        }
    }

    /// Gives a parameter a secret value. A secret source wins over a plain file; the plain value is kept among the
    /// [overridden](Self::overridden), where a rule finds it. Of two sources the first one wins: if the parameter has
    /// a secret already, nothing changes.
    pub fn insert_secret(&mut self, name: ParameterName, text: SecretString, source: &str) {
        if self.values.get(&name).is_some_and(Value::is_secret) {
            return;
        }
        let value = Value {
            text: ValueText::Secret(text),
            origin: Origin::Source(source.to_owned()),
        };
        self.insert(name, value);
    }

    /// A parameter's value.
    pub fn get(&self, name: &ParameterName) -> Option<&Value> {
        self.values.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterName, &Value)> {
        self.values.iter()
    }

    /// Values that another one took the place of, in the order in which that happened.
    pub fn overridden(&self) -> &[(ParameterName, Value)] {
        &self.overridden
    }

    /// Where the name stands in the (last) values file that has it.
    pub fn name_span(&self, name: &ParameterName) -> Option<&Span> {
        self.names.get(name)
    }
}

/// Reads a stage's values files, in order; the last file that has a name wins.
pub fn stage_values(files: &[Source]) -> (StageValues, Vec<Diagnostic>) {
    let mut values = StageValues::default();
    let mut diagnostics = Vec::new();
    for file in files {
        let (entries, problems) = parse_env(file);
        diagnostics.extend(problems);
        for entry in entries {
            values.names.insert(entry.name.clone(), entry.name_span);
            let value = Value {
                text: ValueText::Plain(entry.value),
                origin: Origin::File(entry.value_span),
            };
            values.insert(entry.name, value);
        }
    }
    (values, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ParameterName {
        text.parse().expect(text)
    }

    #[test]
    fn the_last_file_wins_and_problems_of_all_are_told() {
        let files = [Source::new("a.env", "X=1\nY=1\nbad"), Source::new("b.env", "X=2\nbad")];
        let (values, diagnostics) = stage_values(&files);
        assert_eq!(values.get(&name("X")).map(Value::expose), Some("2"));
        assert_eq!(values.get(&name("Y")).map(Value::expose), Some("1"));
        assert_eq!(
            values.name_span(&name("X")).map(ToString::to_string).as_deref(),
            Some("b.env:1:1")
        );
        assert_eq!(values.overridden()[0].1.expose(), "1");
        assert_eq!(diagnostics.len(), 2);
    }

    #[test]
    fn a_secret_wins_over_a_plain_value_and_the_first_source_over_the_second() {
        let (mut values, _) = stage_values(&[Source::new("a.env", "X=plain")]);
        values.insert_secret(name("X"), "hunter2".into(), "env:P_");
        values.insert_secret(name("X"), "other".into(), "file:s.env");
        let value = values.get(&name("X")).expect("X");
        assert_eq!(value.expose(), "hunter2");
        assert_eq!(value.origin, Origin::Source("env:P_".to_owned()));
        assert_eq!(values.overridden().len(), 1);
        assert!(!format!("{values:?}").contains("hunter2"));
    }
}
