//! The piece of a line that is worth showing, however long the line.

use std::ops::Range;

use crate::diagnostic::{Position, Span};

/// A line, or a window of it, with the marked ranges in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// One line, without its break; `…` stands where it was cut.
    pub(super) text: String,
    /// The marks, in bytes of `text`, in the order of the spans.
    pub(super) marks: Vec<Range<usize>>,
}

/// Longer lines are cut to about this many bytes.
const WIDEST: usize = 120;
/// Stands in the place of a withheld line.
const NOT_SHOWN: &str = "(not shown: it may hold a secret)";
/// So much is left before the first mark.
const BEFORE: usize = 40;

/// Cuts the line on which `spans` begin: all in one source, on one line, the one to be seen for certain first.
pub(super) fn excerpt(position: Position, spans: &[&Span]) -> Excerpt {
    let Some(first) = spans.first() else {
        return Excerpt {
            text: String::new(),
            marks: Vec::new(),
        };
    };
    if first.source.is_withheld() {
        return Excerpt {
            text: NOT_SHOWN.to_owned(),
            marks: vec![0..NOT_SHOWN.len(); spans.len()],
        };
    }
    let text = first.source.text();
    let line = first.source.line(position.line);
    let window = window(text, line.clone(), first.range.start);
    let lead = if window.start > line.start { "…" } else { "" };
    let tail = if window.end < line.end { "…" } else { "" };
    let mark = |span: &&Span| {
        let start = border(text, span.range.start.clamp(window.start, window.end));
        let end = border(text, span.range.end.clamp(start, window.end)).max(start);
        start - window.start + lead.len()..end - window.start + lead.len()
    };
    Excerpt {
        text: format!("{lead}{}{tail}", &text[window.clone()]),
        marks: spans.iter().map(mark).collect(),
    }
}

fn window(text: &str, line: Range<usize>, mark: usize) -> Range<usize> {
    if line.len() <= WIDEST {
        return line;
    }
    let mark = mark.clamp(line.start, line.end);
    let start = mark.saturating_sub(BEFORE).max(line.start);
    // Near the start there is no need to cut there.
    let start = if start - line.start <= BEFORE / 2 {
        line.start
    } else {
        border(text, start)
    };
    start..border(text, (start + WIDEST).min(line.end)).max(start)
}

/// The nearest border of characters at or before an offset within the text.
fn border(text: &str, offset: usize) -> usize {
    (0..=offset)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    fn cut(text: &str, range: Range<usize>) -> (String, String) {
        let span = Source::new("x", text).span(range);
        let excerpt = excerpt(span.position(), &[&span]);
        let mark = excerpt.text[excerpt.marks[0].clone()].to_owned();
        (excerpt.text, mark)
    }

    #[test]
    fn short_lines_are_left_whole_and_long_ones_cut_round_the_mark() {
        assert_eq!(cut("a\nbcd\ne", 3..4), ("bcd".to_owned(), "c".to_owned()));
        assert_eq!(cut("a\nbcd\r\ne", 3..8), ("bcd".to_owned(), "cd".to_owned()));
        let long = format!("{}#{{X}}{}", "ä".repeat(50_000), "b".repeat(50_000));
        let (text, mark) = cut(&long, 100_000..100_004);
        assert_eq!(mark, "#{X}");
        assert!(text.len() < WIDEST + 10 && text.starts_with("…ä") && text.ends_with("b…"));
        let (text, mark) = cut(&long, 4..100_000);
        assert!(text.starts_with("ää") && mark.len() < WIDEST);
        assert_eq!(cut(&long, 150_004..150_004).1, "");
    }
}
