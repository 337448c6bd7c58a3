//! The page for people who never use a terminal: plain data, and one HTML file made of it.
//!
//! The page needs no network and allows none: styles and script stand in it, named by their hashes in its own content
//! security policy. Whatever is shown goes through one escaper. No value of a parameter is in the data.

mod changes;
mod escape;
mod expiry;
mod matrix;
mod points;
mod stage;
mod step;
mod trail;
mod words;

use std::borrow::Borrow;

use askama::Template as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use changes::{ChangeGroup, ChangeLine, Changes};
pub(crate) use escape::Visible;
pub use expiry::{Dot, Expiry, Mark, TimeLine};
pub use matrix::{Cell, Given, Matrix, Setting};
pub use points::{Point, Tone};
pub use stage::{Running, Stage, Test};
pub use step::{Application, Arriving, Gate, Judged, Standing, Step};
pub use trail::{Act, ActKind, Month, Trail};

const STYLE: &str = include_str!("../../../templates/report/page.css");
const SCRIPT: &str = include_str!("../../../templates/report/page.js");

/// Stages up to which each is shown in full.
const MANY_STAGES: usize = 6;

/// A part of the page that may be missing: then the page says so in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part<T> {
    /// It is there.
    Known(T),
    /// It could not be had, and why.
    Unknown(String),
}

impl<T> Part<T> {
    /// What is there.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown(_) => None,
        }
    }

    /// Why it is not.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }
}

/// All that the page tells.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The project.
    pub project: String,
    /// What the identity server is called.
    pub server: String,
    /// When it was made: all ages are counted from here.
    pub made: Timestamp,
    /// The version of the program.
    pub program: String,
    /// In the order of promotion.
    pub stages: Vec<Stage>,
    /// From each stage to the next.
    pub steps: Vec<Step>,
    /// Which stage gives which parameter.
    pub settings: Part<Matrix>,
    /// Certificates and keys that end.
    pub expiries: Part<Vec<Expiry>>,
    /// What happened, newest first.
    pub trail: Trail,
}

impl Page {
    /// Parts that could not be had: each with its place and why.
    pub fn gaps(&self) -> Vec<(String, &str)> {
        let steps = self.steps.iter().flat_map(|step| {
            let name = format!("{} to {}", step.from, step.to);
            let judged = step.judged.why_not().map(|why| (name.clone(), why));
            let changes = step.changes.why_not().map(|why| (format!("changes from {name}"), why));
            judged.into_iter().chain(changes)
        });
        let settings = self.settings.why_not().map(|why| ("settings".to_owned(), why));
        let expiries = self.expiries.why_not().map(|why| ("certificates".to_owned(), why));
        steps.chain(settings).chain(expiries).collect()
    }

    /// The step into a stage.
    pub fn step_into(&self, stage: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.to == stage)
    }

    /// The step out of a stage.
    pub fn step_from(&self, stage: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.from == stage)
    }

    /// Whether there are so many stages that each is shown folded.
    pub fn has_many_stages(&self) -> bool {
        self.stages.len() > MANY_STAGES
    }

    /// The page, as the one file that it is.
    pub fn html(&self) -> Result<String, askama::Error> {
        let view = Document {
            page: self,
            policy: policy(),
            style: STYLE,
            script: SCRIPT,
            points: points::points(self),
        };
        Ok(view.render()? + "\n")
    }
}

#[derive(askama::Template)]
#[template(path = "report/page.html")]
struct Document<'p> {
    page: &'p Page,
    policy: String,
    style: &'static str,
    script: &'static str,
    points: Vec<Point>,
}

impl Document<'_> {
    /// `3 days ago`, seen from when the page was made.
    fn ago(&self, at: &Timestamp) -> String {
        words::ago(*at, self.page.made)
    }

    fn date(&self, at: &Timestamp) -> String {
        words::date(*at)
    }

    fn segments<'t>(&self, text: &'t str) -> Vec<(bool, &'t str)> {
        words::segments(text)
    }

    fn lead(&self) -> Option<&Point> {
        self.points.first()
    }

    /// What the pipeline's picture shows, in a sentence.
    fn pipeline_sentence(&self) -> String {
        let stages = &self.page.stages;
        let running = stages.iter().filter(|stage| stage.running.is_some()).count();
        let mut versions: Vec<&str> = stages
            .iter()
            .filter_map(|stage| Some(stage.running.as_ref()?.name()))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        match (running, versions.as_slice()) {
            (0, _) => "Nothing runs anywhere yet.".to_owned(),
            (running, [one]) if running == stages.len() => format!("Every stage runs {one}."),
            (running, versions) => format!(
                "{} in {}. The arrows show what waits to move on.",
                words::counted(versions.len(), "version"),
                match running == stages.len() {
                    true => words::counted(running, "stage"),
                    false => format!("{running} of {}", words::counted(stages.len(), "stage")),
                }
            ),
        }
    }

    /// What waits, in a sentence.
    fn next_sentence(&self) -> String {
        let steps = &self.page.steps;
        let of = |standing: Standing| {
            let steps = steps.iter().filter(|step| step.standing() == standing);
            steps.map(|step| step.to.as_str()).collect::<Vec<_>>()
        };
        let (ready, held, unknown) = (of(Standing::Ready), of(Standing::Held), of(Standing::Unknown));
        let said = |stages: &[&str], what: &str| match stages {
            [] => None,
            few if few.len() <= MANY_STAGES => Some(format!("{what} {}", words::list(few))),
            many => Some(format!("{what} {}", words::counted(many.len(), "stage"))),
        };
        let parts = [
            said(&ready, "Ready to go to"),
            said(&held, "held on the way to"),
            said(&unknown, "not known for"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.as_slice() {
            [] => "Nothing waits to move on.".to_owned(),
            parts => {
                format!("{}.", words::sentence(&parts.join("; ")))
            }
        }
    }

    /// How the stages are, in a sentence.
    fn stages_sentence(&self) -> String {
        let stages = &self.page.stages;
        let alarmed: Vec<&str> = stages
            .iter()
            .filter(|stage| stage.tone() == Tone::Bad)
            .map(|stage| stage.name.as_str())
            .collect();
        let failed = stages.iter().filter(|stage| stage.tone() == Tone::Warning).count();
        match (alarmed.as_slice(), failed) {
            ([], 0) => "Nothing is wrong with any of them.".to_owned(),
            ([], failed) => format!(
                "{} whose tests failed or are out of date.",
                words::counted(failed, "stage")
            ),
            (alarmed, _) => format!("Something is wrong with {}.", words::list(alarmed)),
        }
    }

    /// When the next certificate ends, in a sentence.
    fn expiries_sentence(&self) -> String {
        let made = self.page.made;
        let all = self.page.expiries.known().map_or(&[][..], Vec::as_slice);
        match all.iter().min_by_key(|expiry| expiry.at) {
            None => "No setting holds a certificate.".to_owned(),
            Some(first) => format!("{}.", first.sentence(&made)),
        }
    }

    fn time_line(&self) -> TimeLine {
        let expiries = self.page.expiries.known().map_or(&[][..], Vec::as_slice);
        TimeLine::new(expiries, &self.page.made)
    }

    fn counted(&self, count: impl Borrow<usize>, what: &str) -> String {
        words::counted(*count.borrow(), what)
    }

    fn other_points(&self) -> &[Point] {
        self.points.get(1..).unwrap_or_default()
    }
}

/// Nothing may be loaded, and nothing runs but what is written here.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
