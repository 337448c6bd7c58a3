//! What one check of a suite found.

use crate::attest::predicate::{CheckOutcome, Outcome};
use crate::probe::{Finding, Found, Miss};

/// The longest detail: a statement of hundreds of checks must fit a record.
const LONGEST: usize = 600;

/// What one check of a suite found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What came out.
    pub result: Outcome,
    /// In words; never a secret.
    pub detail: Option<String>,
    /// What was asked, what came and what was expected, where a server was asked.
    pub miss: Option<Miss>,
    /// Whether it is the same one in all suites of the run: the configuration, the start.
    pub is_common: bool,
}

impl Check {
    /// A check that went well.
    pub(crate) fn passed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Passed, detail)
    }

    /// A check that did not.
    pub(crate) fn failed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Failed, detail)
    }

    fn new(name: impl Into<String>, result: Outcome, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            result,
            detail: Some(bounded(detail.into())),
            miss: None,
            is_common: false,
        }
    }

    /// A check whose question was not answered as it should be.
    pub(crate) fn missed(name: impl Into<String>, detail: impl Into<String>, miss: Miss) -> Self {
        Self {
            miss: Some(miss),
            ..Self::failed(name, detail)
        }
    }

    /// Whether it failed.
    pub fn has_failed(&self) -> bool {
        self.result == Outcome::Failed
    }

    /// As a statement has it.
    pub(crate) fn outcome(&self) -> CheckOutcome {
        CheckOutcome {
            name: self.name.clone(),
            result: self.result,
            detail: self.detail.clone(),
        }
    }
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        match finding.found {
            Found::Good(words) => Self::passed(finding.name, words),
            Found::Doubtful(words) => Self::new(finding.name, Outcome::Warned, words),
            Found::Bad(miss) => Self::missed(finding.name, miss.to_string(), miss),
        }
    }
}

impl From<CheckOutcome> for Check {
    fn from(outcome: CheckOutcome) -> Self {
        Self {
            name: outcome.name,
            result: outcome.result,
            detail: outcome.detail,
            miss: None,
            is_common: false,
        }
    }
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
