//! What a gate says.

use std::fmt;

/// The answer of one gate. A no is not an error: an error is when it could not be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May go on.
    Pass {
        /// Why.
        because: String,
    },
    /// Must not.
    Hold {
        /// Why not.
        because: String,
        /// Mends, the best first; commands that can be run.
        help: Vec<String>,
    },
}

impl Verdict {
    /// May go on.
    pub fn pass(because: impl Into<String>) -> Self {
        Self::Pass {
            because: because.into(),
        }
    }

    /// Must not; `help` says what mends it.
    pub fn hold(because: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Hold {
            because: because.into(),
            help: vec![help.into()],
        }
    }

    /// Whether it holds.
    pub fn is_hold(&self) -> bool {
        matches!(self, Self::Hold { .. })
    }

    /// `pass` or `hold`, as in JSON.
    pub fn as_str(&self) -> &'static str {
        if self.is_hold() { "hold" } else { "pass" }
    }

    /// Why.
    pub fn because(&self) -> &str {
        match self {
            Self::Pass { because } | Self::Hold { because, .. } => because,
        }
    }

    /// What mends it; empty for a pass.
    pub fn help(&self) -> &[String] {
        match self {
            Self::Pass { .. } => &[],
            Self::Hold { help, .. } => help,
        }
    }
}

/// One question a promotion must pass; its name is stable, scripts filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateName {
    /// The stages follow one another, and the digest was in the first.
    Order,
    /// A trusted key signed the digest.
    Signed,
    /// A trusted key says how it was built.
    Provenance,
    /// Nobody who may do so rejected it.
    NotRejected,
    /// Its tests in the stage that it leaves passed, with the values that stage has now.
    Tested,
    /// It has run long enough in the stage that it leaves.
    Soak,
    /// So many people as the next stage asks for want it there.
    Approved,
    /// The next stage gives every parameter a value that fits.
    Values,
    /// What the next stage loses, or what breaks there, was named by somebody.
    Changes,
    /// The next stage takes something new at this time.
    Freeze,
    /// It is not older than what the next stage runs.
    NotOlder,
    /// No rollback of the next stage that nobody has named.
    Held,
    /// The next stage still runs what was read.
    Unchanged,
}

impl GateName {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Signed => "signed",
            Self::Provenance => "provenance",
            Self::NotRejected => "not-rejected",
            Self::Tested => "tested",
            Self::Soak => "soak",
            Self::Approved => "approved",
            Self::Values => "values",
            Self::Changes => "changes",
            Self::Freeze => "freeze",
            Self::NotOlder => "not-older",
            Self::Held => "held",
            Self::Unchanged => "unchanged",
        }
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
