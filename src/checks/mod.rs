//! The rules: a table, one file a rule.
//!
//! A rule is a pure function of a [`Context`]. Adding one is one file and one line in [`RULES`].

use crate::bundle::Bundle;
use crate::diagnostic::{Code, Diagnostic};
use crate::project::{Project, StageName};
use crate::values::{Contract, StageValues};

/// What the rules look at.
pub struct Context<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its configuration.
    pub bundle: &'a Bundle,
    /// What the configuration asks for.
    pub contract: &'a Contract,
    /// The stages to check, in order, with their values.
    pub stages: &'a [StageInput],
    /// Every stage's values, also of those that are not checked: for comparing.
    pub all_stages: &'a [StageInput],
}

/// One stage and its values.
pub struct StageInput {
    /// Its name.
    pub name: StageName,
    /// Its values.
    pub values: StageValues,
}

/// One rule.
pub struct Rule {
    /// The codes that it can report.
    pub codes: &'static [Code],
    /// Looks.
    pub run: fn(&Context<'_>) -> Vec<Diagnostic>,
}

/// All rules, in the order in which their findings are shown.
pub const RULES: &[Rule] = &[];
