//! One stage: what it runs and what is said of that.

use jiff::Timestamp;
use serde::Serialize;

use super::points::Tone;
use super::words;

/// One stage.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Where its images are.
    pub repository: String,
    /// Its tag there.
    pub tag: String,
    /// What it runs; none when nothing has come yet.
    pub running: Option<Running>,
    /// What is wrong with it: each a sentence that begins with a small letter and follows its name.
    pub alarms: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// What a stage runs.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// `sha256:…`
    pub digest: String,
    /// Its version.
    pub version: Option<String>,
    /// When it came.
    pub since: Option<Timestamp>,
    /// Who moved it.
    pub by: Option<String>,
    /// Whether a trusted key signed it.
    pub signed: bool,
    /// The newest result of each suite here.
    pub tests: Vec<Test>,
}

/// The newest result of a suite.
#[derive(Clone, Debug, Serialize)]
pub struct Test {
    /// Its name.
    pub suite: String,
    /// How it ended.
    pub passed: bool,
    /// When.
    pub at: Timestamp,
    /// Whether it ran with other values than the stage has now; none when that can't be told.
    pub stale: Option<bool>,
}

impl Stage {
    /// Where it stands in the page.
    pub fn anchor(&self) -> String {
        format!("stage-{}", self.name)
    }

    /// The gravest that is to be said of it.
    pub fn tone(&self) -> Tone {
        let Some(running) = &self.running else {
            return Tone::Quiet;
        };
        let tested = running.tested().0;
        match self.alarms.is_empty() && running.signed {
            false => Tone::Bad,
            true if tested == Tone::Bad || tested == Tone::Warning => Tone::Warning,
            true => Tone::Good,
        }
    }
}

impl Running {
    /// The version, or the short digest where it has none.
    pub fn name(&self) -> &str {
        self.version.as_deref().unwrap_or_else(|| self.short())
    }

    /// The first digits of the digest, as tools show it.
    pub fn short(&self) -> &str {
        let hex = self.digest.strip_prefix("sha256:").unwrap_or(&self.digest);
        hex.get(..12).unwrap_or(hex)
    }

    /// In two words: how its tests ended.
    pub fn tested(&self) -> (Tone, String) {
        let failed = self.tests.iter().filter(|test| !test.passed).count();
        let stale = self.tests.iter().filter(|test| test.stale == Some(true)).count();
        match (self.tests.len(), failed, stale) {
            (0, ..) => (Tone::Quiet, "Not tested here".to_owned()),
            (_, 0, 0) => (Tone::Good, "Tests passed".to_owned()),
            (1, 0, _) => (Tone::Warning, "Test is out of date".to_owned()),
            (_, 0, stale) => (Tone::Warning, format!("{} out of date", words::counted(stale, "test"))),
            (1, ..) => (Tone::Bad, "Test failed".to_owned()),
            (_, failed, _) => (Tone::Bad, format!("{} failed", words::counted(failed, "test"))),
        }
    }
}

impl Test {
    /// How it ended, and whether that still says something.
    pub fn tone(&self) -> Tone {
        match (self.passed, self.stale) {
            (false, _) => Tone::Bad,
            (true, Some(true)) => Tone::Warning,
            (true, _) => Tone::Good,
        }
    }

    /// The result in words.
    pub fn result(&self) -> &'static str {
        match (self.passed, self.stale) {
            (false, Some(true)) => "failed, with values that have changed since",
            (false, _) => "failed",
            (true, Some(true)) => "passed, but the values have changed since",
            (true, Some(false)) => "passed, with the values of now",
            (true, None) => "passed; whether the values are those of now can't be told",
        }
    }
}
