//! Reads all files of a bundle, side by side, and puts together what they ask for.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::collect::{Collected, Collector, NO_NODE, Placement, Use};
use super::document::{Document, Syntax};
use super::placeholder::{BadPattern, Grammar};
use super::problem::Problem;
use super::structured::{self, RootArray};
use super::xml;
use crate::diagnostic::{Code, Source};
use crate::profile::{Format, ParameterName, ServerProfile};

/// Below this, threads cost more than they bring.
const WORTH_THREADS: usize = 256 * 1024;

/// What stands in the files, each on its own.
pub(super) struct Reading {
    /// One a file; empty where the format has no tree.
    pub documents: Vec<Document>,
    pub parameters: BTreeMap<ParameterName, Vec<Use>>,
    /// File by file, from the top.
    pub problems: Vec<Problem>,
}

/// Reads files as a profile says.
pub(super) fn read(files: &[Source], profile: &ServerProfile) -> Reading {
    let (grammar, bad) = Grammar::new(&profile.placeholder);
    read_with(files, profile, &grammar, bad)
}

/// Reads files in which nothing is a placeholder any more.
pub(super) fn read_filled(files: &[Source], profile: &ServerProfile) -> Reading {
    read_with(files, profile, &Grammar::none(), Vec::new())
}

fn read_with(files: &[Source], profile: &ServerProfile, grammar: &Grammar, bad: Vec<BadPattern>) -> Reading {
    let mut problems: Vec<_> = bad
        .into_iter()
        .map(|BadPattern(pattern)| {
            let message = format!(
                "server profile `{}`: `{pattern}` is no regular expression",
                profile.name
            );
            Problem::new(Code::ProfileInvalid, message)
        })
        .collect();
    let mut documents = Vec::with_capacity(files.len());
    let mut parameters = Parameters::default();
    let mut mentions = Vec::new();
    for (file, (document, collected)) in read_files(files, profile, grammar).into_iter().enumerate() {
        documents.push(document);
        parameters.add(collected.parameters);
        problems.extend(collected.problems);
        mentions.extend(collected.mentions.into_iter().map(|(name, range)| (file, name, range)));
    }
    let parameters = parameters.finish();
    let unasked = mentions
        .into_iter()
        .filter(|(_, name, _)| !parameters.contains_key(name));
    problems.extend(unasked.map(|(file, name, range)| {
        Problem::new(
            Code::PlaceholderUnclear,
            format!("`{}` stands in a comment only", grammar.write(name.as_str())),
        )
        .warning()
        .at(file, range, "the server may ask for it all the same")
        .help("remove it from the comment")
    }));
    Reading {
        documents,
        parameters,
        problems,
    }
}

/// One result a file, in the order of the files.
fn read_files(files: &[Source], profile: &ServerProfile, grammar: &Grammar) -> Vec<(Document, Collected)> {
    let texts: Vec<_> = files.iter().map(Source::text).collect();
    let root_array = if profile.tree.root_keys.is_empty() {
        RootArray::Items
    } else {
        RootArray::Roots
    };
    let read = |file: usize| match syntax(profile.format, &files[file]) {
        Syntax::Xml => xml::read(texts[file], file, grammar),
        Syntax::Lines => {
            let document = Document {
                syntax: Syntax::Lines,
                ..Document::default()
            };
            (document, read_lines(texts[file], file, grammar))
        }
        syntax => structured::read(texts[file], file, grammar, syntax, root_array),
    };
    let total: usize = texts.iter().map(|text| text.len()).sum();
    // More threads than processors: three files of one size on two processors then take one and a half turns, not two.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (2 * processors).min(texts.len());
    if processors < 2 || threads < 2 || total < WORTH_THREADS {
        return (0..texts.len()).map(read).collect();
    }
    // The largest first, so that none is left over at the end.
    let mut order: Vec<_> = (0..texts.len()).collect();
    order.sort_by_key(|file| std::cmp::Reverse(texts[*file].len()));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(texts.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = read(*file);
                    if let Ok(mut done) = done.lock() {
                        done.push((*file, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(file, _)| *file);
    done.into_iter().map(|(_, result)| result).collect()
}

/// How a file is written.
fn syntax(format: Format, file: &Source) -> Syntax {
    match format {
        Format::Xml => Syntax::Xml,
        Format::Json => Syntax::Json,
        Format::Text => match file.path().extension().unwrap_or_default() {
            "json" => Syntax::Json,
            "yaml" | "yml" => Syntax::Yaml,
            "toml" => Syntax::Toml,
            _ => Syntax::Lines,
        },
    }
}

/// A file without a tree: no placeholder goes over the end of a line.
fn read_lines(text: &str, file: usize, grammar: &Grammar) -> Collected {
    let mut collector = Collector::new(text, file, grammar);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        collector.run(start..start + line.len(), NO_NODE, Placement::Text);
        start += line.len();
    }
    collector.finish()
}

/// Uses by name, from all files.
#[derive(Default)]
struct Parameters {
    list: Vec<(ParameterName, Vec<Use>)>,
    index: HashMap<ParameterName, usize, hashbrown::DefaultHashBuilder>,
}

impl Parameters {
    fn add(&mut self, found: Vec<(ParameterName, Vec<Use>)>) {
        for (name, uses) in found {
            if uses.is_empty() {
                continue;
            }
            match self.index.get(&name) {
                Some(index) => self.list[*index].1.extend(uses),
                None => {
                    self.index.insert(name.clone(), self.list.len());
                    self.list.push((name, uses));
                }
            }
        }
    }

    fn finish(self) -> BTreeMap<ParameterName, Vec<Use>> {
        self.list.into_iter().collect()
    }
}
