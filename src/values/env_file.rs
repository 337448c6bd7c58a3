//! Env files as people write them, with the places of names and values.
//!
//! Shells, `docker run --env-file` and compose read the same line differently. What is read here:
//!
//! | written | value | elsewhere |
//! |---|---|---|
//! | `X=a=b;c#d` | `a=b;c#d`, literally | a shell ends it at `;` |
//! | `X=a # b` | `a` | docker keeps ` # b` |
//! | `X='a $b # c'` | `a $b # c`, literally, also over lines | docker keeps the quotes |
//! | `X="a\n\"b\" \$c"` | line break, quotes and `$`; `\\` is one backslash, another `\x` stays as it is | docker keeps all of it |
//! | `X=a$B`, `X="${B}"` | literally, with a warning | shells and compose put in the variable `B` |
//! | `export X=a` | `a` | docker refuses |
//! | `X =a`, `X= a`, `X`, `X='a'b` | an error: no two readers agree | |
//!
//! Line breaks inside quotes are `\n`, whatever the file's own are. Nothing is ever expanded.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use secrecy::SecretString;

use super::env_problem::Problem;
use super::env_value::{self, Reading};
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::profile::ParameterName;

/// After so many problems the rest of a file is left unread: it is no env file.
const MOST_PROBLEMS: usize = 100;

/// One `NAME=value`. `Debug` does not show the value.
#[derive(Clone)]
pub struct EnvEntry {
    /// The name.
    pub name: ParameterName,
    /// The value, without quotes and escapes.
    pub value: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Where the value stands, without quotes; no bytes long when it is empty.
    pub value_span: Span,
}

impl fmt::Debug for EnvEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EnvEntry({} at {})", self.name, self.name_span)
    }
}

/// One `NAME=value` of a file of secrets.
#[derive(Clone, Debug)]
pub struct SecretEntry {
    /// The name.
    pub name: ParameterName,
    /// The value.
    pub value: SecretString,
    /// Where the name stands, in a withheld source.
    pub name_span: Span,
}

/// Reads an env file. Lines that can't be read are told and left out; the others are all returned, in order.
///
/// A name that stands twice with two values is an error; both entries are returned.
pub fn parse_env(source: &Source) -> (Vec<EnvEntry>, Vec<Diagnostic>) {
    scan(source.text(), source)
}

/// Reads an env file of secrets. No diagnostic can show a piece of it: their places are in a withheld source.
pub fn parse_secret_env(path: &str, text: &str) -> (Vec<SecretEntry>, Vec<Diagnostic>) {
    let (entries, diagnostics) = scan(text, &Source::withheld(path, text));
    let secret = |entry: EnvEntry| SecretEntry {
        name: entry.name,
        value: SecretString::from(entry.value),
        name_span: entry.name_span,
    };
    (entries.into_iter().map(secret).collect(), diagnostics)
}

/// `text` is what is read, `source` is where diagnostics point: the same text, or its shadow.
fn scan(text: &str, source: &Source) -> (Vec<EnvEntry>, Vec<Diagnostic>) {
    let mut scanner = Scanner {
        text,
        source,
        at: if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        },
        entries: Vec::new(),
        diagnostics: Vec::new(),
    };
    while scanner.at < text.len() && scanner.diagnostics.len() < MOST_PROBLEMS {
        scanner.line();
    }
    if scanner.at < text.len() {
        let place = scanner.source.span(scanner.at..scanner.at).withheld();
        let told = Diagnostic::new(
            Code::EnvSyntax,
            "too many problems: the rest of this env file is left unread",
        );
        scanner.diagnostics.push(told.at(place, "read up to here"));
    }
    let mut diagnostics = scanner.diagnostics;
    diagnostics.extend(duplicates(&scanner.entries));
    (scanner.entries, diagnostics)
}

struct Scanner<'a> {
    text: &'a str,
    source: &'a Source,
    at: usize,
    entries: Vec<EnvEntry>,
    diagnostics: Vec<Diagnostic>,
}

