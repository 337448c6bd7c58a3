//! What can be wrong with XML, in words that name the place and the mend.

use std::ops::Range;

use xmlparser::{Error, StreamError, TextPos};

/// Why a file is not well-formed, or is refused.
pub(super) enum Malformed {
    /// What the tokenizer says.
    Syntax {
        message: String,
        range: Range<usize>,
        help: Option<&'static str>,
    },
    /// The text ends in the middle.
    Ended(Range<usize>),
    /// There is no element.
    Empty(Range<usize>),
    /// An element is never closed.
    Unclosed(String, Range<usize>),
    /// An end tag closes another element than the open one.
    Mismatched {
        open: String,
        opened: Range<usize>,
        close: String,
        closed: Range<usize>,
    },
    /// An end tag has no start tag.
    NotOpen(String, Range<usize>),
    /// An attribute stands twice in a tag.
    AttributeTwice(Range<usize>),
    /// A prefix is not declared.
    PrefixUnbound(String, Range<usize>),
    /// `&` begins nothing.
    Ampersand(Range<usize>),
    /// An entity that only a DTD could define.
    Entity(String, Range<usize>),
    /// A DOCTYPE.
    Doctype(Range<usize>),
    /// A bound is passed.
    TooLarge(&'static str, Range<usize>),
}

impl Malformed {
    /// The tokenizer's error, at the innermost place that it names.
    pub(super) fn from_tokenizer(text: &str, error: Error, open: Option<(String, Range<usize>)>) -> Self {
        let (what, cause, outer) = match error {
            Error::InvalidDeclaration(cause, at) => ("the XML declaration", Some(cause), at),
            Error::InvalidComment(cause, at) => ("a comment", Some(cause), at),
            Error::InvalidPI(cause, at) => ("a processing instruction", Some(cause), at),
            Error::InvalidDoctype(_, at) | Error::InvalidEntity(_, at) => {
                return Self::Doctype(one_character(text, offset(text, at)));
            }
            Error::InvalidElement(cause, at) => ("a tag", Some(cause), at),
            Error::InvalidAttribute(cause, at) => ("an attribute", Some(cause), at),
            Error::InvalidCdata(cause, at) => ("a CDATA section", Some(cause), at),
            Error::InvalidCharData(cause, at) => ("text", Some(cause), at),
            Error::UnknownToken(at) => ("", None, at),
        };
        let start = offset(text, cause.and_then(inner_position).unwrap_or(outer));
        if matches!(cause, Some(StreamError::UnexpectedEndOfStream)) || start >= text.len() {
            return match open {
                Some((name, range)) if what != "the XML declaration" => Self::Unclosed(name, range),
                _ => Self::Ended(text.len()..text.len()),
            };
        }
        let rest = &text[start..];
        if rest.starts_with("<!DOCTYPE") || rest.starts_with("<!ENTITY") {
            return Self::Doctype(start..start + "<!DOCTYPE".len().min(rest.len()));
        }
        let (message, help) = match cause {
            Some(cause) => (
                format!("{what} is not well-formed: {}", reason(cause)),
                mend(cause, rest),
            ),
            None if rest.starts_with("<?xml") => (
                "the XML declaration is not at the very beginning of the file".to_owned(),
                Some("remove what stands before it"),
            ),
            None if rest.starts_with('<') => (
                "a second root element, or a tag where none may be".to_owned(),
                Some("a file has one root element that holds everything"),
            ),
            None => (
                "text outside of the root element".to_owned(),
                Some("a file has one root element that holds everything"),
            ),
        };
        Self::Syntax {
            message,
            range: one_character(text, start),
            help,
        }
    }

    /// `&` at `at` is no reference that XML knows.
    pub(super) fn reference(text: &str, at: usize, end: usize) -> Self {
        let body = &text[at + 1..end];
        let name = body.find(|c: char| !c.is_alphanumeric() && !"#._-".contains(c));
        match name {
            Some(length) if length > 0 && body[length..].starts_with(';') => {
                Self::Entity(body[..length].to_owned(), at..at + length + 2)
            }
            _ => Self::Ampersand(at..at + 1),
        }
    }

    /// The primary place.
    pub(super) fn range(&self) -> Range<usize> {
        match self {
            Self::Syntax { range, .. }
            | Self::Ended(range)
            | Self::Empty(range)
            | Self::Unclosed(_, range)
            | Self::Mismatched { closed: range, .. }
            | Self::NotOpen(_, range)
            | Self::AttributeTwice(range)
            | Self::PrefixUnbound(_, range)
            | Self::Ampersand(range)
            | Self::Entity(_, range)
            | Self::Doctype(range)
            | Self::TooLarge(_, range) => range.clone(),
        }
    }

    /// A further place.
    pub(super) fn second(&self) -> Option<(Range<usize>, &'static str)> {
        match self {
            Self::Mismatched { opened, .. } => Some((opened.clone(), "opened here")),
            _ => None,
        }
    }

