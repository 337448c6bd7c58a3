//! What the server would see once a stage's values are in: the files with each placeholder replaced.
//!
//! Whether a server escapes a value that goes into XML is documented nowhere. It is escaped here: in text and attributes
//! `&`, `<`, `>` and quotes, in CDATA the section's end, in strings of JSON, YAML and TOML what these escape. So a value
//! is always the same text after parsing, and no value can add elements; but for one that stands bare in JSON or TOML,
//! which is more than a text there. A default is written into the file by its author and stays as it stands.
//!
//! Values may be secrets: a finding in a filled file points at the placeholder in the parameterized one, and tells no
//! text of the filled one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use camino::Utf8Path;

use super::collect::{Placement, Use};
use super::problem::Problem;
use super::text::{escape, escape_cdata, unwritable};
use super::{Bundle, Tree, read};
use crate::diagnostic::{Code, Diagnostic, Severity, Source};
use crate::profile::{Format, ParameterName};

mod requote;

/// A bundle with values in it. It may hold secrets, so `Debug` shows nothing.
pub struct Filled {
    tree: Tree,
}

impl Filled {
    /// The files: path and text. The text may hold secrets.
    pub fn files(&self) -> impl Iterator<Item = (&Utf8Path, &str)> {
        self.tree.files().iter().map(|file| (file.path(), file.text()))
    }

    /// The merged tree; its texts may hold secrets, and so may its paths. Empty where the format has none.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Filled(…)")
    }
}

impl Bundle {
    /// Fills in values as the server does: the value that `lookup` gives, else the placeholder's default.
    ///
    /// # Errors
    /// [`ParameterMissing`](Code::ParameterMissing) for a placeholder with neither, [`FilledInvalid`](Code::FilledInvalid)
    /// for what goes wrong only with these values: a character that the format can't carry, two values for one leaf, two
    /// entries with one key. What is wrong without values, too, is not repeated.
    pub fn fill<'v>(&self, lookup: &dyn Fn(&ParameterName) -> Option<&'v str>) -> Result<Filled, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let mut edits: Vec<Vec<Edit<'_>>> = self.files().iter().map(|_| Vec::new()).collect();
        let mut scalars = requote::Scalars::new();
        for (name, uses) in &self.parameters {
            let value = lookup(name);
            if value.is_none() && uses.iter().any(|place| place.default.is_none()) {
                diagnostics.push(self.missing(name, uses));
            }
            if let Some(bad) = value
                .and_then(unwritable)
                .filter(|_| self.profile.format == Format::Xml)
            {
                let message = format!(
                    "the value of `{name}` has the character U+{:04X}, which XML can't carry",
                    bad as u32
                );
                diagnostics.push(Diagnostic::new(Code::FilledInvalid, message).at(self.span(&uses[0]), "used here"));
            }
            for place in uses {
                let text = match value {
                    Some(value) if matches!(place.placement, Placement::Scalar(_)) => {
                        scalars
                            .entry((place.file, place.node))
                            .or_default()
                            .push((place, value));
                        continue;
                    }
                    Some(value) => self.written(place, value),
                    None => Cow::Borrowed(self.default_as_written(place)),
                };
                edits[place.file as usize].push(Edit {
                    source: place.bytes(),
                    text,
                });
            }
        }
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        self.fill_scalars(scalars, &mut edits);
        let filled: Vec<_> = self
            .files()
            .iter()
            .zip(edits)
            .map(|(source, edits)| FilledFile::new(source, edits))
            .collect();
        self.read_filled(filled)
    }

    fn missing(&self, name: &ParameterName, uses: &[Use]) -> Diagnostic {
        let without: Vec<_> = uses.iter().filter(|place| place.default.is_none()).collect();
        let diagnostic = Diagnostic::new(Code::ParameterMissing, format!("`{name}` has no value"));
        without
            .into_iter()
            .take(3)
            .fold(diagnostic, |diagnostic, place| diagnostic.at(self.span(place), ""))
    }

    fn default_as_written(&self, place: &Use) -> &str {
        place
            .default_bytes()
            .and_then(|range| self.files()[place.file as usize].text().get(range))
            .unwrap_or_default()
    }

    /// A value as it must be written at a place of XML or of a file without a tree.
    fn written<'v>(&self, place: &Use, value: &'v str) -> Cow<'v, str> {
        match (self.profile.format, place.placement) {
            (Format::Xml, Placement::Cdata) => escape_cdata(value),
            (Format::Xml, _) => escape(value),
            (Format::Json | Format::Text, _) => Cow::Borrowed(value),
        }
    }

    fn read_filled(&self, filled: Vec<FilledFile>) -> Result<Filled, Vec<Diagnostic>> {
        let files: Vec<_> = filled
            .iter()
            .map(|file| Source::new(file.path.clone(), file.text.as_str()))
            .collect();
        let mut reading = read::read_filled(&files, &self.profile);
        let (tree, merged) = Tree::merge(files, reading.documents, &self.profile);
        reading.problems.extend(merged);
        reading.problems.sort_by_key(Problem::order);
        let mut found: Vec<_> = reading
            .problems
            .into_iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| (problem.code, places_before(&problem, &filled)))
            .collect();
        if !found.is_empty() {
            let known = self.known_problems();
            found.retain(|found| !known.contains(&key(found)));
        }
        let diagnostics: Vec<_> = found
            .into_iter()
            .map(|(code, places)| self.filled_invalid(code, places))
            .collect();
        if diagnostics.is_empty() {
            Ok(Filled { tree })
        } else {
            Err(diagnostics)
        }
    }

    /// What is wrong before anything is filled in.
    fn known_problems(&self) -> BTreeSet<(Code, Vec<(usize, usize)>)> {
        let reading = match self.profile.format {
            Format::Xml => read::read_filled(self.files(), &self.profile),
            // With placeholders: one may stand where the syntax wants a value.
            Format::Json | Format::Text => read::read(self.files(), &self.profile),
        };
        let (_, merged) = Tree::merge(self.files().to_vec(), reading.documents, &self.profile);
        reading
            .problems
            .into_iter()
            .chain(merged)
            .map(|problem| {
                let places = problem.places.into_iter().map(|place| (place.file, place.range));
                key(&(problem.code, places.collect()))
            })
            .collect()
    }

    fn filled_invalid(&self, code: Code, places: Vec<(usize, Range<usize>)>) -> Diagnostic {
        let what = match code {
            Code::JsonMalformed => "the file is not JSON",
            Code::YamlMalformed => "the file is not YAML",
            Code::TomlMalformed => "the file is not TOML",
            code => code.summary(),
        };
        let message = format!("once the values are filled in, {what}");
        places.into_iter().zip(["here", "and here"]).fold(
            Diagnostic::new(Code::FilledInvalid, message),
            |diagnostic, ((file, range), text)| diagnostic.at(self.files()[file].span(range), text),
        )
    }
}

