//! The contract travels with the digest: a promoter proves a stage's values complete without a checkout.

use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::values::Contract;

/// What an image needs from each stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// The contract.
    pub contract: Contract,
    /// The layer with the configuration that asks for them (its descriptor's digest), so that others can be told from it.
    #[serde(default)]
    pub config_layers: Vec<Digest>,
}