    /// The sentence, what to write at the primary place, and a mend.
    pub(super) fn words(&self) -> (String, &'static str, Option<&'static str>) {
        match self {
            Self::Syntax { message, help, .. } => (message.clone(), "", *help),
            Self::Ended(_) => ("the file ends in the middle of a tag".to_owned(), "ends here", None),
            Self::Empty(_) => (
                "the file has no root element".to_owned(),
                "",
                Some("remove the file, or give it a root element"),
            ),
            Self::Unclosed(name, _) => (format!("`<{name}>` is not closed"), "opened here", None),
            Self::Mismatched { open, close, .. } => (
                format!("`</{close}>` does not close `<{open}>`"),
                "another element is open here",
                None,
            ),
            Self::NotOpen(name, _) => (format!("`</{name}>` closes nothing"), "", None),
            Self::AttributeTwice(_) => ("an attribute stands twice in one tag".to_owned(), "again here", None),
            Self::PrefixUnbound(prefix, _) => (
                format!("the prefix `{prefix}` is bound to no namespace"),
                "",
                Some("declare it: `xmlns:prefix=\"…\"` on this element or one that holds it"),
            ),
            Self::Ampersand(_) => (
                "`&` begins no reference".to_owned(),
                "",
                Some("write `&amp;` for the character itself"),
            ),
            Self::Entity(name, _) => (
                format!("the entity `&{name};` is not one of XML's five"),
                "",
                Some("write the character itself, or its number: `&#…;`"),
            ),
            Self::Doctype(_) => (
                "a DOCTYPE is refused: it could read other files and grow without end".to_owned(),
                "",
                Some("remove the DOCTYPE and write what its entities stand for"),
            ),
            Self::TooLarge(what, _) => ((*what).to_owned(), "", None),
        }
    }
}

fn inner_position(cause: StreamError) -> Option<TextPos> {
    match cause {
        StreamError::NonXmlChar(_, at)
        | StreamError::InvalidChar(_, _, at)
        | StreamError::InvalidCharMultiple(_, _, at)
        | StreamError::InvalidQuote(_, at)
        | StreamError::InvalidSpace(_, at)
        | StreamError::InvalidString(_, at) => Some(at),
        _ => None,
    }
}

fn reason(cause: StreamError) -> String {
    // Only the first byte of a character is known; half a character is worse than none.
    let shown = |byte: u8| match byte {
        b' '..=b'~' => format!("`{}`", byte as char),
        b'\n' | b'\r' => "the end of the line".to_owned(),
        _ => "this character".to_owned(),
    };
    match cause {
        StreamError::UnexpectedEndOfStream => "the file ends".to_owned(),
        StreamError::InvalidName => "no name stands where one must".to_owned(),
        StreamError::NonXmlChar(c, _) => format!("U+{:04X} may not stand in XML", c as u32),
        StreamError::InvalidChar(actual, expected, _) => {
            format!("{} stands where {} must", shown(actual), shown(expected))
        }
        StreamError::InvalidCharMultiple(actual, ..) => format!("{} may not stand here", shown(actual)),
        StreamError::InvalidQuote(actual, _) => format!("{} stands where a quote must", shown(actual)),
        StreamError::InvalidSpace(actual, _) => format!("{} stands where a blank must", shown(actual)),
        StreamError::InvalidString(expected, _) => format!("`{expected}` is missing"),
        StreamError::InvalidReference => "a reference means nothing".to_owned(),
        StreamError::InvalidExternalID => "an external id means nothing".to_owned(),
        StreamError::InvalidCommentData => "a comment may not hold `--`".to_owned(),
        StreamError::InvalidCommentEnd => "a comment may not end with `--->`".to_owned(),
        StreamError::InvalidCharacterData => "`]]>` may not stand in text".to_owned(),
    }
}

fn mend(cause: StreamError, rest: &str) -> Option<&'static str> {
    match cause {
        StreamError::InvalidCharacterData => Some("write `]]&gt;`"),
        StreamError::InvalidQuote(..) => Some("quote the attribute's value"),
        StreamError::InvalidName if rest.starts_with('<') => Some("write `&lt;` for the character itself"),
        _ => None,
    }
}

/// The byte offset of a row and column, both from 1, in characters.
fn offset(text: &str, at: TextPos) -> usize {
    let row = (at.row as usize).saturating_sub(1);
    let start = match row {
        0 => 0,
        row => memchr::memchr_iter(b'\n', text.as_bytes())
            .nth(row - 1)
            .map_or(text.len(), |newline| newline + 1),
    };
    let column = (at.col as usize).saturating_sub(1);
    text[start..]
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(offset, _)| start + offset)
}

fn one_character(text: &str, start: usize) -> Range<usize> {
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + length
}
