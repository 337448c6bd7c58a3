//! Strings of a JSON file with their paths, without asking that it be valid: a placeholder may stand where JSON wants
//! a value (`"verifyEmail": $(sys:verify)`), so before it is filled the file is often no JSON.

use std::ops::Range;

/// How deep objects may lie; what is deeper is passed over.
const DEEPEST: usize = 128;

/// A string that is a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonString<'t> {
    /// Names of the members that hold it, from the outermost; arrays add none.
    pub path: Vec<&'t str>,
    /// Its bytes between the quotes.
    pub range: Range<usize>,
}

struct Frame<'t> {
    is_object: bool,
    key: Option<&'t str>,
    after_colon: bool,
}

/// All strings that are values, from the top.
pub(super) fn strings(text: &str) -> Vec<JsonString<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut deeper = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let range = at..string_end(bytes, at);
                at = range.end + 1;
                match frames.last_mut() {
                    Some(frame) if frame.is_object && !frame.after_colon => frame.key = text.get(range),
                    Some(_) if deeper == 0 => found.push(JsonString {
                        path: frames.iter().filter_map(|frame| frame.key).collect(),
                        range,
                    }),
                    _ => {}
                }
            }
            b'{' | b'[' if frames.len() >= DEEPEST => deeper += 1,
            b'{' | b'[' => frames.push(Frame {
                is_object: *byte == b'{',
                key: None,
                after_colon: false,
            }),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => {
                frames.pop();
            }
            b':' | b',' => {
                if let Some(frame) = frames.last_mut() {
                    frame.after_colon = *byte == b':';
                }
            }
            _ => {}
        }
    }
    found
}

/// Where the string that begins at `at` ends: at its quote, or at the end of its line.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' | b'\n' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    end.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, &str)> {
        let strings = strings(text).into_iter();
        strings.map(|s| (s.path.join("/"), &text[s.range])).collect()
    }

    #[test]
    fn values_have_the_names_of_their_members() {
        let text =
            r#"{"clients": [{"id": "a", "secret": "s\"x"}, {"n": 1, "list": ["p", "q"]}], "on": $(sys:a.b), "t": "u"}"#;
        let expected = [
            ("clients/id", "a"),
            ("clients/secret", "s\\\"x"),
            ("clients/list", "p"),
            ("clients/list", "q"),
            ("t", "u"),
        ];
        let read = read(text);
        let read: Vec<_> = read.iter().map(|(path, value)| (path.as_str(), *value)).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn rubbish_is_passed_over() {
        for text in ["", "\"", "{\"a", "{\"a\":\"b\n", "}}]]", "{\"a\\", "\"é\\é"] {
            for string in strings(text) {
                assert!(text.get(string.range).is_some(), "{text}");
            }
        }
        assert!(strings(&"[".repeat(100_000)).is_empty());
    }
}
