//! What a stage's container gets as its environment: the one place where values become variables.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::OpsError;
use super::inputs::StageReading;
use crate::profile::{ParameterName, Run};
use crate::project::Stage;
use crate::values::{Contract, Origin, Value};

/// A container's environment; what may be seen, and what may not.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) plain: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, SecretValue>,
}

/// A secret, and where it came from.
#[derive(Debug)]
pub(super) struct SecretValue {
    pub(super) text: SecretString,
    /// The source, as in `iamship.toml`; none when its value was made here.
    pub(super) source: Option<String>,
}

impl Environment {
    /// The values that a contract asks for, and what profile and stage add; of other values the container gets none.
    /// A parameter without a value is left out: the server takes its default.
    pub(super) fn of(run: &Run, stage: &Stage, contract: &Contract, reading: &StageReading) -> Result<Self, OpsError> {
        let mut environment = Self::default();
        for (name, text) in run.environment.iter().chain(&stage.run.environment) {
            environment.plain.insert(name.clone(), text.clone());
        }
        let clash = |name: &&String| contract.get(name).is_some();
        if let Some(name) = stage.run.environment.keys().find(clash) {
            let message = format!(
                "`{name}` is a parameter, and `[stage.run.environment]` of `{}` gives it too",
                stage.name
            );
            return Err(OpsError::input(message).help("give it once, under `values` or `secrets`"));
        }
        for parameter in &contract.parameters {
            if let Some(value) = reading.values().get(&parameter.name) {
                environment.insert(&parameter.name, value, parameter.secret);
            }
        }
        Ok(environment)
    }

    fn insert(&mut self, name: &ParameterName, value: &Value, is_secret: bool) {
        let name = name.to_string();
        if !is_secret && !value.is_secret() {
            self.secrets.remove(&name);
            self.plain.insert(name, value.expose().to_owned());
            return;
        }
        self.plain.remove(&name);
        let source = match &value.origin {
            Origin::Source(source) => Some(source.clone()),
            Origin::File(_) => None,
        };
        let text = value.expose().to_owned().into();
        self.secrets.insert(name, SecretValue { text, source });
    }
}
