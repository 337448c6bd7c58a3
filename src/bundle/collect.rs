//! Collects the parameters of one file, run of text by run of text.

use std::ops::Range;

use std::collections::HashMap;

use super::placeholder::{Found, Grammar};
use super::problem::Problem;
use super::scalar::Style;
use crate::diagnostic::Code;
use crate::profile::ParameterName;

/// How many findings of one file are told; a file of rubbish has millions.
const MOST_PROBLEMS: usize = 500;

/// No element: the placeholder stands in a file without a tree.
pub(super) const NO_NODE: u32 = u32::MAX;

/// Where in its file a placeholder stands; decides how a value is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// Between tags, or anywhere in a file without a tree.
    Text,
    /// In a scalar of JSON, YAML or TOML.
    Scalar(Style),
    /// In a CDATA section.
    Cdata,
    /// In an attribute's value.
    Attribute,
    /// In a comment or processing instruction: no use.
    Comment,
}

/// One place where a parameter is used. Small, because a large configuration has hundreds of thousands;
/// [`Bundle`](super::Bundle) tells more about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Which of [`Bundle::files`](super::Bundle::files).
    pub file: u32,
    /// The placeholder's bytes in the file.
    pub range: Range<u32>,
    /// The bytes of its default as written, if it has one.
    pub default: Option<Range<u32>>,
    pub(super) node: u32,
    pub(super) placement: Placement,
}

impl Use {
    /// The placeholder's bytes in its file.
    pub fn bytes(&self) -> Range<usize> {
        self.range.start as usize..self.range.end as usize
    }

    /// The bytes of its default.
    pub(super) fn default_bytes(&self) -> Option<Range<usize>> {
        let default = self.default.as_ref()?;
        Some(default.start as usize..default.end as usize)
    }
}

/// What one file asks for.
#[derive(Default)]
pub(super) struct Collected {
    /// Names in the order of their first use.
    pub parameters: Vec<(ParameterName, Vec<Use>)>,
    /// Placeholders in comments.
    pub mentions: Vec<(ParameterName, Range<usize>)>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Copy)]
enum Verdict {
    Known(u32),
    Odd,
}

/// What can begin at a mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Opening,
    Lookalike(u16),
}

/// Walks over a file's runs of text from the left.
pub(super) struct Collector<'t> {
    text: &'t str,
    file: usize,
    grammar: &'t Grammar,
    /// Found in one sweep over the whole file, so that a run without any costs one comparison.
    marks: Vec<(u32, Mark)>,
    next: usize,
    names: HashMap<&'t str, Verdict, hashbrown::DefaultHashBuilder>,
    collected: Collected,
}

impl<'t> Collector<'t> {
    pub(super) fn new(text: &'t str, file: usize, grammar: &'t Grammar) -> Self {
        let mut marks: Vec<_> = grammar.openings(text).map(|at| (at as u32, Mark::Opening)).collect();
        let lookalikes = grammar.lookalikes(text);
        if !lookalikes.is_empty() {
            marks.extend(
                lookalikes
                    .into_iter()
                    .map(|(at, index)| (at as u32, Mark::Lookalike(index as u16))),
            );
            marks.sort_unstable();
        }
        Self {
            text,
            file,
            grammar,
            marks,
            next: 0,
            names: HashMap::default(),
            collected: Collected::default(),
        }
    }

    /// Looks at one run of text. Runs must come from left to right. Returns whether it holds a placeholder.
    #[inline]
    pub(super) fn run(&mut self, range: Range<usize>, node: u32, placement: Placement) -> bool {
        match self.marks.get(self.next) {
            Some((at, _)) if (*at as usize) < range.end => self.run_marked(range, node, placement),
            _ => false,
        }
    }

