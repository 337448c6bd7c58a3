//! From one stage to the next: what waits, and what holds it.

use jiff::Timestamp;
use serde::Serialize;

use super::changes::Changes;
use super::points::Tone;
use super::{Part, words};
use crate::bundle::Impact;

/// From one stage to the next.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The stage that it leaves.
    pub from: String,
    /// The stage that it enters.
    pub to: String,
    /// How many versions came to `from` that `to` has not had.
    pub waiting: usize,
    /// What the gates say of the next promotion; none where nothing can be promoted yet.
    pub judged: Part<Option<Judged>>,
    /// The versions that would arrive, newest first.
    pub versions: Vec<Arriving>,
    /// What would change.
    pub changes: Part<Changes>,
    /// Applications that it touches.
    pub applications: Vec<Application>,
}

/// A promotion, judged.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// What would move: `sha256:…`
    pub digest: String,
    /// Its version.
    pub version: Option<String>,
    /// Whether the stage runs it already.
    pub is_there: bool,
    /// What each gate says.
    pub gates: Vec<Gate>,
    /// Why a newer version is not taken, where there is one: `was rejected`.
    pub newer: Option<String>,
}

/// What a gate says.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// Its stable name.
    pub name: String,
    /// Whether it holds the promotion.
    pub holds: bool,
    /// Why.
    pub because: String,
    /// What mends it.
    pub help: Vec<String>,
}

/// A version that would arrive.
#[derive(Clone, Debug, Serialize)]
pub struct Arriving {
    /// Its version.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// Who wrote that.
    pub author: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// An application that a step touches.
#[derive(Clone, Debug, Serialize)]
pub struct Application {
    /// As the configuration names it.
    pub name: String,
    /// Whose it is.
    pub owners: Vec<String>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It could not be found out.
    Unknown,
    /// Nothing has come to the first of both.
    Empty,
    /// Both run the same.
    Same,
    /// It may go on.
    Ready,
    /// Something holds it.
    Held,
}

impl Step {
    /// Where it stands in the page.
    pub fn anchor(&self) -> String {
        format!("step-{}-{}", self.from, self.to)
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match &self.judged {
            Part::Unknown(_) => Standing::Unknown,
            Part::Known(None) => Standing::Empty,
            Part::Known(Some(judged)) if judged.is_there && self.waiting == 0 => Standing::Same,
            Part::Known(Some(judged)) if judged.holds().next().is_some() => Standing::Held,
            Part::Known(Some(judged)) if judged.is_there => Standing::Held,
            Part::Known(Some(_)) => Standing::Ready,
        }
    }

    /// Whether there is more to say than that both run the same.
    pub fn is_worth_a_section(&self) -> bool {
        !matches!(self.standing(), Standing::Same | Standing::Empty)
    }

    /// Its colour.
    pub fn tone(&self) -> Tone {
        match self.standing() {
            Standing::Unknown => Tone::Bad,
            Standing::Empty => Tone::Quiet,
            Standing::Same => Tone::Good,
            Standing::Ready => Tone::News,
            Standing::Held => Tone::Warning,
        }
    }

    /// In two words.
    pub fn word(&self) -> &'static str {
        match self.standing() {
            Standing::Unknown => "Unknown",
            Standing::Empty => "Nothing yet",
            Standing::Same => "Up to date",
            Standing::Ready => "Ready",
            Standing::Held => "Held",
        }
    }

    /// The answer, in a sentence.
    pub fn sentence(&self) -> String {
        let Self { from, to, .. } = self;
        let ahead = match self.waiting {
            0 => format!("{from} has something for {to}"),
            waiting => format!("{from} is {} ahead of {to}", words::counted(waiting, "version")),
        };
        match self.standing() {
            Standing::Unknown => format!("What {to} would get from {from} could not be found out."),
            Standing::Empty => format!("Nothing has come to {from} yet that {to} could get."),
            Standing::Same => format!("{to} runs the newest that {from} has."),
            Standing::Ready => format!("{ahead}; nothing holds it."),
            Standing::Held => format!("{ahead}; {}.", self.what_holds()),
        }
    }

    /// Why it does not go on, as the second half of a sentence.
    pub fn what_holds(&self) -> String {
        let judged = self.judged.known().and_then(Option::as_ref);
        let holds: Vec<&str> = judged
            .iter()
            .flat_map(|judged| judged.holds())
            .map(Gate::words)
            .collect();
        let newer = judged.and_then(|judged| judged.newer.as_deref());
        match holds.as_slice() {
            [] => format!("what is newer {}", newer.unwrap_or("can't go on yet")),
            holds => format!("to go on it needs {}", words::list(holds)),
        }
    }

    /// Why the next step does not go on, for the stage that it leaves; none where it does.
    pub fn note(&self) -> Option<String> {
        (self.standing() == Standing::Held).then(|| words::sentence(&self.what_holds()))
    }

    /// What the changes do, as a sentence; none where there are none.
    pub fn changes_sentence(&self) -> Option<String> {
        let changes = self.changes.known().filter(|changes| changes.total() > 0)?;
        let grave = changes.count(Impact::Breaking);
        let security = changes.count(Impact::Security);
        let total = words::counted(changes.total(), "change");
        Some(match (grave, security) {
            (0, 0) => format!("{total}, none of which breaks an application or touches security."),
            (0, security) => format!("{total}; {} for security.", words::number(security)),
            (grave, 0) => format!("{total}; {} may break applications.", words::number(grave)),
            (grave, security) => format!(
                "{total}; {} may break applications, {} for security.",
                words::number(grave),
                words::number(security)
            ),
        })
    }

    /// What is passed over, as a sentence.
    pub fn passed_over(&self) -> Option<String> {
        let judged = self.judgement().filter(|judged| !judged.is_there)?;
        let newer = judged.newer.as_ref()?;
        Some(format!("A newer version is in {}; it {newer}.", self.from))
    }

    /// Whether anything is known of who wrote what.
    pub fn has_authors(&self) -> bool {
        self.versions.iter().any(|version| version.author.is_some())
    }

    /// The judgement, where there is one.
    pub fn judgement(&self) -> Option<&Judged> {
        self.judged.known().and_then(Option::as_ref)
    }
}

impl Judged {
    /// The gates that hold.
    pub fn holds(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| gate.holds)
    }

    /// The gates that let it through.
    pub fn passes(&self) -> Vec<&Gate> {
        self.gates.iter().filter(|gate| !gate.holds).collect()
    }
}

impl Gate {
    /// What it asks for, in plain words.
    pub fn words(&self) -> &str {
        match self.name.as_str() {
            "order" => "its turn in the pipeline",
            "signed" => "a signature",
            "provenance" => "proof of how it was built",
            "not-rejected" => "a version that nobody rejected",
            "tested" => "tests that pass",
            "soak" => "more time in the stage before",
            "approved" => "an approval",
            "values" => "values for its settings",
            "freeze" => "the end of a freeze",
            "not-older" => "a newer version",
            "held" => "somebody to lift the hold of a rollback",
            "unchanged" => "a second look: the stage was moved meanwhile",
            "changes" => "somebody to say that breaking changes are meant",
            other => other,
        }
    }
}
