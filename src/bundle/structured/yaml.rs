//! Reads YAML: `saphyr-parser` parses; places of scalars are made exact here. Nothing is expanded: an alias is a leaf,
//! and so is what a merge key (`<<`) names.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::super::document::{Element, Syntax};
use super::super::scalar;
use super::{Builder, Malformed, Result, one_character};

/// Reads a text. Each document of it is a root.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Result<()> {
    let mut reader = Reader {
        text,
        place: Place { character: 0, byte: 0 },
        done: 0,
        open: Vec::new(),
        key: None,
        builder,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let at = reader.place.byte_of(text, error.marker().index());
            Malformed::new(error.info(), one_character(text, at))
        })?;
        reader.event(&event, span)?;
    }
    Ok(())
}

/// Bytes of characters: the parser counts these. It goes mostly forwards.
struct Place {
    character: usize,
    byte: usize,
}

impl Place {
    fn byte_of(&mut self, text: &str, character: usize) -> usize {
        let bytes = text.as_bytes();
        while self.character > character && self.byte > 0 {
            self.byte -= 1;
            while !text.is_char_boundary(self.byte) {
                self.byte -= 1;
            }
            self.character -= 1;
        }
        while self.character < character && self.byte < bytes.len() {
            self.byte += 1;
            while !text.is_char_boundary(self.byte) {
                self.byte += 1;
            }
            self.character += 1;
        }
        self.byte
    }
}

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// A key comes next, or its value.
    Map {
        wants_key: bool,
    },
    Sequence,
}

struct Reader<'t, 'b, 'r> {
    text: &'t str,
    place: Place,
    /// Where the last scalar or bracket ended.
    done: usize,
    open: Vec<Open>,
    /// A key that is no scalar: how deep the reader is in it, and where it began.
    key: Option<(usize, usize)>,
    builder: &'b mut Builder<'r>,
}

impl Reader<'_, '_, '_> {
    fn event(&mut self, event: &Event<'_>, span: Span) -> Result<()> {
        let start = self.place.byte_of(self.text, span.start.index());
        let end = self.place.byte_of(self.text, span.end.index());
        if self.key.is_some() {
            return self.within_key(event, start, end);
        }
        match event {
            Event::Scalar(value, style, ..) => {
                let (place, content) = self.scalar(*style, start, end);
                self.done = self.done.max(place.end);
                if self.takes_key() {
                    let name = scalar::decode(Syntax::Yaml, self.builder.text(), content.clone());
                    return self.builder.member(&name, place, content);
                }
                let null = *style == ScalarStyle::Plain
                    && (content.is_empty() || matches!(&**value, "~" | "null" | "Null" | "NULL"));
                self.builder
                    .scalar(place, content, if null { Element::EMPTY } else { 0 })?;
            }
            Event::Alias(_) => {
                let place = self.alias(start, end);
                self.done = self.done.max(place.end);
                if self.takes_key() {
                    let name = self.builder.text().get(place.clone()).unwrap_or_default();
                    return self.builder.member(name, place.clone(), place);
                }
                self.builder.scalar(place.clone(), place, Element::PLACEHOLDER)?;
            }
            Event::MappingStart(..) | Event::SequenceStart(..) if self.takes_key() => {
                self.key = Some((1, start));
                self.done = self.done.max(end);
            }
            Event::MappingStart(..) => {
                self.builder.object(start)?;
                self.done = self.done.max(end);
                self.open.push(Open::Map { wants_key: true });
            }
            Event::SequenceStart(..) => {
                self.builder.array(start)?;
                self.done = self.done.max(end);
                self.open.push(Open::Sequence);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                // A block ends where the next thing begins; its last line is where its last scalar ended.
                let bracket = end > start;
                if bracket {
                    self.done = self.done.max(end);
                }
                self.open.pop();
                self.builder.close(bracket.then_some(end));
            }
            _ => {}
        }
        Ok(())
    }

    /// Passes over a key like `[a, b]`; it is named as it is written.
    fn within_key(&mut self, event: &Event<'_>, start: usize, end: usize) -> Result<()> {
        let Some((depth, begun)) = self.key else {
            return Ok(());
        };
        self.done = self.done.max(end);
        let depth = match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth + 1,
            Event::MappingEnd | Event::SequenceEnd => depth - 1,
            _ => depth,
        };
        self.key = (depth > 0).then_some((depth, begun));
        if self.key.is_none() {
            let end = if end > start { end } else { begun.max(start) };
            let place = begun..end.max(begun);
            let written = self.builder.text().get(place.clone()).unwrap_or_default();
            let name = written.trim_end();
            let place = begun..begun + name.len();
            return self.builder.member(name, place.clone(), place);
        }
        Ok(())
    }

    /// Whether what comes is a mapping's key; what comes after it is then a value.
    fn takes_key(&mut self) -> bool {
        match self.open.last_mut() {
            Some(Open::Map { wants_key }) => {
                let is_key = *wants_key;
                *wants_key = !is_key;
                is_key
            }
            _ => false,
        }
    }

    /// The place of a scalar and within its quotes. The parser's begins at a tag or anchor, if there is one, and of a
    /// block at its first text.
    fn scalar(&self, style: ScalarStyle, start: usize, end: usize) -> (Range<usize>, Range<usize>) {
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let quote = if style == ScalarStyle::SingleQuoted {
                    b'\''
                } else {
                    b'"'
                };
                let open = self.after_properties(start, end, |rest| rest.as_bytes().first() == Some(&quote));
                let close = scalar::quoted_end(Syntax::Yaml, self.text, open, quote).unwrap_or(end.max(open + 1));
                let close = close.min(self.text.len());
                (open..(close + 1).min(self.text.len()), (open + 1).min(close)..close)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let from = self.done.min(start);
                let header = self.after_properties(from, self.text.len(), |rest| rest.starts_with(['|', '>']));
                let line = memchr::memchr(b'\n', &self.text.as_bytes()[header..]);
                let line_end = line.map_or(self.text.len(), |length| header + length + 1);
                let end = end.max(line_end).min(self.text.len());
                (header..end, header..end)
            }
            _ => {
                let begins = |rest: &str| !rest.starts_with(['&', '!', '#']);
                let begin = if start < end {
                    self.after_properties(start, end, begins).min(end)
                } else {
                    start
                };
                let written = self.text[begin..end].trim_end();
                let place = begin..begin + written.len();
                (place.clone(), place)
            }
        }
    }

    /// The first word from `from` on that is neither tag nor anchor nor comment nor a mark of the syntax, if one fits.
    fn after_properties(&self, from: usize, end: usize, fits: impl Fn(&str) -> bool) -> usize {
        let mut at = from;
        while at < end {
            let rest = &self.text[at..end];
            let blanks = rest.len() - rest.trim_start().len();
            if blanks > 0 {
                at += blanks;
                continue;
            }
            if fits(rest) {
                return at;
            }
            let length = if rest.starts_with('#') {
                rest.find('\n')
            } else {
                rest.find(char::is_whitespace)
            };
            at += length.unwrap_or(rest.len()).max(1);
        }
        from
    }

    fn alias(&self, start: usize, end: usize) -> Range<usize> {
        let written = self.text.get(start..end).unwrap_or_default();
        start..start + written.trim_end().len()
    }
}
