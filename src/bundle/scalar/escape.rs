//! A value as it must be written where a placeholder stands, so that it is the same text after parsing and nothing else.

use std::borrow::Cow;

use super::Style;

/// How a value goes in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bundle) enum Written<'v> {
    /// In the placeholder's place.
    Here(Cow<'v, str>),
    /// This style can't carry it: the whole scalar must be written between other quotes.
    Requoted,
}

/// A value in the place of a placeholder. `starts`, `ends`: the placeholder is the beginning, the end of its scalar.
/// `indentation`: what a line of a block begins with.
pub(in crate::bundle) fn write<'v>(
    style: Style,
    value: &'v str,
    (starts, ends): (bool, bool),
    indentation: &str,
) -> Written<'v> {
    match style {
        Style::Bare => Written::Here(Cow::Borrowed(value)),
        Style::Json | Style::YamlDouble | Style::TomlBasic | Style::TomlBasicLines => Written::Here(quoted(value)),
        Style::YamlPlain if is_plain(value, starts, ends) => Written::Here(Cow::Borrowed(value)),
        Style::YamlSingle if !value.contains(char::is_control) => Written::Here(replace(value, "'", "''")),
        Style::YamlBlock => Written::Here(replace(value, "\n", &format!("\n{indentation}"))),
        Style::TomlLiteral | Style::TomlLiteralLines if !value.contains(|c: char| c == '\'' || c.is_control()) => {
            Written::Here(Cow::Borrowed(value))
        }
        Style::YamlPlain | Style::YamlSingle | Style::TomlLiteral | Style::TomlLiteralLines => Written::Requoted,
    }
}

/// Between double quotes: JSON's escapes, which YAML and TOML know, too.
pub(in crate::bundle) fn quoted(value: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_control() || matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    if !value.contains(special) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if special(c) => escaped.push_str(&format!("\\u{:04x}", c as u32)),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn replace<'v>(value: &'v str, from: &str, to: &str) -> Cow<'v, str> {
    if value.contains(from) {
        Cow::Owned(value.replace(from, to))
    } else {
        Cow::Borrowed(value)
    }
}

/// Whether a value is plain text of YAML wherever it stands (also in `[…]`), and means itself.
fn is_plain(value: &str, starts: bool, ends: bool) -> bool {
    if value.is_empty() {
        return !(starts && ends);
    }
    let blank = |c: char| c == ' ';
    let word = matches!(value, "~" | "null" | "Null" | "NULL");
    let begins_other = value.starts_with(|c: char| "-?:#&*!|>'\"%@`".contains(c));
    !(value.contains(|c: char| c.is_control() || matches!(c, '[' | ']' | '{' | '}' | ',' | '\u{feff}'))
        || value.contains(": ")
        || value.contains(" #")
        || value.ends_with(':')
        || (!starts && value.starts_with('#'))
        || (starts && (begins_other || value.starts_with(blank) || value.starts_with("..."))
            || (ends && value.ends_with(blank)))
        || (starts && ends && word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, value: &str) -> Option<String> {
        match write(style, value, (true, true), "  ") {
            Written::Here(text) => Some(text.into_owned()),
            Written::Requoted => None,
        }
    }

    #[test]
    fn values_are_written_as_each_style_can() {
        assert_eq!(written(Style::Json, "a\"\n\u{1}").as_deref(), Some("a\\\"\\n\\u0001"));
        assert_eq!(written(Style::TomlBasic, "\u{7f}").as_deref(), Some("\\u007f"));
        assert_eq!(written(Style::YamlSingle, "it's").as_deref(), Some("it''s"));
        assert_eq!(written(Style::YamlSingle, "a\nb"), None);
        assert_eq!(written(Style::YamlBlock, "a\nb").as_deref(), Some("a\n  b"));
        assert_eq!(written(Style::TomlLiteral, "it's"), None);
        assert_eq!(written(Style::TomlLiteral, "C:\\x").as_deref(), Some("C:\\x"));
        assert_eq!(written(Style::Bare, "[1]").as_deref(), Some("[1]"));
        for plain in ["https://a.example.com:8443/x?a=b", "8080", "true", "a b", "a'b"] {
            assert_eq!(written(Style::YamlPlain, plain).as_deref(), Some(plain));
        }
        for other in [
            "", "a: b", "a #b", "a:", "#a", "[a", "a,b", "- a", "null", "~", " a", "a ", "\"a\"", "a\nb",
        ] {
            assert_eq!(written(Style::YamlPlain, other), None, "{other}");
        }
    }
}
