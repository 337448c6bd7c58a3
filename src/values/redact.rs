//! Takes a stage's secrets out of what a server says: logs, answers, messages.
//!
//! A secret is found as it is and as programs write it down: escaped in JSON and XML, percent-encoded, in base64 (also
//! inside a longer text, as in `Authorization: Basic …`), and line by line where it has several. One that a program cuts
//! at other places, hashes or encrypts is not found.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::StageValues;

/// What stands in a secret's place.
const HIDDEN: &str = "***";
/// A shorter secret is replaced only where it stands as a word of its own: `a` or `123` is in every line of a log, and a
/// log full of holes would tell it.
const SHORTEST_ANYWHERE: usize = 6;
/// A shorter piece of base64 says too little, and is found by chance.
const SHORTEST_ENCODED: usize = 8;

/// Replaces secrets by `***`. Shows none of them, in `Debug` neither. Cheap to clone.
#[derive(Clone)]
pub struct Redactor {
    anywhere: Option<AhoCorasick>,
    words: Option<AhoCorasick>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// For these secrets. Empty ones are none.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut anywhere = BTreeSet::new();
        let mut words = BTreeSet::new();
        for secret in secrets {
            for piece in pieces(secret) {
                for form in written(piece) {
                    match form.len() {
                        0 => {}
                        1..SHORTEST_ANYWHERE => drop(words.insert(form)),
                        _ => drop(anywhere.insert(form)),
                    }
                }
                if piece.len() >= SHORTEST_ANYWHERE {
                    anywhere.extend(encoded(piece.as_bytes()));
                    anywhere.extend(encoded(percent(piece, Hex::Upper, Blank::Plus).as_bytes()));
                }
            }
        }
        Self {
            anywhere: automaton(&anywhere),
            words: automaton(&words),
        }
    }

    /// For every secret of a stage, also for those that no parameter asks for.
    pub fn of(values: &StageValues) -> Self {
        let hidden = values.overridden().iter().map(|(_, value)| value);
        let all = values.iter().map(|(_, value)| value).chain(hidden);
        Self::new(all.filter(|value| value.is_secret()).map(super::Value::expose))
    }

    /// The text without the secrets.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The bytes without the secrets.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let text = match &self.anywhere {
            Some(automaton) => replace(automaton, bytes, |_| true),
            None => bytes.to_vec(),
        };
        match &self.words {
            Some(automaton) => replace(automaton, &text, |range| is_word(&text, range)),
            None => text,
        }
    }
}

fn automaton(patterns: &BTreeSet<String>) -> Option<AhoCorasick> {
    if patterns.is_empty() {
        return None;
    }
    // Building fails only where patterns have gigabytes; sources of secrets are bounded far below.
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(patterns)
        .ok()
}

fn replace(automaton: &AhoCorasick, bytes: &[u8], counts: impl Fn(std::ops::Range<usize>) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for found in automaton.find_iter(bytes).filter(|found| counts(found.range())) {
        kept.extend_from_slice(&bytes[done..found.start()]);
        kept.extend_from_slice(HIDDEN.as_bytes());
        done = found.end();
    }
    kept.extend_from_slice(&bytes[done..]);
    kept
}

fn is_word(text: &[u8], range: std::ops::Range<usize>) -> bool {
    let inner = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    !inner(before) && !inner(text.get(range.end))
}

/// The whole secret, and its lines where it has several: logs put something before each line.
fn pieces(secret: &str) -> impl Iterator<Item = &str> {
    let lines = secret
        .lines()
        .map(str::trim)
        .filter(move |line| line.len() >= SHORTEST_ENCODED && *line != secret && !line.starts_with("-----"));
    std::iter::once(secret)
        .chain(std::iter::once(secret.trim()).filter(move |trimmed| *trimmed != secret))
        .chain(lines)
}

/// The ways in which programs write a text into another one.
fn written(secret: &str) -> [String; 7] {
    [
        secret.to_owned(),
        escaped(secret, |c| match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            _ => None,
        }),
        escaped(secret, |c| match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            '"' => Some("&quot;"),
            '\'' => Some("&apos;"),
            _ => None,
        }),
        percent(secret, Hex::Upper, Blank::Percent),
        percent(secret, Hex::Lower, Blank::Percent),
        percent(secret, Hex::Upper, Blank::Plus),
        percent(secret, Hex::Lower, Blank::Plus),
    ]
}

fn escaped(text: &str, by: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match by(c) {
            Some(other) => escaped.push_str(other),
            None => escaped.push(c),
        }
    }
    escaped
}

#[derive(Clone, Copy)]
enum Hex {
    Upper,
    Lower,
}

#[derive(Clone, Copy)]
enum Blank {
    Percent,
    Plus,
}

