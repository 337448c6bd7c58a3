//! The newest of what a container or a program wrote, for people: without secrets, bounded, free of control characters.

use std::time::Duration;

use super::Trial;
use crate::engine::{ContainerId, LogBounds};
use crate::values::Redactor;

const BOUNDS: LogBounds = LogBounds {
    lines: 200,
    bytes: 64 << 10,
    within: Duration::from_secs(10),
};
/// What people look at.
const LINES: usize = 40;
const LINE: usize = 400;

/// The newest lines that something wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Who: "the server", "suite `e2e`".
    pub of: String,
    /// The lines, or why there are none.
    pub lines: Vec<String>,
}

impl Tail {
    /// Of what was written. Secrets go before anything is cut: half a secret is one, too.
    pub(super) fn new(of: impl Into<String>, written: &[u8], redactor: &Redactor) -> Self {
        let hidden = redactor.bytes(written);
        let text = String::from_utf8_lossy(&hidden);
        let mut lines: Vec<String> = text.lines().map(printable).filter(|line| !line.is_empty()).collect();
        let older = lines.len().saturating_sub(LINES);
        lines.drain(..older);
        Self { of: of.into(), lines }
    }
}

pub(super) async fn of_container(trial: &Trial<'_>, id: &ContainerId) -> Tail {
    let of = "the server";
    match trial.engine.logs(id, BOUNDS).await {
        Ok(written) => Tail::new(of, &written, &trial.redactor),
        // What failed is known already; that its log is not must not hide it.
        Err(error) => Tail {
            of: of.to_owned(),
            lines: vec![format!("(its log can't be read: {error})")],
        },
    }
}

/// Without colours and whatever else would act on a terminal.
fn printable(line: &str) -> String {
    let mut printable = String::new();
    let mut characters = line.chars();
    let mut count = 0;
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut characters),
            '\t' => printable.push(' '),
            c if c.is_control() => {}
            c => printable.push(c),
        }
        count += 1;
        if count > LINE {
            printable.push('…');
            break;
        }
    }
    printable.trim_end().to_owned()
}

/// `ESC [ … letter`; of other sequences only the escape goes.
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    let mut ahead = characters.clone();
    if ahead.next() == Some('[') {
        for c in ahead.by_ref() {
            if c.is_ascii_alphabetic() {
                break;
            }
        }
        *characters = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        Tail::new("x", text.as_bytes(), &Redactor::new(["hunter2hunter2"])).lines
    }

    #[test]
    fn a_terminal_is_left_alone_and_secrets_go() {
        assert_eq!(
            lines("\u{1b}[31mERROR\u{1b}[0m hunter2hunter2\r\n\n\u{7}a\tb\u{1b}]0;x"),
            ["ERROR ***", "a b]0;x"]
        );
    }

    #[test]
    fn the_newest_lines_are_kept_and_long_ones_cut() {
        let text: String = (0..500).map(|number| format!("line {number}\n")).collect();
        let kept = lines(&text);
        assert_eq!(
            (kept.len(), kept[0].as_str(), kept[39].as_str()),
            (40, "line 460", "line 499")
        );
        let long = lines(&"x".repeat(100_000));
        assert_eq!(long[0].chars().count(), LINE + 2);
        // The secret begins where the line would be cut.
        let secret = lines(&format!("{}hunter2hunter2", "x".repeat(LINE - 4)));
        assert!(!secret[0].contains("hunt"), "{}", secret[0]);
    }
}
