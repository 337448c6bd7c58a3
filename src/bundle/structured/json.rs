//! Reads JSON (RFC 8259), strictly, without recursion.

use std::ops::Range;

use super::super::document::{Element, Syntax};
use super::super::scalar;
use super::{Builder, Malformed, Result, one_character};

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A value; `}` or `]` only right after the bracket that it closes.
    Value {
        first: bool,
    },
    Member {
        first: bool,
    },
    /// `,` or a closing bracket.
    More,
    End,
}

/// Reads a text.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Result<()> {
    if text.starts_with('\u{feff}') {
        let found = Malformed::new("the file begins with a byte order mark", 0..3);
        return Err(found.help("save it as UTF-8 without one"));
    }
    let mut reader = Reader {
        text,
        at: 0,
        open: Vec::new(),
        builder,
    };
    let mut next = Next::Value { first: false };
    loop {
        reader.skip_blanks();
        next = match next {
            Next::Value { first } => reader.value(first)?,
            Next::Member { first } => reader.member(first)?,
            Next::More => reader.more()?,
            Next::End if reader.at < text.len() => {
                let place = one_character(text, reader.at);
                return Err(Malformed::new(
                    "text stands after the value that is the whole file",
                    place,
                ));
            }
            Next::End => return Ok(()),
        };
    }
}

struct Reader<'t, 'b, 'r> {
    text: &'t str,
    at: usize,
    /// Whether each open bracket is an object's.
    open: Vec<Open>,
    builder: &'b mut Builder<'r>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Object(usize),
    Array(usize),
}

impl Reader<'_, '_, '_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    fn value(&mut self, first: bool) -> Result<Next> {
        let start = self.at;
        match self.byte() {
            Some(b'{') => {
                self.builder.object(start)?;
                self.at += 1;
                self.open.push(Open::Object(start));
                Ok(Next::Member { first: true })
            }
            Some(b'[') => {
                self.builder.array(start)?;
                self.at += 1;
                self.open.push(Open::Array(start));
                Ok(Next::Value { first: true })
            }
            Some(b']') if first => Ok(self.close()),
            Some(b'"') => {
                let end = self.string()?;
                self.builder.scalar(start..end + 1, start + 1..end, 0)?;
                Ok(self.after())
            }
            _ => {
                let end = self.word()?;
                let flags = if &self.text[start..end] == "null" {
                    Element::EMPTY
                } else {
                    0
                };
                self.builder.scalar(start..end, start..end, flags)?;
                Ok(self.after())
            }
        }
    }

    fn member(&mut self, first: bool) -> Result<Next> {
        let start = self.at;
        match self.byte() {
            Some(b'}') if first => Ok(self.close()),
            Some(b'"') => {
                let end = self.string()?;
                let name = scalar::decode(Syntax::Json, self.builder.text(), start + 1..end);
                self.builder.member(&name, start..end + 1, start + 1..end)?;
                self.skip_blanks();
                if self.byte() != Some(b':') {
                    return Err(self.unexpected("`:` must follow the member's name"));
                }
                self.at += 1;
                Ok(Next::Value { first: false })
            }
            Some(b'}') => Err(self.unexpected("a `,` stands before `}`").help("remove the `,`")),
            _ => Err(self.unexpected("a member's name in double quotes must stand here")),
        }
    }

    fn more(&mut self) -> Result<Next> {
        match (self.byte(), self.open.last()) {
            (Some(b','), Some(Open::Object(_))) => {
                self.at += 1;
                Ok(Next::Member { first: false })
            }
            (Some(b','), Some(Open::Array(_))) => {
                self.at += 1;
                Ok(Next::Value { first: false })
            }
            (Some(b'}'), Some(Open::Object(_))) | (Some(b']'), Some(Open::Array(_))) => Ok(self.close()),
            (_, Some(Open::Object(_))) => Err(self.unexpected("`,` or `}` must stand here")),
            _ => Err(self.unexpected("`,` or `]` must stand here")),
        }
    }

    fn close(&mut self) -> Next {
        self.at += 1;
        self.open.pop();
        self.builder.close(Some(self.at));
        self.after()
    }

    fn after(&self) -> Next {
        if self.open.is_empty() { Next::End } else { Next::More }
    }

    /// What stands here may not; at the end of the file the open bracket is shown.
    fn unexpected(&self, message: &str) -> Malformed {
        if self.at < self.text.len() {
            return Malformed::new(message, one_character(self.text, self.at));
        }
        match self.open.last() {
            Some(Open::Object(at)) => Malformed::new("`{` is not closed", *at..at + 1),
            Some(Open::Array(at)) => Malformed::new("`[` is not closed", *at..at + 1),
            None => Malformed::new("the file holds no value", 0..self.text.len().min(1)),
        }
    }

    /// Where the string ends that begins here, at its quote.
    fn string(&mut self) -> Result<usize> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                None => return Err(Malformed::new("the string is not closed", start..start + 1)),
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at)?,
                Some(0..0x20) => {
                    let message = if matches!(bytes[at], b'\n' | b'\r') {
                        "the string is not closed on its line"
                    } else {
                        "a control character stands in a string"
                    };
                    let range: Range<usize> = if message.starts_with("the") {
                        start..start + 1
                    } else {
                        at..at + 1
                    };
                    return Err(Malformed::new(message, range).help("write `\\n`, `\\t` or `\\u00XX` for it"));
                }
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        Ok(at)
    }

    fn escape(&self, at: usize) -> Result<usize> {
        let bytes = self.text.as_bytes();
        let digits = |range: Range<usize>| {
            bytes
                .get(range)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') if digits(at + 2..at + 6) => Ok(at + 6),
            _ => {
                let end = one_character(self.text, at + 1).end;
                let found = Malformed::new("`\\` begins no escape that JSON knows", at..end);
                Err(found.help("write `\\\\` for the character itself"))
            }
        }
    }

    /// Where the number, `true`, `false` or `null` ends that begins here.
    fn word(&mut self) -> Result<usize> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c)))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        if !(matches!(word, "true" | "false" | "null") || is_number(word)) {
            let message = match rest.chars().next() {
                Some('\'') => "a string stands in single quotes",
                Some('/') => "a comment: JSON has none",
                Some(']' | '}') => "a value is missing before the bracket",
                _ => {
                    "a value must stand here: a string in double quotes, a number, `true`, `false`, `null`, `{` or `[`"
                }
            };
            let mut found = self.unexpected(message);
            if length > 0 {
                found.range = start..start + length;
            }
            return Err(found);
        }
        self.at = start + length;
        Ok(self.at)
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_number(word: &str) -> bool {
    let rest = word.strip_prefix('-').unwrap_or(word);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}