fn percent(text: &str, hex: Hex, blank: Blank) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        // Writing to a `String` does not fail.
        let _ = match (byte, blank, hex) {
            (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~', ..) => {
                encoded.push(char::from(byte));
                Ok(())
            }
            (b' ', Blank::Plus, _) => {
                encoded.push('+');
                Ok(())
            }
            (_, _, Hex::Upper) => write!(encoded, "%{byte:02X}"),
            (_, _, Hex::Lower) => write!(encoded, "%{byte:02x}"),
        };
    }
    encoded
}

/// What base64 makes of the secret, wherever in a longer text it begins: of the three ways to fall into groups of three
/// bytes, the characters that no neighbour has a part in.
fn encoded(secret: &[u8]) -> impl Iterator<Item = String> {
    (0..3).flat_map(move |before| {
        let mut text = vec![0; before];
        text.extend_from_slice(secret);
        let bits_before = before * 8;
        let bits = text.len() * 8;
        let range = bits_before.div_ceil(6)..bits / 6;
        [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]
            .into_iter()
            .filter_map(move |all| all.get(range.clone()).map(str::to_owned))
            .filter(|own| own.len() >= SHORTEST_ENCODED)
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    fn hides(secret: &str, text: &str) -> bool {
        !Redactor::new([secret]).text(text).contains(secret)
    }

    #[test]
    fn a_secret_goes_wherever_it_stands() {
        let redactor = Redactor::new(["hunter2hunter2", "", "p@ss/w\"ord &<"]);
        assert_eq!(
            redactor.text("password=hunter2hunter2, again:xhunter2hunter2x"),
            "password=***, again:x***x"
        );
        assert_eq!(redactor.text(r#"{"a":"p@ss/w\"ord &<"}"#), r#"{"a":"***"}"#);
        assert_eq!(redactor.text("<a>p@ss/w&quot;ord &amp;&lt;</a>"), "<a>***</a>");
        assert_eq!(
            redactor.text("?a=p%40ss%2Fw%22ord%20%26%3C&b=p%40ss%2fw%22ord+%26%3c&"),
            "?a=***&b=***&"
        );
        assert_eq!(redactor.text("nothing here, and \u{e9}"), "nothing here, and \u{e9}");
        assert_eq!(format!("{redactor:?}"), "Redactor(…)");
    }

    #[test]
    fn base64_with_and_without_padding_and_inside_a_longer_text() {
        let secret = "correct?horse>battery~staple\u{fc}";
        let redactor = Redactor::new([secret]);
        for text in [
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE.encode(secret),
        ] {
            let told = redactor.text(&text);
            assert!(told.starts_with("***") && told.len() <= 3 + 4, "{told}");
        }
        for name in ["c", "cl", "cli", "clie"] {
            let told = redactor.text(&format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))));
            assert!(told.contains("***") && told.len() < 6 + 20, "{told}");
            let form = percent(secret, Hex::Upper, Blank::Plus);
            let told = redactor.text(&STANDARD.encode(format!("{name}:{form}")));
            assert!(told.contains("***") && told.len() < 20, "{told}");
        }
    }

    #[test]
    fn the_lines_of_a_key_go_one_by_one() {
        let secret = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAo\n-----END PRIVATE KEY-----\n";
        let redactor = Redactor::new([secret]);
        let log = "12:00 MIIEvQIBADANBgkqhkiG9w0\n12:00 BAQEFAASCBKcwggSjAgEAAo\n";
        assert_eq!(redactor.text(log), "12:00 ***\n12:00 ***\n");
        assert_eq!(redactor.text(secret.trim_end()), "***");
        assert_eq!(redactor.text(&secret.replace('\n', "\\n")), "***");
    }

    #[test]
    fn a_short_secret_goes_only_where_it_is_a_word() {
        let redactor = Redactor::new(["ab1", "x"]);
        assert_eq!(redactor.text("pin=ab1; cab1n, x x-ray"), "pin=***; cab1n, *** ***-ray");
        assert!(hides("sixsix", "xsixsixx"));
    }

    #[test]
    fn the_longest_of_two_that_overlap_goes() {
        let redactor = Redactor::new(["secret", "secret-and-more"]);
        assert_eq!(redactor.text("a secret-and-more b secret c"), "a *** b *** c");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let redactor = Redactor::new(["hunter2hunter2"]);
        assert_eq!(redactor.bytes(b"\xff\x00hunter2hunter2\xfe"), b"\xff\x00***\xfe");
        assert_eq!(Redactor::new([]).bytes(b"\xff"), b"\xff");
    }

    #[test]
    fn all_secrets_of_a_stage_and_no_plain_value() {
        let (mut values, _) = super::super::stage_values(&[crate::diagnostic::Source::new("a.env", "A=plain-value")]);
        values.insert_secret("B".parse().expect("name"), "hidden-value".into(), "env:X_");
        let redactor = Redactor::of(&values);
        assert_eq!(redactor.text("plain-value hidden-value"), "plain-value ***");
    }
}
