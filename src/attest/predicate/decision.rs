//! What people say of a digest: approved for a stage, rejected everywhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{optional_text, text};
use crate::project::StageName;

/// Somebody wants this digest in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Where it may go.
    #[serde(with = "text")]
    pub stage: StageName,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Removals and breaking changes that are meant: `client:web-client`, a path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// Who says so: a user or a pipeline, as it calls itself. The signer is who proves it.
    pub by: String,
}

/// Somebody wants this digest nowhere, or not in one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Where it must not go; `None`: anywhere.
    #[serde(default, with = "optional_text")]
    pub stage: Option<StageName>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub by: String,
}
