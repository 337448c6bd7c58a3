//! A finding that the project allows, with its reason.

use super::{Diagnostic, Span};

/// A finding that somebody allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What was found.
    pub diagnostic: Diagnostic,
    /// Why it is allowed.
    pub reason: String,
    /// Where that is said: a comment, or a `[[checks.allow]]`.
    pub span: Span,
    /// Whether it is said where the finding is.
    pub in_source: bool,
}
