//! TOML's strings.

use std::borrow::Cow;

/// A basic string without its quotes; `lines`: between three of them.
pub(super) fn basic(written: &str, lines: bool) -> Cow<'_, str> {
    let written = if lines {
        without_first_line_end(written)
    } else {
        written
    };
    if memchr::memchr(b'\\', written.as_bytes()).is_none() {
        return Cow::Borrowed(written);
    }
    let mut decoded = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let after = &rest[1..];
        let blank = after.trim_start_matches([' ', '\t']);
        if lines && blank.starts_with(['\n', '\r']) {
            // A `\` at a line's end takes the blanks up to the next text with it.
            rest = blank.trim_start();
            continue;
        }
        let (character, length) = escape(rest);
        decoded.push(character);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn escape(text: &str) -> (char, usize) {
    let digits = match text.as_bytes().get(1) {
        Some(b'e') => return ('\u{1b}', 2),
        Some(b'x') => 2,
        Some(b'U') => 8,
        _ => return super::json_escape(text),
    };
    let code = text
        .get(2..2 + digits)
        .and_then(|code| u32::from_str_radix(code, 16).ok());
    match code.and_then(char::from_u32) {
        Some(character) => (character, 2 + digits),
        None => ('\\', 1),
    }
}

/// A line end right after the three quotes is not part of the string.
pub(super) fn without_first_line_end(written: &str) -> &str {
    let rest = written.strip_prefix('\r').unwrap_or(written);
    rest.strip_prefix('\n').unwrap_or(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_strings_are_decoded_as_the_library_does() {
        for (open, written) in [
            ("\"", r#"a\tb\"c\\\u00e9\U0001F600\e\x41"#),
            ("\"\"\"", "\nfirst\nsecond \\\n   third\\\"\"\"\\\"x"),
            ("\"\"\"", "\r\nx\n"),
        ] {
            let text = format!("a = {open}{written}{open}");
            let parsed: toml::Table = text.parse().expect("TOML");
            let decoded = basic(written, open.len() == 3);
            assert_eq!(
                Some(decoded.replace("\r\n", "\n").as_str()),
                parsed["a"].as_str().map(|s| s.replace("\r\n", "\n")).as_deref()
            );
        }
        for rubbish in ["\\", "\\U12", "\\x", "\\q"] {
            assert_eq!(basic(rubbish, false), rubbish);
        }
    }
}
