//! A move of a digest to a stage: the history's links.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{optional_text, text};
use crate::image::{Digest, Tag};
use crate::project::StageName;

/// A digest was moved to a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Which way.
    pub kind: PromotionKind,
    /// Where to.
    #[serde(with = "text")]
    pub stage: StageName,
    /// Where from; `None` for the first stage.
    #[serde(default, with = "optional_text")]
    pub from: Option<StageName>,
    /// The image's version.
    pub version: String,
    /// Digests of the stage's newest records that the author saw (one, unless two promotions raced; none at first).
    pub previous: Vec<Digest>,
    /// What the stage's tag pointed at; `None`: there was no tag.
    #[serde(default)]
    pub replaces: Option<Digest>,
    /// The immutable tag that goes beside the stage's moving one.
    #[serde(with = "text")]
    pub tag: Tag,
    /// When.
    pub at: Timestamp,
    /// Who: a user or a pipeline, as it calls itself.
    pub by: String,
    /// The gates and what they said.
    #[serde(default)]
    pub gates: Vec<GateOutcome>,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rollback's record whose hold it cleared: somebody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_hold: Option<Digest>,
    /// Why it went on in spite of a freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_freeze: Option<String>,
    /// What breaks or is removed in the stage and was named beforehand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_changes: Vec<AllowedChange>,
}

/// Words that named breaking changes or removals, so that they went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedChange {
    /// As it was written: `client:web-client`, a path.
    pub name: String,
    /// How many changes it named.
    pub changes: u32,
    /// The record of the approval that says it; `None`: whoever promoted it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Digest>,
    /// Whose key signed that approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Ways to a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromotionKind {
    /// A build came to the first stage.
    Enter,
    /// From the stage before.
    Promote,
    /// Back to an earlier one.
    Rollback,
}

impl PromotionKind {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// What one gate said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateOutcome {
    /// Its name.
    pub gate: String,
    /// Yes or no.
    pub verdict: Verdict,
    /// Why.
    pub because: String,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes.
    Pass,
    /// No, but somebody with the right to do so went on.
    Hold,
}
