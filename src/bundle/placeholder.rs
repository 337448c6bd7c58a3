//! The placeholder grammar of a profile, ready to be applied to texts.
//!
//! What the server's documentation leaves open (a blank name, an empty default, one placeholder in another) is told
//! apart here and flagged by the collector; it is never guessed.

use std::ops::Range;

use memchr::memmem::Finder;
use regex_lite::Regex;

use super::text::trimmed;
use crate::profile::{Lookalike, PlaceholderSyntax};

/// A compiled [`PlaceholderSyntax`].
pub(super) struct Grammar {
    open: Finder<'static>,
    open_text: String,
    close: String,
    separator: Option<String>,
    trim: bool,
    name: Option<Regex>,
    /// Whether the server is known to replace one in an attribute's value.
    pub attributes: bool,
    lookalikes: Vec<Look>,
}

/// A compiled [`Lookalike`].
struct Look {
    /// Matches at the start of what it is given.
    anchored: Regex,
    free: Regex,
    /// What every match begins with; empty when that can't be told.
    prefix: String,
    help: Option<String>,
}

/// What stands at a place where a placeholder seems to begin.
pub(super) enum Found {
    /// A name and perhaps a default.
    Placeholder {
        name: Range<usize>,
        default: Option<Range<usize>>,
        end: usize,
    },
    /// Something whose meaning is not documented.
    Unclear {
        /// The name, where there is no doubt about it.
        name: Option<Range<usize>>,
        end: usize,
        doubt: Doubt,
    },
    /// By the profile's own word no placeholder.
    Other,
}

/// Why a placeholder is unclear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Blank,
    EmptyDefault,
    Nested,
    Unclosed,
    SecondSeparator,
}

impl Doubt {
    /// What to say of it, and a mend.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Blank => (
                "the placeholder has no name",
                "name a parameter, or remove the placeholder",
            ),
            Self::EmptyDefault => (
                "the placeholder's default is empty",
                "write a default, or none and let each stage give a value",
            ),
            Self::Nested => (
                "a placeholder stands inside a placeholder",
                "use one parameter for the whole value",
            ),
            Self::Unclosed => ("the placeholder is not closed", "close it, or remove its beginning"),
            Self::SecondSeparator => (
                "the placeholder's default holds a second `|`",
                "use a default without `|`, or let each stage give a value",
            ),
        }
    }
}

/// A pattern of the profile that is no regular expression.
pub(super) struct BadPattern(pub String);

