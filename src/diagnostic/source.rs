//! Source texts and places in them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

/// A text that diagnostics point into; cloning is cheap.
#[derive(Clone)]
pub struct Source(Arc<Inner>);

struct Inner {
    path: Utf8PathBuf,
    text: String,
    line_starts: OnceLock<Vec<usize>>,
}

impl Source {
    /// A text with the path that messages show (relative to the project where it can be).
    pub fn new(path: impl Into<Utf8PathBuf>, text: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            path: path.into(),
            text: text.into(),
            line_starts: OnceLock::new(),
        }))
    }

    /// The path that messages show.
    pub fn path(&self) -> &Utf8Path {
        &self.0.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// A place in it. `range` is in bytes and must lie on character borders.
    pub fn span(&self, range: Range<usize>) -> Span {
        Span {
            source: self.clone(),
            range,
        }
    }

    /// The line and column of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let starts = self.0.line_starts.get_or_init(|| {
            std::iter::once(0)
                .chain(self.text().match_indices('\n').map(|(at, _)| at + 1))
                .collect()
        });
        let offset = offset.min(self.text().len());
        let line = starts.partition_point(|start| *start <= offset) - 1;
        let before = self.text().get(starts[line]..offset).unwrap_or_default();
        Position {
            line: line + 1,
            column: before.chars().count() + 1,
        }
    }
}

impl fmt::Debug for Source {
    /// The path only: a text may be long, and may hold what must not be logged.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({})", self.path())
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.path() == other.path() && self.text() == other.text())
    }
}

impl Eq for Source {}

/// A byte range of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub source: Source,
    /// Bytes in it.
    pub range: Range<usize>,
}

impl Span {
    /// Where the range begins.
    pub fn position(&self) -> Position {
        self.source.position(self.range.start)
    }

    /// Where the range ends.
    pub fn end(&self) -> Position {
        self.source.position(self.range.end)
    }

    /// The text of the range.
    pub fn text(&self) -> &str {
        self.source.text().get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Display for Span {
    /// `file:line:column`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        write!(formatter, "{}:{line}:{column}", self.source.path())
    }
}

/// Line and column, both from 1; the column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_survive_the_end() {
        let source = Source::new("a.txt", "añb\ncd");
        assert_eq!(source.position(3), Position { line: 1, column: 3 });
        assert_eq!(source.position(5), Position { line: 2, column: 1 });
        assert_eq!(source.position(99), Position { line: 2, column: 3 });
        assert_eq!(source.span(5..7).to_string(), "a.txt:2:1");
        assert_eq!(source.span(5..7).text(), "cd");
    }
}
