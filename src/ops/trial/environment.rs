//! What a stage's container gets as its environment.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::profile::Run;
use crate::project::Stage;
use crate::values::{Contract, StageValues};

/// The values that a contract asks for, and what profile and stage add; of other values the container gets none. A
/// parameter without a value is left out: the server takes its default.
pub(in crate::ops) fn environment(
    run: &Run,
    stage: &Stage,
    contract: &Contract,
    values: &StageValues,
) -> BTreeMap<String, SecretString> {
    let fixed = run.environment.iter().chain(&stage.run.environment);
    let fixed = fixed.map(|(name, text)| (name.clone(), SecretString::from(text.as_str())));
    let given = contract.parameters.iter().filter_map(|parameter| {
        let value = values.get(&parameter.name)?;
        Some((parameter.name.to_string(), SecretString::from(value.expose())))
    });
    fixed.chain(given).collect()
}
