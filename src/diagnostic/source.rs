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
    /// For a withheld source: its shadow, which has the same borders of lines and characters.
    text: String,
    visibility: Visibility,
    index: OnceLock<Index>,
    withheld: OnceLock<Source>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Shown,
    Withheld,
}

/// What makes a position cheap in a file of many lines, and in one endless line.
struct Index {
    /// Byte offsets at which lines begin.
    line_starts: Vec<usize>,
    /// How many characters begin before each multiple of [`Index::BLOCK`] bytes.
    characters: Vec<usize>,
}

impl Source {
    /// A text with the path that messages show (relative to the project where it can be).
    pub fn new(path: impl Into<Utf8PathBuf>, text: impl Into<String>) -> Self {
        Self::with_visibility(path.into(), text.into(), Visibility::Shown)
    }

    /// A text that no message may show: places in it have lines and columns, but [`Source::text`] is empty.
    ///
    /// The text itself is not kept, so nothing that holds a diagnostic can leak it.
    pub fn withheld(path: impl Into<Utf8PathBuf>, text: &str) -> Self {
        Self::with_visibility(path.into(), shadow(text), Visibility::Withheld)
    }

    fn with_visibility(path: Utf8PathBuf, text: String, visibility: Visibility) -> Self {
        Self(Arc::new(Inner {
            path,
            text,
            visibility,
            index: OnceLock::new(),
            withheld: OnceLock::new(),
        }))
    }

    /// The path that messages show.
    pub fn path(&self) -> &Utf8Path {
        &self.0.path
    }

    /// The whole text; empty when it is withheld.
    pub fn text(&self) -> &str {
        match self.0.visibility {
            Visibility::Shown => &self.0.text,
            Visibility::Withheld => "",
        }
    }

    /// Whether the text must not be shown.
    pub fn is_withheld(&self) -> bool {
        self.0.visibility == Visibility::Withheld
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
        let text = &self.0.text;
        let index = self.0.index.get_or_init(|| Index::of(text));
        let offset = offset.min(text.len());
        let line = index.line_starts.partition_point(|start| *start <= offset) - 1;
        let before = index.characters_before(text, index.line_starts[line]);
        Position {
            line: line + 1,
            column: index.characters_before(text, offset) - before + 1,
        }
    }

    /// The bytes of a line (from 1), without its line break.
    pub fn line(&self, line: usize) -> Range<usize> {
        let text = &self.0.text;
        let starts = &self.0.index.get_or_init(|| Index::of(text)).line_starts;
        let Some(start) = line.checked_sub(1).and_then(|line| starts.get(line)).copied() else {
            return text.len()..text.len();
        };
        let end = starts.get(line).map_or(text.len(), |next| next - 1);
        let bytes = text.as_bytes();
        if end > start && bytes.get(end - 1) == Some(&b'\r') {
            start..end - 1
        } else {
            start..end
        }
    }
}

impl Index {
    const BLOCK: usize = 4096;

    fn of(text: &str) -> Self {
        let mut characters = vec![0];
        let mut seen = 0;
        for block in text.as_bytes().chunks(Self::BLOCK) {
            seen += characters_in(block);
            characters.push(seen);
        }
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            line_starts,
            characters,
        }
    }

    /// How many characters begin before an offset that is at most the text's length.
    fn characters_before(&self, text: &str, offset: usize) -> usize {
        let block = offset / Self::BLOCK;
        self.characters[block] + characters_in(&text.as_bytes()[block * Self::BLOCK..offset])
    }
}

fn characters_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// A text with the same line breaks and the same lengths of characters, and none of the content.
fn shadow(text: &str) -> String {
    let stand_in = |character: char| match (character, character.len_utf8()) {
        ('\n' | '\r', _) => character,
        (_, 1) => 'x',
        (_, 2) => 'ß',
        (_, 3) => '€',
        _ => '𝄞',
    };
    text.chars().map(stand_in).collect()
}

impl fmt::Debug for Source {
    /// The path only: a text may be long, and may hold what must not be logged.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({})", self.path())
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        let (this, that) = (&self.0, &other.0);
        Arc::ptr_eq(this, that)
            || (this.path == that.path && this.visibility == that.visibility && this.text == that.text)
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

    /// The same place, in a source whose text is withheld: for a line that holds a secret.
    #[must_use]
    pub fn withheld(&self) -> Self {
        if self.source.is_withheld() {
            return self.clone();
        }
        let inner = &self.source.0;
        let source = inner
            .withheld
            .get_or_init(|| Source::withheld(inner.path.clone(), &inner.text));
        source.span(self.range.clone())
    }

    /// The text of the range; empty when it is withheld.
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

    #[test]
    fn columns_hold_across_blocks_of_an_endless_line() {
        let text = "ä".repeat(5000);
        let source = Source::new("a.txt", text.clone());
        for character in [0, 1, 2047, 2048, 2049, 4999, 5000] {
            assert_eq!(source.position(character * 2).column, character + 1);
        }
        let exact = Source::new("a.txt", "x".repeat(Index::BLOCK));
        assert_eq!(exact.position(Index::BLOCK).column, Index::BLOCK + 1);
        assert_eq!(Source::new("a.txt", "").position(0), Position { line: 1, column: 1 });
    }

    #[test]
    fn lines_come_without_their_breaks() {
        let source = Source::new("a.txt", "ab\r\n\ncd");
        let lines: Vec<_> = (0..6).map(|line| &source.text()[source.line(line)]).collect();
        assert_eq!(lines, ["", "ab", "", "cd", "", ""]);
    }

    #[test]
    fn a_withheld_source_tells_places_and_no_text() {
        let source = Source::new("s.env", "A=1\nPÄSS=hünter2 # x");
        let span = source.span(11..19);
        let withheld = span.withheld();
        assert_eq!(withheld.to_string(), span.to_string());
        assert_eq!(withheld.text(), "");
        assert_eq!(withheld.source.text(), "");
        assert!(withheld.source.is_withheld() && !source.is_withheld());
        assert_ne!(withheld, span);
        assert!(!withheld.source.0.text.contains("nter2"));
    }
}
