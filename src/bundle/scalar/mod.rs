//! Scalars as JSON, YAML and TOML write them: decoded for those who read, escaped for a value that goes in.
//!
//! How a scalar is written is seen from the text round it (the quote before it, the `|` that it begins with), so no
//! element has to carry it.

use std::borrow::Cow;
use std::ops::Range;

use super::document::Syntax;
use super::text::decode_content;

mod escape;
mod toml;
mod yaml;

pub(super) use escape::{Written, quoted, write};

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A number or a word without quotes, where these can't be plain text: JSON, TOML.
    Bare,
    /// `"…"` of JSON.
    Json,
    YamlPlain,
    /// `'…'`
    YamlSingle,
    /// `"…"`
    YamlDouble,
    /// `|` or `>` and the lines below.
    YamlBlock,
    /// `"…"`
    TomlBasic,
    /// `"""…"""`
    TomlBasicLines,
    /// `'…'`
    TomlLiteral,
    /// `'''…'''`
    TomlLiteralLines,
}

impl Style {
    /// The style of what is written at `content` of a text.
    pub(super) fn of(syntax: Syntax, text: &str, content: &Range<usize>) -> Self {
        let before = &text.as_bytes()[..content.start.min(text.len())];
        let quote = before.last().copied().filter(|byte| matches!(byte, b'"' | b'\''));
        let thrice = quote.is_some_and(|quote| before.ends_with(&[quote; 3]));
        match (syntax, quote) {
            (Syntax::Yaml, Some(b'"')) => Self::YamlDouble,
            (Syntax::Yaml, Some(_)) => Self::YamlSingle,
            (Syntax::Yaml, None) if text[content.clone()].starts_with(['|', '>']) => Self::YamlBlock,
            (Syntax::Yaml, None) => Self::YamlPlain,
            (Syntax::Toml, Some(b'"')) if thrice => Self::TomlBasicLines,
            (Syntax::Toml, Some(b'"')) => Self::TomlBasic,
            (Syntax::Toml, Some(_)) if thrice => Self::TomlLiteralLines,
            (Syntax::Toml, Some(_)) => Self::TomlLiteral,
            (Syntax::Json, Some(b'"')) => Self::Json,
            _ => Self::Bare,
        }
    }

    /// What a text of this style means.
    pub(super) fn decode(self, written: &str) -> Cow<'_, str> {
        match self {
            Self::Bare | Self::TomlLiteral => Cow::Borrowed(written),
            Self::Json => json(written),
            Self::YamlPlain => yaml::plain(written),
            Self::YamlSingle => yaml::single(written),
            Self::YamlDouble => yaml::double(written),
            Self::YamlBlock => yaml::block(written, None),
            Self::TomlBasic | Self::TomlBasicLines => toml::basic(written, self == Self::TomlBasicLines),
            Self::TomlLiteralLines => Cow::Borrowed(toml::without_first_line_end(written)),
        }
    }
}

/// What stands at `content` of a text, as a parser gives it.
pub(super) fn decode(syntax: Syntax, text: &str, content: Range<usize>) -> Cow<'_, str> {
    let Some(written) = text.get(content.clone()) else {
        return Cow::Borrowed("");
    };
    match syntax {
        Syntax::Xml => decode_content(written),
        Syntax::Lines => Cow::Borrowed(written),
        Syntax::Json | Syntax::Yaml | Syntax::Toml => match Style::of(syntax, text, &content) {
            Style::YamlBlock => yaml::block(written, yaml::indentation(text, content.start)),
            style => style.decode(written),
        },
    }
}

/// A string of JSON without its quotes.
fn json(written: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', written.as_bytes()).is_none() {
        return Cow::Borrowed(written);
    }
    let mut decoded = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        let (character, length) = json_escape(&rest[at..]);
        decoded.push(character);
        rest = &rest[at + length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// What `\…` means, and how long it is; a `\` that begins nothing is itself.
fn json_escape(text: &str) -> (char, usize) {
    let character = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return code_point(text),
        _ => return ('\\', 1),
    };
    (character, 2)
}

/// `\uXXXX`, also two that are one character. Half a pair is U+FFFD.
fn code_point(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with('+'))
    };
    match (unit(0), unit(6)) {
        (None, _) => ('\\', 1),
        (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        (Some(code), _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

/// Where the key ends that a member begins with.
pub(super) fn key_end(syntax: Syntax, text: &str, member: Range<usize>) -> usize {
    let written = text.get(member.clone()).unwrap_or_default();
    let length = match written.bytes().next() {
        Some(quote @ (b'"' | b'\'')) => quoted_end(syntax, written, 0, quote).map_or(written.len(), |end| end + 1),
        _ if syntax == Syntax::Yaml => plain_key_end(written),
        _ => written
            .find(|c: char| !(c.is_alphanumeric() || "_-".contains(c)))
            .unwrap_or(written.len()),
    };
    member.start + length
}

fn plain_key_end(written: &str) -> usize {
    let line = written.find('\n').unwrap_or(written.len());
    let key = written[..line].find(": ").unwrap_or(line);
    written[..key].trim_end().trim_end_matches(':').len()
}

/// Where the string ends (at its last quote) that begins with a quote at `at`.
pub(super) fn quoted_end(syntax: Syntax, text: &str, at: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'\\' if quote == b'"' => end += 2,
            byte if *byte == quote => {
                if syntax == Syntax::Yaml && quote == b'\'' && bytes.get(end + 1) == Some(&quote) {
                    end += 2;
                } else {
                    return Some(end);
                }
            }
            _ => end += 1,
        }
    }
}

/// Where the first line of something ends, to point at it.
pub(super) fn beginning(syntax: Syntax, text: &str, element: Range<usize>) -> usize {
    let written = text.get(element.clone()).unwrap_or_default();
    let line = written.find(['\n', '\r']).unwrap_or(written.len());
    let bracket = syntax != Syntax::Yaml && written.starts_with('{');
    element.start + if bracket { 1 } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_decoded() {
        assert_eq!(json("plain"), "plain");
        assert_eq!(json(r#"a\"\\\/\n\u0041\ud83d\ude00b"#), "a\"\\/\nA😀b");
        assert_eq!(json(r"\ud83d\u0041"), "\u{fffd}A");
        for rubbish in ["\\", "\\u", "\\u12", "\\x", "\\ué€", "\\u+123"] {
            assert_eq!(json(rubbish), rubbish);
        }
    }

    #[test]
    fn keys_end_where_they_end() {
        let end = |syntax, text: &str| key_end(syntax, text, 0..text.len());
        assert_eq!(end(Syntax::Json, r#""a\"b" : 1"#), 6);
        assert_eq!(end(Syntax::Yaml, "redirect uris : x"), 13);
        assert_eq!(end(Syntax::Yaml, "urn:x:\n  a: b"), 5);
        assert_eq!(end(Syntax::Yaml, "'it''s': x"), 7);
        assert_eq!(end(Syntax::Toml, "a.b = 1"), 1);
        assert_eq!(end(Syntax::Toml, "name]\n"), 4);
    }
}
