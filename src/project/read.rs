//! Typed reading of TOML that collects what is wrong instead of stopping at the first.

use std::cell::RefCell;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Code, Diagnostic, Source, Span, nearest};

/// A text and everything found wrong in it so far.
pub(super) struct Problems {
    source: Source,
    found: RefCell<Vec<Diagnostic>>,
}

impl Problems {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            found: RefCell::default(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn span(&self, range: Range<usize>) -> Span {
        self.source.span(range)
    }

    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    pub(super) fn extend(&self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.found.borrow_mut().extend(diagnostics);
    }

    /// Reports that something is not there.
    pub(super) fn missing(&self, message: impl Into<String>, span: Span, help: impl Into<String>) {
        self.push(Diagnostic::new(Code::ProjectMissing, message).at(span, "").help(help));
    }

    /// In the order of the text; those without a place come first.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span.range.start));
        found
    }

    /// The document's tree. Where lines are not TOML all of them are reported and there is none: what
    /// else seems wrong or missing may stand in those lines.
    pub(super) fn parse<'a>(&self, text: &'a str) -> Option<toml::Spanned<DeTable<'a>>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let sound = errors.is_empty();
        for error in errors {
            let range = on_borders(text, error.span().unwrap_or_default());
            let message = format!("not TOML: {}", first_line(error.message()));
            self.push(Diagnostic::new(Code::ProjectSyntax, message).at(self.span(range), ""));
        }
        sound.then_some(table)
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// The parser counts bytes; a span must not cut a character.
fn on_borders(text: &str, range: Range<usize>) -> Range<usize> {
    let start = (0..=range.start.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    let end = (range.end.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at));
    let start = start.unwrap_or_default();
    start..end.unwrap_or_default().max(start)
}

/// A table that knows which of its keys were asked for.
pub(super) struct Table<'a> {
    problems: &'a Problems,
    /// As messages call it: `[image]`.
    name: String,
    range: Range<usize>,
    entries: Option<&'a DeTable<'a>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(super) fn root(problems: &'a Problems, table: &'a toml::Spanned<DeTable<'a>>) -> Self {
        Self {
            problems,
            name: "the file".to_owned(),
            range: 0..0,
            entries: Some(table.get_ref()),
            known: RefCell::default(),
        }
    }

    pub(super) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Where it begins: its header.
    pub(super) fn span(&self) -> Span {
        self.problems.span(self.range.clone())
    }

    /// A key's value.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        let (found, value) = self.entries?.get_key_value(key)?;
        Some(Value {
            problems: self.problems,
            name: found.get_ref().to_string(),
            value,
        })
    }

    /// A key's value; its absence is a problem.
    pub(super) fn need(&self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let value = self.get(key);
        // A table that is not there was told of already.
        if value.is_none() && self.entries.is_some() {
            let message = format!("{} has no `{key}`", self.name);
            let diagnostic = Diagnostic::new(Code::ProjectMissing, message).at(self.span(), "");
            self.problems
                .push(diagnostic.help(format!("write `{key} = {example}`")));
        }
        value
    }

    /// A table below; an empty one where there is none.
    pub(super) fn table(&self, key: &'static str, name: &str) -> Table<'a> {
        let found = self.get(key).and_then(|value| value.table(name));
        found.unwrap_or_else(|| Table {
            problems: self.problems,
            name: name.to_owned(),
            range: 0..0,
            entries: None,
            known: RefCell::default(),
        })
    }

    /// All entries, for tables whose keys are names: the key, where it stands, the value.
    pub(super) fn entries(&self) -> Vec<(&'a str, Span, Value<'a>)> {
        let entries = self.entries.into_iter().flat_map(DeTable::iter);
        entries
            .map(|(key, value)| {
                let name: &'a str = key.get_ref();
                let value = Value {
                    problems: self.problems,
                    name: name.to_owned(),
                    value,
                };
                (name, self.problems.span(key.span()), value)
            })
            .collect()
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for (key, _) in self.entries.into_iter().flat_map(DeTable::iter) {
            let word: &str = key.get_ref();
            if known.contains(&word) {
                continue;
            }
            let message = format!("{} has no key `{word}`", self.name);
            let diagnostic = Diagnostic::new(Code::ProjectUnknownKey, message).at(self.problems.span(key.span()), "");
            self.problems.push(match nearest(word, known.iter().copied()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!("known keys: {}", listed(&known))),
            });
        }
    }
}

