//! What goes wrong, and when.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Whether a cut request was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// It never arrived.
    BeforeEffect,
    /// It was done, and the answer got lost.
    AfterEffect,
}

/// An answer out of the tin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Canned {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A registry's error document.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"said the test"}}]}}"#);
        Self::status(status)
            .header("content-type", "application/json")
            .body(body)
    }
}

#[derive(Default)]
pub(crate) struct Faults {
    canned: VecDeque<(usize, String, Canned)>,
    cut: Option<(usize, When, usize)>,
    act: Option<Arc<dyn Fn() + Send + Sync>>,
    truncated: VecDeque<(String, usize)>,
    stripped: BTreeSet<&'static str>,
    delay: Option<Duration>,
}

impl Faults {
    pub(crate) fn answer(&mut self, count: usize, matching: &str, answer: Canned) {
        self.canned.push_back((count, matching.to_owned(), answer));
    }

    pub(crate) fn cut(&mut self, passing: usize, when: When, times: usize) {
        self.cut = Some((passing, when, times));
    }

    pub(crate) fn act(&mut self, act: Arc<dyn Fn() + Send + Sync>) {
        self.act = Some(act);
    }

    pub(crate) fn take_act(&mut self) -> Option<Arc<dyn Fn() + Send + Sync>> {
        self.act.take()
    }

    pub(crate) fn truncate(&mut self, matching: &str, bytes: usize) {
        self.truncated.push_back((matching.to_owned(), bytes));
    }

    pub(crate) fn strip(&mut self, name: &'static str) {
        self.stripped.insert(name);
    }

    pub(crate) fn slow(&mut self, delay: Duration) {
        self.delay = Some(delay);
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.delay
    }

    pub(crate) fn stripped(&self) -> Vec<&'static str> {
        self.stripped.iter().copied().collect()
    }

    /// Whether this request is cut.
    pub(crate) fn take_cut(&mut self) -> Option<When> {
        let (passing, when, times) = self.cut.as_mut()?;
        if *passing > 0 {
            *passing -= 1;
            return None;
        }
        let when = *when;
        *times = times.saturating_sub(1);
        if *times == 0 {
            self.cut = None;
        }
        Some(when)
    }

    pub(crate) fn take_canned(&mut self, line: &str) -> Option<Canned> {
        let at = self
            .canned
            .iter()
            .position(|(_, matching, _)| line.contains(matching.as_str()))?;
        let (count, _, answer) = &mut self.canned[at];
        let answer = answer.clone();
        *count -= 1;
        if *count == 0 {
            self.canned.remove(at);
        }
        Some(answer)
    }

    pub(crate) fn take_truncation(&mut self, line: &str) -> Option<usize> {
        let at = self
            .truncated
            .iter()
            .position(|(matching, _)| line.contains(matching.as_str()))?;
        self.truncated.remove(at).map(|(_, bytes)| bytes)
    }
}