/// The places of a problem as they are in the parameterized files.
fn places_before(problem: &Problem, filled: &[FilledFile]) -> Vec<(usize, Range<usize>)> {
    problem
        .places
        .iter()
        .map(|place| (place.file, filled[place.file].before(&place.range)))
        .collect()
}

fn key((code, places): &(Code, Vec<(usize, Range<usize>)>)) -> (Code, Vec<(usize, usize)>) {
    (*code, places.iter().map(|(file, range)| (*file, range.start)).collect())
}

/// A placeholder's bytes and what takes their place.
struct Edit<'v> {
    source: Range<usize>,
    text: Cow<'v, str>,
}

/// A filled text, with the way back.
struct FilledFile {
    path: camino::Utf8PathBuf,
    text: String,
    /// What was filled in: bytes here, bytes in the parameterized file; from the left.
    pieces: Vec<(Range<usize>, Range<usize>)>,
}

impl FilledFile {
    fn new(source: &Source, mut edits: Vec<Edit<'_>>) -> Self {
        edits.sort_by_key(|edit| edit.source.start);
        let from = source.text();
        let mut text = String::with_capacity(from.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
        let mut pieces = Vec::with_capacity(edits.len());
        let mut done = 0;
        for edit in edits {
            text.push_str(&from[done..edit.source.start]);
            let start = text.len();
            text.push_str(&edit.text);
            pieces.push((start..text.len(), edit.source.clone()));
            done = edit.source.end;
        }
        text.push_str(&from[done..]);
        Self {
            path: source.path().to_owned(),
            text,
            pieces,
        }
    }

    /// Where a range stood before. What lies in a filled-in piece becomes its placeholder.
    fn before(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.before_offset(range.start, |source| source.start);
        let end = self.before_offset(range.end, |source| source.end);
        start..end.max(start)
    }

    fn before_offset(&self, at: usize, within: fn(&Range<usize>) -> usize) -> usize {
        let next = self.pieces.partition_point(|(filled, _)| filled.start < at);
        let Some((filled, source)) = next.checked_sub(1).map(|index| &self.pieces[index]) else {
            return at;
        };
        if at < filled.end {
            within(source)
        } else {
            at - filled.end + source.end
        }
    }
}

#[cfg(test)]
mod tests;