    fn run_marked(&mut self, range: Range<usize>, node: u32, placement: Placement) -> bool {
        let mut found = false;
        let mut done = range.start;
        while let Some((at, mark)) = self.marks.get(self.next).copied()
            && (at as usize) < range.end
        {
            self.next += 1;
            let at = at as usize;
            if at < done {
                continue;
            }
            match mark {
                Mark::Opening => {
                    if let Some(end) = self.placeholder(at, range.end, node, placement) {
                        found = true;
                        done = end;
                    }
                }
                Mark::Lookalike(index) => self.lookalike(at, index, placement),
            }
        }
        found
    }

    /// Takes in what begins at `at`; returns where it ends, if it is a placeholder of any sort.
    fn placeholder(&mut self, at: usize, run_end: usize, node: u32, placement: Placement) -> Option<usize> {
        let (name, default, end, doubt) = match self.grammar.read(self.text, at, run_end) {
            Found::Placeholder { name, default, end } => (Some(name), default, end, None),
            Found::Unclear { name, end, doubt } => (name, None, end, Some(doubt)),
            Found::Other => return None,
        };
        if placement == Placement::Comment {
            if let Some(name) = name.and_then(|name| self.text[name].parse().ok()) {
                self.collected.mentions.push((name, at..end));
            }
            return Some(end);
        }
        if let Some(doubt) = doubt {
            let (message, help) = doubt.words();
            self.unclear(
                at..end,
                message,
                "what the server makes of this is not documented",
                help,
            );
        }
        let Some(name) = name else {
            return Some(end);
        };
        match self.verdict(&self.text[name]) {
            Verdict::Odd if doubt.is_none() => {
                let message = format!("`{}` is no name that every environment can carry", &self.text[at..end]);
                let help = "name the parameter with a letter or `_`, then letters, digits and `_`";
                self.unclear(at..end, &message, "", help);
            }
            Verdict::Odd => {}
            Verdict::Known(index) => {
                if placement == Placement::Attribute && !self.grammar.attributes {
                    let label = "the server's documentation speaks of values of elements only";
                    let help = "use a placeholder in an element's text";
                    self.unclear(at..end, "a placeholder stands in an attribute", label, help);
                }
                self.collected.parameters[index as usize].1.push(Use {
                    file: self.file as u32,
                    range: at as u32..end as u32,
                    default: default.map(|default| default.start as u32..default.end as u32),
                    node,
                    placement,
                });
            }
        }
        Some(end)
    }

    fn verdict(&mut self, name: &'t str) -> Verdict {
        if let Some(verdict) = self.names.get(name) {
            return *verdict;
        }
        let verdict = match name.parse::<ParameterName>() {
            Ok(parsed) => {
                self.collected.parameters.push((parsed, Vec::new()));
                Verdict::Known(self.collected.parameters.len() as u32 - 1)
            }
            Err(_) => Verdict::Odd,
        };
        self.names.insert(name, verdict);
        verdict
    }

    fn lookalike(&mut self, at: usize, index: u16, placement: Placement) {
        let grammar = self.grammar;
        let Some((range, help)) = grammar.lookalike(self.text, at, index.into()) else {
            return;
        };
        if placement != Placement::Comment {
            let message = format!("`{}` is no placeholder of this server", &self.text[range.clone()]);
            let problem = Problem::new(Code::PlaceholderLookalike, message);
            self.problem(
                problem
                    .at(self.file, range, "the server reads it as it stands")
                    .help(help),
            );
        }
    }

    fn unclear(&mut self, range: Range<usize>, message: &str, label: &str, help: &str) {
        let problem = Problem::new(Code::PlaceholderUnclear, message);
        self.problem(problem.at(self.file, range, label).help(help));
    }

    /// Adds a finding, unless there are too many already.
    pub(super) fn problem(&mut self, problem: Problem) {
        if self.collected.problems.len() < MOST_PROBLEMS {
            self.collected.problems.push(problem);
        }
    }

    pub(super) fn finish(self) -> Collected {
        self.collected
    }
}