impl Scanner<'_> {
    /// Reads one line, or more when a quoted value goes on.
    fn line(&mut self) {
        let Range { start, end } = env_value::line_at(self.text, self.at);
        self.at = env_value::next_line(self.text, end);
        let line = &self.text[start..end];
        let trimmed = line.trim_start_matches(env_value::is_blank);
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        let start = end - after_export(trimmed).len();
        let Some(equals) = self.text[start..end].find('=') else {
            let name = start..start + self.text[start..end].trim_end().len();
            return self.problem(Problem::NoEquals, None, name);
        };
        let written = &self.text[start..start + equals];
        let name_range = start..start + written.trim_end_matches(env_value::is_blank).len();
        let name = written.trim_end_matches(env_value::is_blank).parse::<ParameterName>();
        let reading = env_value::read(self.text, start + equals + 1);
        self.at = reading.next;
        match name {
            Err(_) => self.problem(Problem::InvalidName, None, name_range),
            Ok(name) if name_range.len() < equals => self.problem(Problem::BlankBefore, Some(&name), name_range),
            Ok(name) => self.entry(name, name_range, reading),
        }
    }

    fn entry(&mut self, name: ParameterName, name_range: Range<usize>, reading: Reading) {
        for problem in &reading.problems {
            self.problem(*problem, Some(&name), name_range.clone());
        }
        if let Some(value) = reading.value {
            self.entries.push(EnvEntry {
                name,
                value,
                name_span: self.source.span(name_range),
                value_span: self.source.span(reading.range),
            });
        }
    }

    /// The place is always the name's: what stands behind it may be a secret.
    fn problem(&mut self, problem: Problem, name: Option<&ParameterName>, place: Range<usize>) {
        let span = self.source.span(place);
        self.diagnostics.push(problem.diagnostic(name, span));
    }
}

/// A line without its leading `export`.
fn after_export(line: &str) -> &str {
    match line.strip_prefix("export") {
        Some(rest) if rest.starts_with(env_value::is_blank) => rest.trim_start_matches(env_value::is_blank),
        _ => line,
    }
}

