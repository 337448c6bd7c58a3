//! What happened: the acts on record, newest first, by month.

use jiff::Timestamp;
use serde::Serialize;

use super::points::Tone;
use super::words;

/// Acts that stand open; older months are folded.
const OPEN_ACTS: usize = 40;

/// What happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trail {
    /// Newest first.
    pub acts: Vec<Act>,
    /// Whether there is more that was not read.
    pub has_older: bool,
}

/// One act.
#[derive(Clone, Debug, Serialize)]
pub struct Act {
    /// What was done.
    pub kind: ActKind,
    /// In or for which stage; none: for all.
    pub stage: Option<String>,
    /// The stage that it came from.
    pub from: Option<String>,
    /// With which version; the short digest where it has none.
    pub version: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Whose key signed it.
    pub signer: String,
    /// Why, or what more is to be said.
    pub why: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActKind {
    /// A build entered the first stage.
    Entered,
    /// A stage got what the one before has.
    Promoted,
    /// A stage got back what it had.
    RolledBack,
    /// Somebody wants it in a stage.
    Approved,
    /// Somebody does not want it.
    Rejected,
    /// A suite passed.
    TestPassed,
    /// A suite failed.
    TestFailed,
}

impl ActKind {
    /// All that a filter offers.
    pub const ALL: [Self; 7] = [
        Self::Entered,
        Self::Promoted,
        Self::RolledBack,
        Self::Approved,
        Self::Rejected,
        Self::TestPassed,
        Self::TestFailed,
    ];

    /// For an attribute.
    pub fn key(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::TestPassed => "test-passed",
            Self::TestFailed => "test-failed",
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Entered => "Built",
            Self::Promoted => "Promoted",
            Self::RolledBack => "Rolled back",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
            Self::TestPassed => "Test passed",
            Self::TestFailed => "Test failed",
        }
    }

    /// Its colour.
    pub fn tone(self) -> Tone {
        match self {
            Self::Entered => Tone::Quiet,
            Self::Promoted => Tone::News,
            Self::RolledBack => Tone::Warning,
            Self::Approved | Self::TestPassed => Tone::Good,
            Self::Rejected | Self::TestFailed => Tone::Bad,
        }
    }
}

/// The acts of one month.
#[derive(Clone, Debug)]
pub struct Month<'t> {
    /// `November 2026`
    pub name: String,
    /// Newest first.
    pub acts: Vec<&'t Act>,
    /// Whether it stands open.
    pub is_open: bool,
}

impl Month<'_> {
    /// `12 entries`
    pub fn count(&self) -> String {
        match self.acts.len() {
            1 => "1 entry".to_owned(),
            count => format!("{} entries", words::number(count)),
        }
    }
}

impl Act {
    /// `24 Nov, 18:30`
    pub fn moment(&self) -> String {
        self.at.strftime("%-d %b, %H:%M").to_string()
    }

    /// The stage, for a filter and for people.
    pub fn place(&self) -> &str {
        self.stage.as_deref().unwrap_or("all stages")
    }
}

impl Trail {
    /// By month, newest first.
    pub fn months(&self) -> Vec<Month<'_>> {
        let mut months: Vec<Month<'_>> = Vec::new();
        for (before, act) in self.acts.iter().enumerate() {
            let name = words::month(act.at);
            match months.last_mut().filter(|month| month.name == name) {
                Some(month) => month.acts.push(act),
                None => {
                    let is_open = before < OPEN_ACTS;
                    months.push(Month {
                        name,
                        acts: vec![act],
                        is_open,
                    });
                }
            }
        }
        months
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> Vec<ActKind> {
        let has = |kind: &ActKind| self.acts.iter().any(|act| act.kind == *kind);
        ActKind::ALL.into_iter().filter(has).collect()
    }

    /// The answer, in a sentence.
    pub fn sentence(&self, now: &Timestamp) -> String {
        let moves = |act: &&Act| matches!(act.kind, ActKind::Entered | ActKind::Promoted | ActKind::RolledBack);
        let Some(last) = self.acts.iter().find(moves) else {
            return "Nothing has been moved yet.".to_owned();
        };
        let did = match last.kind {
            ActKind::Entered => "built into",
            ActKind::RolledBack => "rolled back in",
            _ => "promoted to",
        };
        let (by, place, ago) = (&last.by, last.place(), words::ago(last.at, *now));
        format!("The last move: {} was {did} {place} by {by}, {ago}.", last.version)
    }
}
