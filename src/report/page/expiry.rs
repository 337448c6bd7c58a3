//! Certificates and keys that end, on a line of time.

use jiff::Timestamp;
use serde::Serialize;

use super::points::Tone;
use super::words;

const DAY: i64 = 24 * 60 * 60;
/// Marks on the line, in days.
const MARKS: [(i64, &str); 5] = [(7, "7"), (14, "14"), (30, "30"), (90, "90"), (365, "365")];
/// The line ends here at the latest; what comes later stands at its end.
const LONGEST: i64 = 2 * 365;
/// Where the line begins and ends, in thousandths of the width: the space before is for what is over.
const LINE: (i64, i64) = (70, 970);
/// Dots nearer than this stand above one another.
const NEAR: i64 = 26;

/// One that ends.
#[derive(Clone, Debug, Serialize)]
pub struct Expiry {
    /// What it is: `certificate CN=login.example.com`.
    pub what: String,
    /// The parameter that holds it.
    pub setting: String,
    /// The stages that it is in.
    pub stages: Vec<String>,
    /// When it ends.
    pub at: Timestamp,
}

impl Expiry {
    /// Whole days until it ends; negative when it has.
    pub fn days(&self, now: Timestamp) -> i64 {
        (self.at.as_second() - now.as_second()).div_euclid(DAY)
    }

    /// How urgent it is.
    pub fn tone(&self, now: &Timestamp) -> Tone {
        match self.days(*now) {
            ..7 => Tone::Bad,
            7..30 => Tone::Warning,
            _ => Tone::Good,
        }
    }

    /// `ends in 12 days`, `ended 3 days ago`
    pub fn when(&self, now: &Timestamp) -> String {
        match self.at > *now {
            true => format!("ends in {}", words::span(*now, self.at)),
            false => format!("ended {}", words::ago(self.at, *now)),
        }
    }

    /// The same, with what it is and where.
    pub fn sentence(&self, now: &Timestamp) -> String {
        let (what, place, when) = (words::sentence(&self.what), self.where_it_is(), self.when(now));
        format!("{what} in {place} {when}")
    }

    /// The day.
    pub fn day(&self) -> String {
        words::day(self.at)
    }

    /// Its stages, in words.
    pub fn where_it_is(&self) -> String {
        words::list(&self.stages.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The picture.
#[derive(Clone, Debug)]
pub struct TimeLine {
    /// One for each expiry, in their order.
    pub dots: Vec<Dot>,
    /// The marks.
    pub marks: Vec<Mark>,
    /// How high the picture is, in pixels.
    pub height: i64,
}

/// One expiry in the picture.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Its number in the list below.
    pub number: usize,
    /// In thousandths of the width.
    thousandths: i64,
    /// From the top, in pixels.
    pub y: i64,
    /// Its colour.
    pub tone: Tone,
}

/// A mark on the line.
#[derive(Clone, Debug)]
pub struct Mark {
    thousandths: i64,
    /// What it says.
    pub label: &'static str,
}

impl Dot {
    /// For an attribute: `12.3%`.
    pub fn x(&self) -> String {
        percent(self.thousandths)
    }
}

impl Mark {
    /// For an attribute: `12.3%`.
    pub fn x(&self) -> String {
        percent(self.thousandths)
    }
}

impl TimeLine {
    /// Where each stands. Near days get more of the line than far ones.
    pub fn new(expiries: &[Expiry], now: &Timestamp) -> Self {
        let days = expiries.iter().map(|expiry| expiry.days(*now));
        let longest = days.clone().max().unwrap_or(0).clamp(60, LONGEST);
        let place = |days: i64| {
            if days < 0 {
                return LINE.0 / 2;
            }
            let part = (days.min(longest) as f64 / longest as f64).sqrt();
            LINE.0 + (part * (LINE.1 - LINE.0) as f64) as i64
        };
        let mut placed: Vec<(i64, i64)> = Vec::new();
        for days in days {
            let x = place(days);
            let above = placed.iter().filter(|(other, _)| (x - other).abs() < NEAR);
            let level = above.map(|(_, level)| level + 1).max().unwrap_or(0).min(5);
            placed.push((x, level));
        }
        let levels = placed.iter().map(|(_, level)| *level).max().unwrap_or(0);
        let base = 20 + levels * 24;
        let dots = placed.iter().zip(expiries).enumerate();
        let dots = dots.map(|(index, ((x, level), expiry))| Dot {
            number: index + 1,
            thousandths: *x,
            y: base - level * 24,
            tone: expiry.tone(now),
        });
        let marks = MARKS.iter().filter(|(days, _)| *days <= longest);
        Self {
            dots: dots.collect(),
            marks: marks
                .map(|(days, label)| Mark {
                    thousandths: place(*days),
                    label,
                })
                .collect(),
            height: base + 50,
        }
    }

    /// Where the line is, in pixels from the top.
    pub fn base(&self) -> i64 {
        self.height - 30
    }

    /// Where the labels are.
    pub fn label(&self) -> i64 {
        self.height - 8
    }
}

fn percent(thousandths: i64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}
