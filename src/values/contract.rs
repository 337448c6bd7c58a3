//! The parameter manifest: what an image needs from each stage. It travels with the digest.

use serde::{Deserialize, Serialize};

use super::StageValues;
use crate::profile::{ParameterName, ParameterType, Protect};

/// Every parameter that an image's configuration asks for, by name.
///
/// Signed and attached to the digest, so that a promoter needs neither the checkout nor the layer
/// to prove a stage's values complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Sorted by name; each once.
    pub parameters: Vec<ContractParameter>,
}

/// One parameter of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractParameter {
    /// What the placeholder asks for.
    pub name: ParameterName,
    /// What a value must be.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Whether its value is a secret.
    pub secret: bool,
    /// Whether an empty value is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_empty: bool,
    /// The value it has where a stage gives none: only when *every* place where it is used has a default.
    pub default: Option<String>,
    /// How many places use it.
    pub uses: u64,
    /// The first of them (at most [`Contract::PLACES`]).
    pub used: Vec<Place>,
}

/// Where a parameter is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Seen from the project's root.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// The element path with keys.
    pub path: String,
}

/// What one stage gives one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// A plain value.
    Given,
    /// A value from a secret source.
    Secret,
    /// Nothing; its default is used.
    Default,
    /// Nothing, and it has no default.
    Missing,
}

impl ContractParameter {
    /// Whether a server wants its values protected.
    pub fn is_protected_by(&self, protect: &Protect) -> bool {
        let used = self.used.iter().map(|place| place.path.as_str());
        protect.marks(self.name.as_str(), self.kind, used)
    }
}

impl Contract {
    /// How many places are listed for a parameter: enough to look at, few enough to keep the statement small.
    pub const PLACES: usize = 20;

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&ContractParameter> {
        self.parameters
            .binary_search_by(|parameter| parameter.name.as_str().cmp(name))
            .ok()
            .map(|index| &self.parameters[index])
    }

    /// What a stage gives each parameter, in the order of `parameters`.
    pub fn coverage(&self, values: &StageValues) -> Vec<Coverage> {
        self.parameters
            .iter()
            .map(|parameter| match values.get(&parameter.name) {
                Some(value) if value.is_secret() => Coverage::Secret,
                Some(_) => Coverage::Given,
                None if parameter.default.is_some() => Coverage::Default,
                None => Coverage::Missing,
            })
            .collect()
    }
}
