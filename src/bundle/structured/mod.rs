//! JSON, YAML and TOML as the same tree as XML: members are elements, an array is its items.
//!
//! A placeholder may stand where the syntax wants a value (`"verifyEmail": ${VERIFY}`), so the file is parsed from a
//! text of equal length in which digits take the place of each placeholder: a number is fine bare and in quotes, and
//! all byte ranges are those of the real text.

use std::ops::Range;

use super::collect::{Collected, Collector, NO_NODE, Placement};
use super::document::{Document, Syntax};
use super::placeholder::Grammar;
use super::problem::Problem;
use crate::diagnostic::Code;

mod builder;
mod holes;
mod json;
mod toml;
mod yaml;

use builder::Builder;
use holes::Holes;

/// How deep objects and arrays may lie.
const DEEPEST: usize = 256;
/// How many elements a file may have.
const MOST_ELEMENTS: usize = 16_000_000;

/// Whether the items of an array that is a whole file are roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootArray {
    /// Each item is a root: an export of several realms.
    Roots,
    /// It is one root, and its items are elements `item`.
    Items,
}

/// Why a file can't be read.
struct Malformed {
    message: String,
    range: Range<usize>,
    help: Option<&'static str>,
}

impl Malformed {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self {
            message: message.into(),
            range,
            help: None,
        }
    }

    fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

type Result<T> = std::result::Result<T, Malformed>;

/// Reads a file. What comes after the first error is still searched for placeholders.
pub(super) fn read(
    text: &str,
    file: usize,
    grammar: &Grammar,
    syntax: Syntax,
    root_array: RootArray,
) -> (Document, Collected) {
    let holes = Holes::find(text, grammar);
    let standing_in = holes.stand_in(text);
    let mut builder = Builder::new(text, &holes, syntax, root_array);
    let result = if u32::try_from(text.len()).is_err() {
        Err(Malformed::new("the file is larger than 4 GiB", 0..0))
    } else {
        match syntax {
            Syntax::Yaml => yaml::read(&standing_in, &mut builder),
            Syntax::Toml => toml::read(&standing_in, &mut builder),
            Syntax::Json | Syntax::Xml | Syntax::Lines => json::read(&standing_in, &mut builder),
        }
    };
    let mut collector = Collector::new(text, file, grammar);
    let (mut document, runs, duplicates) = builder.finish();
    if let Err(malformed) = result {
        document.broken = true;
        collector.problem(malformed.into_problem(file, syntax, text));
    }
    for (second, first) in duplicates {
        let message = format!("`{}` stands twice in one object", name_at(text, &second));
        let problem = Problem::new(Code::DuplicateKey, message)
            .at(file, second, "again here")
            .at(file, first, "first here")
            .help("remove one of them: readers differ in which one they take");
        collector.problem(problem);
    }
    collect(&mut collector, &standing_in, syntax, &runs);
    document.group();
    (document, collector.finish())
}

fn name_at<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or_default().trim_matches(['"', '\''])
}

/// A scalar or a key with a placeholder in it.
struct Run {
    range: Range<usize>,
    node: u32,
    placement: Placement,
}

/// Gives the collector the whole text from the left: scalars with their elements, the rest line by line.
fn collect(collector: &mut Collector<'_>, text: &str, syntax: Syntax, runs: &[Run]) {
    let mut done = 0;
    for run in runs {
        if run.range.start < done {
            continue;
        }
        rest(collector, text, syntax, done..run.range.start);
        for line in lines(text, run.range.clone()) {
            collector.run(line, run.node, run.placement);
        }
        done = run.range.end;
    }
    rest(collector, text, syntax, done..text.len());
}

/// What is no scalar: marks of the syntax and comments.
fn rest(collector: &mut Collector<'_>, text: &str, syntax: Syntax, range: Range<usize>) {
    for line in lines(text, range) {
        let comment = comment(&text[line.clone()], text[..line.start].chars().next_back(), syntax);
        let middle = comment.map_or(line.end, |at| line.start + at);
        collector.run(line.start..middle, NO_NODE, Placement::Text);
        collector.run(middle..line.end, NO_NODE, Placement::Comment);
    }
}

/// Where a comment begins in a piece of a line without scalars.
fn comment(line: &str, before: Option<char>, syntax: Syntax) -> Option<usize> {
    let begins = |at: usize| match syntax {
        Syntax::Toml => true,
        Syntax::Yaml => line[..at]
            .chars()
            .next_back()
            .or(before)
            .is_none_or(char::is_whitespace),
        Syntax::Json | Syntax::Xml | Syntax::Lines => false,
    };
    memchr::memchr_iter(b'#', line.as_bytes()).find(|at| begins(*at))
}

fn lines(text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = range.start;
    text.get(range)
        .unwrap_or_default()
        .split_inclusive('\n')
        .map(move |line| {
            let line = start..start + line.len();
            start = line.end;
            line
        })
}

impl Malformed {
    fn into_problem(self, file: usize, syntax: Syntax, text: &str) -> Problem {
        let code = match syntax {
            Syntax::Yaml => Code::YamlMalformed,
            Syntax::Toml => Code::TomlMalformed,
            Syntax::Json | Syntax::Xml | Syntax::Lines => Code::JsonMalformed,
        };
        let problem = Problem::new(code, self.message).at(file, on_characters(text, self.range), "");
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

/// A range within the text, widened to whole characters.
fn on_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let start = (0..=range.start.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    let end = (range.end.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at));
    let (start, end) = (start.unwrap_or(0), end.unwrap_or(text.len()));
    start..end.max(start)
}

/// The character at a place, to point at it.
fn one_character(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let length = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8);
    at..at + length
}

#[cfg(test)]
mod tests;
