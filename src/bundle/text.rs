//! Text as XML writes it: references and CDATA decoded, values escaped.

use std::borrow::Cow;
use std::ops::Range;

/// Replaces `&`, `<`, `>` and the quotes, so that a value is the same text after parsing, in text and in attributes.
pub(super) fn escape(value: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\r');
    if !value.contains(special) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // A bare one would become a line feed when it is parsed.
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// In CDATA nothing is escaped; only its end must not appear.
pub(super) fn escape_cdata(value: &str) -> Cow<'_, str> {
    if value.contains("]]>") {
        Cow::Owned(value.replace("]]>", "]]]]><![CDATA[>"))
    } else {
        Cow::Borrowed(value)
    }
}

/// The characters of an element's content that has no child elements: references decoded, CDATA opened, comments and
/// processing instructions left out, line ends normalized. `content` comes from a well-formed file.
pub(super) fn decode_content(content: &str) -> Cow<'_, str> {
    if memchr::memchr3(b'&', b'<', b'\r', content.as_bytes()).is_none() {
        return Cow::Borrowed(content);
    }
    let mut decoded = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find(['&', '<']) {
        push_lines(&mut decoded, &rest[..at]);
        rest = &rest[at..];
        let taken = if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let end = inner.find("]]>").unwrap_or(inner.len());
            push_lines(&mut decoded, &inner[..end]);
            "<![CDATA[".len() + end + "]]>".len()
        } else if rest.starts_with("<!--") {
            rest.find("-->").map_or(rest.len(), |end| end + "-->".len())
        } else if rest.starts_with("<?") {
            rest.find("?>").map_or(rest.len(), |end| end + "?>".len())
        } else if let Some((character, length)) = reference(rest) {
            decoded.push(character);
            length
        } else {
            decoded.push_str(&rest[..1]);
            1
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    push_lines(&mut decoded, rest);
    Cow::Owned(decoded)
}

/// XML reads `\r\n` and `\r` as `\n`.
fn push_lines(decoded: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('\r') {
        decoded.push_str(&rest[..at]);
        decoded.push('\n');
        rest = &rest[at + 1..];
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    decoded.push_str(rest);
}

/// The reference that `text` begins with: its character and its length in bytes. Only the five predefined entities
/// and numbers: there is no DTD that could define others.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(12).position(|byte| byte == b';')?;
    let character = match &body[..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        number => {
            let number = number.strip_prefix('#')?;
            // `parse` takes a sign, XML doesn't.
            if number.contains('+') {
                return None;
            }
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?).filter(|c| is_xml_character(*c))?
        }
    };
    Some((character, end + 2))
}

fn is_xml_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The first character of a value that no XML file can carry, not even escaped.
pub(super) fn unwritable(value: &str) -> Option<char> {
    value.chars().find(|c| !is_xml_character(*c))
}

/// `range` without blanks at its ends.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_ascii_start().len());
    let end = range.end - (part.len() - part.trim_ascii_end().len());
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_decoded_as_a_parser_does() {
        assert_eq!(decode_content("plain"), "plain");
        assert_eq!(decode_content(r"\h&gt; "), r"\h> ");
        assert_eq!(decode_content("a&#x41;&#66;&amp;amp;"), "aAB&amp;");
        assert_eq!(decode_content("a<![CDATA[<&b>]]]]><!-- no --><?pi no?>c"), "a<&b>]]c");
        assert_eq!(decode_content("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(decode_content("a&#13;b"), "a\rb");
    }

    #[test]
    fn references_that_mean_nothing_are_none() {
        for text in [
            "&nbsp;",
            "&",
            "&;",
            "&#0;",
            "&#xD800;",
            "&#x110000;",
            "&amp",
            "&#;",
            "&#+65;",
            "&#99999999999;",
        ] {
            assert_eq!(reference(text), None, "{text}");
        }
    }

    #[test]
    fn escaping_and_decoding_are_inverse() {
        for value in ["a&b<c>\"'", "]]>", "\r\n", "", "é😀"] {
            assert_eq!(decode_content(&escape(value)), value);
            let cdata = format!("<![CDATA[{}]]>", escape_cdata(value));
            assert_eq!(decode_content(&cdata), value.replace("\r\n", "\n"));
        }
    }
}