/// Names in backticks, parted by commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// A value and the key that it belongs to.
pub(super) struct Value<'a> {
    problems: &'a Problems,
    name: String,
    value: &'a toml::Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(super) fn problems(&self) -> &'a Problems {
        self.problems
    }

    pub(super) fn span(&self) -> Span {
        self.problems.span(self.value.span())
    }

    /// Reports a problem of this value and is nothing, so that it can end a reader.
    pub(super) fn refuse<T>(&self, message: impl Into<String>, help: impl Into<Option<String>>) -> Option<T> {
        self.refuse_as(Code::ProjectInvalid, message, help)
    }

    pub(super) fn refuse_as<T>(
        &self,
        code: Code,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) -> Option<T> {
        let mut diagnostic = Diagnostic::new(code, message).at(self.span(), "");
        diagnostic.help.extend(help.into());
        self.problems.push(diagnostic);
        None
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {what}, but here stands {found}", self.name);
        self.refuse_as(Code::ProjectSyntax, message, None)
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.get_ref().as_str();
        text.or_else(|| self.expected("a string"))
    }

    /// A time, as TOML writes one or as a text.
    pub(super) fn time_text(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::Datetime(time) => Some(time.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }

    /// A text that something reads further; its error is reported here.
    pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&self) -> Option<T> {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => self.refuse(error.to_string(), None),
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value.get_ref().as_bool();
        flag.or_else(|| self.expected("`true` or `false`"))
    }

    /// A whole number from 0 to `most`.
    pub(super) fn count(&self, most: u32) -> Option<u32> {
        let Some(integer) = self.value.get_ref().as_integer() else {
            return self.expected("a whole number");
        };
        let count = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        let count = count.filter(|count| *count <= most);
        count.or_else(|| self.refuse(format!("`{}` must be a whole number from 0 to {most}", self.name), None))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*choice);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("one of {}", listed(&words)),
        };
        self.refuse(format!("`{}` can't be `{text}`", self.name), help)
    }

    pub(super) fn list(&self) -> Option<Vec<Value<'a>>> {
        let Some(list) = self.value.get_ref().as_array() else {
            return self.expected("a list");
        };
        let item = |value| Value {
            problems: self.problems,
            name: self.name.clone(),
            value,
        };
        Some(list.iter().map(item).collect())
    }

    /// A list, or one item of it on its own.
    pub(super) fn one_or_list(self) -> Vec<Value<'a>> {
        match self.value.get_ref() {
            DeValue::Array(_) => self.list().unwrap_or_default(),
            _ => vec![self],
        }
    }

    /// A text, a number or a boolean, as JSON has it.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(serde_json::Value::from(&**text)),
            DeValue::Boolean(flag) => Some(serde_json::Value::from(*flag)),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Some(number.into()),
                Err(_) => self.expected("a number of 64 bits"),
            },
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Some(number.into()),
                _ => self.expected("a number"),
            },
            _ => self.expected("a string, a number or a boolean"),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_flag(&self) -> bool {
        self.value.get_ref().is_bool()
    }

    pub(super) fn table(&self, name: &str) -> Option<Table<'a>> {
        let Some(entries) = self.value.get_ref().as_table() else {
            return self.expected("a table");
        };
        Some(Table {
            problems: self.problems,
            name: name.to_owned(),
            range: self.value.span(),
            entries: Some(entries),
            known: RefCell::default(),
        })
    }
}