/// Names with two values; the same value twice is harmless.
fn duplicates(entries: &[EnvEntry]) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, &EnvEntry> = HashMap::new();
    let mut told = Vec::new();
    for entry in entries {
        match first.get(entry.name.as_str()) {
            None => {
                first.insert(entry.name.as_str(), entry);
            }
            Some(before) if before.value == entry.value => {}
            Some(before) if told.len() < MOST_PROBLEMS => told.push(
                Diagnostic::new(
                    Code::EnvDuplicate,
                    format!("`{}` has two values in one env file", entry.name),
                )
                // Withheld: one of the two lines may hold a secret.
                .at(entry.name_span.withheld(), "the second value")
                .at(before.name_span.withheld(), "the first value")
                .help("take one of the two lines out"),
            ),
            Some(_) => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::diagnostic::Severity;

    fn read(text: &str) -> (Vec<(String, String)>, Vec<Diagnostic>) {
        let (entries, diagnostics) = parse_env(&Source::new("x.env", text));
        let pairs = entries.into_iter().map(|entry| (entry.name.to_string(), entry.value));
        (pairs.collect(), diagnostics)
    }

    fn value(text: &str) -> String {
        let (mut pairs, diagnostics) = read(text);
        assert_eq!(diagnostics, [], "{text}");
        assert_eq!(pairs.len(), 1, "{text}");
        pairs.remove(0).1
    }

    fn refused(text: &str) -> Diagnostic {
        let (pairs, mut diagnostics) = read(text);
        assert_eq!((pairs.len(), diagnostics.len()), (0, 1), "{text}: {diagnostics:?}");
        assert_eq!(diagnostics[0].code, Code::EnvSyntax);
        assert!(diagnostics[0].is_error(), "{text}");
        diagnostics.remove(0)
    }

    #[test]
    fn reads_values_as_people_write_them() {
        for (text, expected) in [
            ("X=a", "a"),
            ("X=a\r\n", "a"),
            ("\u{feff}X=a", "a"),
            ("  export\tX=a  ", "a"),
            ("X=", ""),
            ("X=   # nothing", ""),
            ("X=''", ""),
            ("X=a=b;c#d", "a=b;c#d"),
            ("X=a # b", "a"),
            ("X=#a", "#a"),
            ("X=two words", "two words"),
            ("X='a $b # \"c\" ${d}'  # note", "a $b # \"c\" ${d}"),
            (r#"X="a\n\"b\" \$c \\ \d""#, "a\n\"b\" $c \\ \\d"),
            ("X='a\r\nb\r\n'", "a\nb\n"),
            ("X=\"a\nb\"", "a\nb"),
            ("X='$5$abcdefgh$x'", "$5$abcdefgh$x"),
            ("X=cost $ 5$", "cost $ 5$"),
            ("# X=1\n\n   \nX=é", "é"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn a_dollar_that_others_expand_is_kept_and_told() {
        for text in ["X=a${B}", "X=$5$abc", "X=\"$B\""] {
            let (pairs, diagnostics) = read(text);
            assert_eq!(pairs[0].1, text[2..].trim_matches('"'), "{text}");
            assert_eq!(diagnostics[0].severity, Severity::Warning);
            assert!(diagnostics[0].help[0].contains("single quotes"));
        }
    }

    #[test]
    fn refuses_what_readers_disagree_on() {
        for (text, part) in [
            ("X =a", "blank before"),
            ("X= a", "blank after"),
            ("X", "no `=`"),
            ("export X", "no `=`"),
            ("MY-KEY=a", "`MY-KEY`"),
            ("=a", "no name"),
            ("1X='a\nb'", "`1X`"),
            ("X='a'b", "closing quote"),
            ("X='it'\\''s'", "closing quote"),
            ("X='a", "never closed"),
            ("X=\"a\\\"", "never closed"),
            ("X=a\0b", "NUL"),
        ] {
            assert!(
                refused(text).message.contains(part),
                "{text}: {}",
                refused(text).message
            );
        }
    }

    #[test]
    fn an_open_quote_spoils_one_line_only() {
        let (pairs, diagnostics) = read("W='a\nX='b'\nY=c");
        assert_eq!(pairs.len(), 2);
        assert!(diagnostics[0].message.contains("`W`"), "{diagnostics:?}");
        let (pairs, diagnostics) = read("X='a\nY=b\n");
        assert_eq!(pairs, [("Y".to_owned(), "b".to_owned())]);
        assert_eq!(diagnostics.len(), 1);
    }

    #[test]
    fn a_pem_text_without_quotes_is_one_problem_and_none_of_its_lines_a_name() {
        let text = "KEY=-----BEGIN PRIVATE KEY-----\nMIIabc=\nsecretline\n-----END PRIVATE KEY-----\nY=b";
        let (entries, diagnostics) = parse_secret_env("s.env", text);
        assert_eq!(entries.len(), 1);
        assert_eq!(diagnostics.len(), 1);
        assert!(diagnostics[0].message.contains("`KEY`"), "{}", diagnostics[0].message);
    }

    #[test]
    fn two_values_are_an_error_at_both_places_and_one_value_twice_is_not() {
        let (pairs, diagnostics) = read("X=a\nY=b\nX=c\nY=b");
        assert_eq!(pairs.len(), 4);
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].code, Code::EnvDuplicate);
        let places: Vec<_> = diagnostics[0]
            .labels
            .iter()
            .map(|label| label.span.to_string())
            .collect();
        assert_eq!(places, ["x.env:3:1", "x.env:1:1"]);
    }

    #[test]
    fn spans_point_at_name_and_value() {
        let (entries, _) = parse_env(&Source::new("x.env", "export X='a b' # c\nY=\nZ=d # e"));
        let spans: Vec<_> = entries
            .iter()
            .map(|e| (e.name_span.text(), e.value_span.text()))
            .collect();
        assert_eq!(spans, [("X", "a b"), ("Y", ""), ("Z", "d")]);
        assert_eq!(entries[1].value_span.to_string(), "x.env:2:3");
    }

    #[test]
    fn problems_in_a_file_of_secrets_show_nothing_of_it() {
        let text = "A='hunter2\nhunter2\nMY-hunter2=hunter2\nB= hunter2\nC=$hunter2\nD=hunter2\nD=hunter22\nE='hunter2'hunter2";
        let (entries, diagnostics) = parse_secret_env("s.env", text);
        assert_eq!(
            entries
                .iter()
                .find(|e| e.name.as_str() == "D")
                .map(|e| e.value.expose_secret()),
            Some("hunter2")
        );
        assert!(diagnostics.len() >= 6);
        assert!(!format!("{diagnostics:?} {entries:?}").contains("hunter2"));
        for diagnostic in &diagnostics {
            assert!(!diagnostic.message.contains("hunter2") && !diagnostic.help.concat().contains("hunter2"));
            assert!(diagnostic.labels.iter().all(|label| label.span.source.is_withheld()));
        }
        assert_eq!(diagnostics[0].labels[0].span.to_string(), "s.env:1:1");
    }

    #[test]
    fn a_secret_by_name_in_a_plain_file_is_not_shown_by_its_problem() {
        let (_, diagnostics) = read("DB_PASSWORD='a");
        assert!(diagnostics[0].labels[0].span.source.is_withheld());
        let (_, diagnostics) = read("DB_USER='a");
        assert!(!diagnostics[0].labels[0].span.source.is_withheld());
    }

    #[test]
    fn rubbish_is_told_a_hundred_times_at_most() {
        let (_, diagnostics) = read(&"rubbish\n".repeat(100_000));
        assert_eq!(diagnostics.len(), MOST_PROBLEMS + 1);
        let (_, diagnostics) = read(&"X='\n".repeat(2_000));
        assert!(diagnostics.len() <= MOST_PROBLEMS + 1);
    }
}
