//! Env files as people write them, with the places of names and values.
//!
//! Shells, `docker run --env-file` and compose read the same line differently. What is read here:
//!
//! | written | value | elsewhere |
//! |---|---|---|
//! | `X=a=b;c#d` | `a=b;c#d`, literally | a shell ends it at `;` |
//! | `X=a # b` | `a` | docker keeps ` # b` |
//! | `X='a $b # c'` | `a $b # c`, literally, also over lines | docker keeps the quotes |
//! | `X="a\n\"b\" \$c"` | line break, quotes and `$`; `\\` is one backslash, an escaped backtick is a backtick, another `\x` stays as it is | docker keeps all of it |
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
mod tests;
