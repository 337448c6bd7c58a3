//! One difference between two configurations, in the server's own terms.

use std::fmt;

use crate::diagnostic::Span;

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It has another value.
    Changed,
    /// It stands elsewhere in a list whose order means something.
    Moved,
}

impl ChangeKind {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }
}

/// What a change does to those who use the server, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// A description, a logo.
    Cosmetic,
    /// The server does something else.
    Behaviour,
    /// Something is allowed, or no longer verified.
    Security,
    /// Something that worked for an application does not any more.
    Breaking,
}

impl Impact {
    /// All, the gravest first.
    pub const ALL: [Self; 4] = [Self::Breaking, Self::Security, Self::Behaviour, Self::Cosmetic];

    /// The word in JSON (as `severity`) and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Behaviour => "behaviour",
            Self::Security => "security",
            Self::Breaking => "breaking",
        }
    }
}

/// A thing of the configuration as its users name it: client `web-client`, data source `default`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// "client", "data source".
    pub what: String,
    /// Its key; empty where there is only one (the server's settings).
    pub id: String,
}

impl Subject {
    /// How it is named in an argument: `client:web-client`, `data-source:default`.
    pub fn argument(&self) -> String {
        format!("{}:{}", self.what.replace(' ', "-"), self.id)
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
    /// The value before, if there was one that may be shown.
    pub before: Option<String>,
    /// The value after, if there is one that may be shown.
    pub after: Option<String>,
    /// The values are secret: they are in neither field.
    pub secret: bool,
    /// Where it was.
    pub before_span: Option<Span>,
    /// Where it is.
    pub after_span: Option<Span>,
}

impl Change {
    /// Whether a promotion must be told that it is meant.
    pub fn must_be_named(&self) -> bool {
        self.severity == Impact::Breaking || self.kind == ChangeKind::Removed
    }
}
