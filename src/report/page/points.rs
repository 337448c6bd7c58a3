//! What is to be said first: the points, the gravest before the others.

use serde::Serialize;

use super::matrix::Matrix;
use super::step::Standing;
use super::{Page, words};

/// Points that are shown.
const MOST_POINTS: usize = 8;

/// How something stands: each has its colour, its picture and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Nothing to say.
    Quiet,
    /// In order.
    Good,
    /// Something new.
    News,
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Bad,
}

impl Tone {
    /// For a class and the picture.
    pub fn key(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::News => "news",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    /// For those who don't see the colour.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quiet => "Note",
            Self::Good => "Good",
            Self::News => "News",
            Self::Warning => "Look at this",
            Self::Bad => "Problem",
        }
    }
}

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// How grave.
    pub tone: Tone,
    /// A sentence.
    pub text: String,
    /// Where more of it stands in the page.
    pub anchor: String,
}

/// What is to be said first.
pub(super) fn points(page: &Page) -> Vec<Point> {
    let mut points = Vec::new();
    // Nearer to the end of the pipeline is nearer to those who log in.
    for stage in page.stages.iter().rev() {
        let alarms = stage.alarms.iter();
        points.extend(alarms.map(|alarm| Point {
            tone: Tone::Bad,
            text: format!("{} {alarm}.", stage.name),
            anchor: stage.anchor(),
        }));
    }
    let steps = page.steps.iter().rev();
    let steps = steps.filter(|step| !matches!(step.standing(), Standing::Same | Standing::Empty));
    points.extend(steps.map(|step| Point {
        tone: step.tone(),
        text: step.sentence(),
        anchor: step.anchor(),
    }));
    points.extend(expiries(page));
    points.extend(page.settings.known().and_then(settings));
    if points.is_empty() {
        points.push(all_is_well(page));
    }
    points.sort_by_key(|point| std::cmp::Reverse(point.tone));
    if points.len() > MOST_POINTS {
        let more = points.len() - MOST_POINTS + 1;
        points.truncate(MOST_POINTS - 1);
        points.push(Point {
            tone: Tone::Quiet,
            text: format!("And {} more below.", words::number(more)),
            anchor: "next".to_owned(),
        });
    }
    points
}

fn expiries(page: &Page) -> Option<Point> {
    let all = page.expiries.known()?;
    let urgent: Vec<_> = all
        .iter()
        .filter(|expiry| expiry.tone(&page.made) > Tone::Good)
        .collect();
    let first = urgent.iter().min_by_key(|expiry| expiry.at)?;
    let others = match urgent.len() - 1 {
        0 => String::new(),
        others => format!("; {} more within 30 days", words::number(others)),
    };
    Some(Point {
        tone: first.tone(&page.made),
        text: format!("{}{others}.", first.sentence(&page.made)),
        anchor: "certificates".to_owned(),
    })
}

fn settings(matrix: &Matrix) -> Option<Point> {
    (matrix.suspicious() > 0).then(|| Point {
        tone: Tone::Warning,
        text: matrix.sentence(),
        anchor: "settings".to_owned(),
    })
}

fn all_is_well(page: &Page) -> Point {
    let running = page.stages.iter().filter(|stage| stage.running.is_some()).count();
    let text = match running {
        0 => "Nothing runs anywhere yet.",
        _ if running == page.stages.len() => "All is well: every stage runs the newest version, and nothing waits.",
        _ => "All is well so far; not every stage has a version yet.",
    };
    Point {
        tone: if running == 0 { Tone::Quiet } else { Tone::Good },
        text: text.to_owned(),
        anchor: "pipeline".to_owned(),
    }
}