impl Grammar {
    /// Compiles; a pattern that can't be compiled is left out and returned beside.
    pub(super) fn new(syntax: &PlaceholderSyntax) -> (Self, Vec<BadPattern>) {
        let mut bad = Vec::new();
        let mut compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|_| bad.push(BadPattern(pattern.to_owned())))
                .ok()
        };
        let name = syntax
            .name
            .as_deref()
            .and_then(|name| compile(&format!("^(?:{name})$")));
        let lookalikes = syntax
            .lookalikes
            .iter()
            .filter_map(|Lookalike { pattern, help }| {
                Some(Look {
                    anchored: compile(&format!("^(?:{pattern})"))?,
                    free: compile(pattern)?,
                    prefix: literal_prefix(pattern),
                    help: help.clone(),
                })
            })
            .collect();
        let grammar = Self {
            open: Finder::new(syntax.open.as_bytes()).into_owned(),
            open_text: syntax.open.clone(),
            close: syntax.close.clone(),
            separator: syntax.default.clone(),
            trim: syntax.trim,
            name,
            attributes: syntax.attributes,
            lookalikes,
        };
        (grammar, bad)
    }

    /// The grammar in which nothing is a placeholder.
    pub(super) fn none() -> Self {
        Self {
            open: Finder::new(b"").into_owned(),
            open_text: String::new(),
            close: String::new(),
            separator: None,
            trim: false,
            name: None,
            attributes: false,
            lookalikes: Vec::new(),
        }
    }

    /// Where `open` stands in a text, from the left.
    pub(super) fn openings<'t>(&'t self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        // An empty `open` would be everywhere.
        let most = if self.open_text.is_empty() { 0 } else { usize::MAX };
        self.open.find_iter(text.as_bytes()).take(most)
    }

    /// Whether the profile takes a name for a placeholder's.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }

    /// How a placeholder for `name` is written.
    pub(super) fn write(&self, name: &str) -> String {
        format!("{}{name}{}", self.open_text, self.close)
    }

    /// Reads what begins at `at` (where `open` stands) and must end before `end`.
    pub(super) fn read(&self, text: &str, at: usize, end: usize) -> Found {
        let start = at + self.open_text.len();
        let rest = &text[start..end];
        let Some(length) = rest.find(&self.close) else {
            if self.name.is_some() {
                return Found::Other;
            }
            let line = rest.find(['\n', '\r']).unwrap_or(rest.len()).min(80);
            let line = (0..=line).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
            return Found::Unclear {
                name: None,
                end: start + line,
                doubt: Doubt::Unclosed,
            };
        };
        let body = start..start + length;
        let end = body.end + self.close.len();
        self.read_body(text, body, end)
    }

    fn read_body(&self, text: &str, body: Range<usize>, end: usize) -> Found {
        let inner = &text[body.clone()];
        let split = self.separator.as_deref().and_then(|separator| {
            let at = inner.find(separator)?;
            Some((body.start + at, body.start + at + separator.len(), separator))
        });
        let name = self.trim(text, body.start..split.map_or(body.end, |(at, ..)| at));
        let default = split.map(|(_, after, _)| self.trim(text, after..body.end));
        let unclear = |name, doubt| Found::Unclear { name, end, doubt };
        if !self.is_name(&text[name.clone()]) && !inner.starts_with(&self.open_text) && !name.is_empty() {
            // With a pattern for names, what does not fit it is not ours. Without one this can't happen.
            return Found::Other;
        }
        if inner.contains(&self.open_text) {
            return unclear(None, Doubt::Nested);
        }
        if text[name.clone()].trim().is_empty() {
            return if self.name.is_some() {
                Found::Other
            } else {
                unclear(None, Doubt::Blank)
            };
        }
        match (&default, split) {
            (Some(default), _) if text[default.clone()].trim().is_empty() => unclear(Some(name), Doubt::EmptyDefault),
            // A second `:` is a URL's; a second `|` may be anything.
            (Some(default), Some((_, _, "|"))) if text[default.clone()].contains('|') => {
                unclear(Some(name), Doubt::SecondSeparator)
            }
            _ => Found::Placeholder { name, default, end },
        }
    }

    fn trim(&self, text: &str, range: Range<usize>) -> Range<usize> {
        if self.trim { trimmed(text, range) } else { range }
    }

    /// Places that look like placeholders and are worth a word: where each begins and which look it has.
    pub(super) fn lookalikes(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (index, look) in self.lookalikes.iter().enumerate() {
            if look.help.is_none() {
                continue;
            }
            if look.prefix.is_empty() {
                found.extend(look.free.find_iter(text).map(|found| (found.start(), index)));
            } else {
                found.extend(
                    memchr::memmem::find_iter(text.as_bytes(), look.prefix.as_bytes())
                        .filter(|at| look.anchored.is_match(window(text, *at)))
                        .map(|at| (at, index)),
                );
            }
        }
        found.retain(|(at, index)| {
            let first = self
                .lookalikes
                .iter()
                .position(|look| look.anchored.is_match(window(text, *at)));
            first.is_none_or(|first| first == *index)
        });
        found
    }

    /// The text of a look-alike, where it ends, and what to say of it.
    pub(super) fn lookalike(&self, text: &str, at: usize, index: usize) -> Option<(Range<usize>, &str)> {
        let look = self.lookalikes.get(index)?;
        let found = look.anchored.find(window(text, at))?;
        Some((at..at + found.end(), look.help.as_deref()?))
    }
}

/// Where text lies between `open` and `close`, whatever it means.
pub(super) fn ranges(syntax: &PlaceholderSyntax, text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = within.start;
    while !syntax.open.is_empty()
        && let Some(start) = text[at..within.end].find(&syntax.open).map(|found| at + found)
        && let Some(length) = text[start..within.end].find(&syntax.close)
    {
        at = start + length + syntax.close.len();
        ranges.push(start..at);
    }
    ranges
}

/// Enough text for a look-alike: no pattern may run away over a file of megabytes.
fn window(text: &str, at: usize) -> &str {
    let longest = (at + 1024).min(text.len());
    let end = (at..=longest)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(at);
    &text[at..end]
}

/// The characters that each match of a pattern begins with, as far as that is easily seen. `regex_lite` has no
/// search for literals of its own, and a search for `\$\{` must not cost more than reading the XML.
fn literal_prefix(pattern: &str) -> String {
    let mut prefix = String::new();
    if has_alternatives(pattern) {
        return prefix;
    }
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        let literal = match c {
            '\\' => match characters.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => escaped,
                _ => break,
            },
            '.' | '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' => break,
            other => other,
        };
        if matches!(characters.peek(), Some('*' | '?' | '{')) {
            break;
        }
        prefix.push(literal);
    }
    prefix
}

/// Whether a `|` stands outside of every group, as far as brackets tell.
fn has_alternatives(pattern: &str) -> bool {
    let mut depth = 0_i32;
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' if depth <= 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
