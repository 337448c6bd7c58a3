//! One difference between two configurations, in the server's own terms.

use std::fmt;

use crate::diagnostic::Span;
pub use crate::profile::{ChangeKind, Impact};

/// A thing of the configuration as its users name it: client `web-client`, data source `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// "client", "data source".
    pub what: String,
    /// Its key; empty where there is only one (the server's settings).
    pub id: String,
}

impl Subject {
    /// How it is named in an argument: `client:web-client`, `data-source:default`, `environment`.
    pub fn argument(&self) -> String {
        let what = self.what.replace(' ', "-");
        match self.id.as_str() {
            "" => what,
            id => format!("{what}:{id}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id.as_str() {
            "" => formatter.write_str(&self.what),
            id => write!(formatter, "{} `{id}`", self.what),
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To what.
    pub subject: Subject,
    /// The element path with keys: `/profiles/profile[token-service]/…/client[web-client]/redirect-uris`.
    pub path: String,
    /// How grave it is.
    pub severity: Impact,
    /// The rule's words that made it so, if one did.
    pub because: Option<String>,
    /// It is a thing of its own, with all that is in it: the entry of a list, a value of a leaf-list, a file. Not a
    /// setting of another thing.
    pub whole: bool,
    /// The value before, if there was one that may be shown; of what moved, its place.
    pub before: Option<String>,
    /// The value after, if there is one that may be shown; of what moved, its place.
    pub after: Option<String>,
    /// The values are secret: they are in neither field. Where a secret belongs and only a parameter without a default
    /// stands (before and after), that is shown, and this is false.
    pub secret: bool,
    /// Where it was.
    pub before_span: Option<Span>,
    /// Where it is.
    pub after_span: Option<Span>,
}

impl Change {
    /// Whether a promotion must be told that it is meant: what breaks, and what is gone with all that was in it. A
    /// setting that falls back to the server's own is a removal too, and counts by its severity only.
    pub fn must_be_named(&self) -> bool {
        self.severity == Impact::Breaking
            || (self.kind == ChangeKind::Removed && self.whole && self.severity > Impact::Cosmetic)
    }
}
