//! What a stage's container gets as its environment: the one place where values become variables.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::inputs::StageReading;
use super::protect::{self, Image};
use super::{Context, OpsError};
use crate::profile::ParameterName;
use crate::project::Stage;
use crate::values::{Contract, ContractParameter, Origin, Redactor, Value};

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
    /// The source, as in `iamship.toml`; none for what the source does not hold as the server wants it.
    pub(super) source: Option<String>,
    /// Whether it must be protected before the server may have it.
    pub(super) is_bare: bool,
}

/// The environment as the server gets it: the values that a contract asks for, protected where the stage says so, and
/// what profile and stage add. Of other values the container gets none; a parameter without a value is left out, and the
/// server takes its default.
///
/// Protecting runs a command in the image, in the engine; where nothing needs it no engine is asked.
pub(super) async fn environment(
    context: &Context<'_>,
    stage: &Stage,
    contract: &Contract,
    reading: &StageReading,
    image: &Image<'_>,
) -> Result<Environment, OpsError> {
    let mut environment = Environment::unprotected(context, stage, contract, reading)?;
    protect::protect(context, stage, reading, image, &mut environment).await?;
    Ok(environment)
}

impl Environment {
    /// The same for those who show no secret: what must be protected is left as it is.
    pub(super) fn unprotected(
        context: &Context<'_>,
        stage: &Stage,
        contract: &Contract,
        reading: &StageReading,
    ) -> Result<Self, OpsError> {
        let server = &context.project.server;
        let mut environment = Self::default();
        for (name, text) in server.run.environment.iter().chain(&stage.run.environment) {
            environment.plain.insert(name.clone(), text.clone());
        }
        let clash = |name: &&String| contract.get(name).is_some();
        if let Some(name) = stage.run.environment.keys().find(clash) {
            let stage = &stage.name;
            let message = format!("`{name}` is a parameter, and `[stage.run.environment]` of `{stage}` gives it too");
            return Err(OpsError::input(message).help("give it once, under `values` or `secrets`"));
        }
        for name in protect::keys(server, stage) {
            if let Some(value) = reading.values().get(name) {
                environment.insert_secret(name, value, false);
            }
        }
        for parameter in &contract.parameters {
            if let Some(value) = reading.values().get(&parameter.name) {
                environment.insert(parameter, value, protect::must_protect(server, stage, parameter, value));
            }
        }
        Ok(environment)
    }

    fn insert(&mut self, parameter: &ContractParameter, value: &Value, is_bare: bool) {
        if parameter.secret || value.is_secret() || is_bare {
            return self.insert_secret(&parameter.name, value, is_bare);
        }
        let name = parameter.name.to_string();
        self.secrets.remove(&name);
        self.plain.insert(name, value.expose().to_owned());
    }

    fn insert_secret(&mut self, name: &ParameterName, value: &Value, is_bare: bool) {
        let name = name.to_string();
        self.plain.remove(&name);
        let source = match &value.origin {
            Origin::Source(source) if !is_bare => Some(source.clone()),
            Origin::Source(_) | Origin::File(_) => None,
        };
        let text = value.expose().to_owned().into();
        self.secrets.insert(name, SecretValue { text, source, is_bare });
    }

    /// Takes the stage's secrets out of texts: as their sources hold them, and as the server gets them.
    pub(super) fn redactor(&self, reading: &StageReading) -> Redactor {
        let given = reading.values().iter().map(|(_, value)| value);
        let given = given.filter(|value| value.is_secret()).map(Value::expose);
        let made = self.secrets.values().map(|secret| secret.text.expose_secret());
        Redactor::new(given.chain(made))
    }

    /// All of it, as an engine takes it.
    pub(super) fn into_container(self) -> BTreeMap<String, SecretString> {
        let plain = self.plain.into_iter().map(|(name, text)| (name, text.into()));
        let secrets = self.secrets.into_iter().map(|(name, secret)| (name, secret.text));
        plain.chain(secrets).collect()
    }
}
