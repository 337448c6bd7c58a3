//! Secrets from environment variables with a prefix: `PROD_DB_PASSWORD` is `DB_PASSWORD` of `env:PROD_`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use async_trait::async_trait;
use secrecy::SecretString;

use super::{SecretError, SecretSource, Secrets};
use crate::profile::ParameterName;

/// The variables that begin with a prefix.
pub struct EnvironmentSource {
    prefix: String,
    /// What is behind the prefix, and the value; none when it is not UTF-8.
    found: Vec<(ParameterName, Option<SecretString>)>,
}

impl EnvironmentSource {
    /// Keeps those of the variables that begin with the prefix and go on with a parameter's name.
    pub fn new(prefix: &str, variables: &[(OsString, OsString)]) -> Self {
        let named = variables.iter().filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix(prefix)?.parse::<ParameterName>().ok()?;
            Some((name, value.to_str().map(SecretString::from)))
        });
        Self {
            prefix: prefix.to_owned(),
            found: named.collect(),
        }
    }
}

#[async_trait]
impl SecretSource for EnvironmentSource {
    fn name(&self) -> String {
        format!("env:{}", self.prefix)
    }

    async fn read(&self) -> Result<Secrets, SecretError> {
        let mut values = BTreeMap::new();
        for (name, value) in &self.found {
            let value = value.clone().ok_or_else(|| SecretError::Malformed {
                source_name: self.name(),
                because: format!("the value of `{}{name}` is not UTF-8", self.prefix),
                diagnostics: Vec::new(),
            })?;
            values.insert(name.clone(), value);
        }
        Ok(Secrets {
            values,
            warnings: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test]
    async fn takes_the_prefix_off_and_leaves_other_variables_alone() {
        let variables = [
            ("PROD_DB", "hunter2"),
            ("PROD_", "x"),
            ("PROD_1X", "x"),
            ("prod_LOWER", "x"),
            ("HOME", "x"),
            ("PROD_EMPTY", ""),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let source = EnvironmentSource::new("PROD_", &variables);
        assert_eq!(source.name(), "env:PROD_");
        let secrets = source.read().await.expect("secrets");
        let read: Vec<_> = secrets
            .values
            .iter()
            .map(|(name, text)| (name.as_str(), text.expose_secret()))
            .collect();
        assert_eq!(read, [("DB", "hunter2"), ("EMPTY", "")]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_value_that_is_no_text_is_named_and_not_shown() {
        use std::os::unix::ffi::OsStringExt as _;
        let variables = [("P_X".into(), OsString::from_vec(b"hunter2\xff".to_vec()))];
        let error = EnvironmentSource::new("P_", &variables)
            .read()
            .await
            .expect_err("not UTF-8");
        assert!(error.to_string().contains("`P_X`") && error.is_input());
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
