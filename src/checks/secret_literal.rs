//! Secrets that stand in the bundle: by the place, and by what a value looks like at any place.
//!
//! A hash of a password and a value that the server encrypted count, too: the image is the same for all stages, and
//! these differ from stage to stage, or let one stage's password in at another.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::packed::{Config, MatchKind, Searcher};

use crate::bundle::{Bundle, Node};
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::profile::{PathPattern, SecretRule, ServerProfile};
use crate::values::secret_by_pattern;

/// How many findings are told.
const MOST_FINDINGS: usize = 500;
/// Below this many bytes, threads cost more than they bring.
const WORTH_THREADS: usize = 1024 * 1024;

/// What every value begins with or holds that looks like a secret, but for the single characters that [`marks`] adds.
/// Only where one of these stands a value is looked at closely.
const MARKS: &[&str] = &[
    "-----BEGIN ",
    "v:S.",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "hvs.",
    "AKIA",
];

/// Looks at the places that the profile calls secret, then at all texts.
pub(super) fn find(bundle: &Bundle, profile: &ServerProfile) -> Vec<Diagnostic> {
    let mut finder = Finder {
        bundle,
        public: &profile.public,
        told: BTreeSet::new(),
        found: Vec::new(),
    };
    for rule in &profile.secrets {
        finder.at_secret_places(rule);
    }
    finder.by_marks();
    finder.found
}

struct Finder<'a> {
    bundle: &'a Bundle,
    public: &'a [PathPattern],
    /// File and offset of what was told already.
    told: BTreeSet<(usize, usize)>,
    found: Vec<Diagnostic>,
}

impl Finder<'_> {
    fn at_secret_places(&mut self, rule: &SecretRule) {
        let bundle = self.bundle;
        for leaf in bundle.tree().find(&rule.path) {
            if !leaf.is_leaf() || leaf.written().trim().is_empty() || leaf.has_placeholder() {
                continue;
            }
            let value = leaf.value();
            // What an export masks, and a word that says whether there is one.
            if value.bytes().all(|byte| byte == b'*') || matches!(&*value, "true" | "false") {
                continue;
            }
            // An address may be in a secret place because it can hold a password; without one it is an address.
            let address = value.contains("://") || value.starts_with("jdbc:");
            if address && secret_by_pattern(&value).is_none() || value.is_empty() || self.is_public(&leaf) {
                continue;
            }
            // Who encrypts, thinks that it may stay.
            let what = if is_encrypted(&value) {
                &format!("{}, encrypted with one stage's key", rule.what)
            } else {
                &rule.what
            };
            self.tell(leaf.file(), leaf.text_span(), what, Some(&leaf));
        }
    }

    /// A placeholder's neighbours are looked at, too: `password=x;host=#{H}` is a secret all the same.
    fn by_marks(&mut self) {
        let bundle = self.bundle;
        for (file, (source, marks)) in bundle.files().iter().zip(all_marks(bundle.files())).enumerate() {
            let mut done = 0;
            for at in marks {
                if at < done || self.found.len() >= MOST_FINDINGS {
                    continue;
                }
                let leaf = bundle.tree().leaf_at(file, at);
                let place = match &leaf {
                    Some(leaf) => leaf.text_span(),
                    None if !bundle.tree().has_elements(file) => source.span(line(source, at)),
                    // In a comment, a tag or an attribute.
                    None => continue,
                };
                done = place.range.end;
                let value = without_placeholders(bundle, &place, leaf.as_ref());
                let Some(what) = looks_like(&value) else {
                    continue;
                };
                let public = leaf.as_ref().is_some_and(|leaf| self.is_public(leaf));
                if !public || what == "a private key" {
                    self.tell(file, place, what, leaf.as_ref());
                }
            }
        }
    }

    fn is_public(&self, leaf: &Node<'_>) -> bool {
        let path = leaf.local_path();
        self.public.iter().any(|pattern| pattern.matches(&path))
    }

    fn tell(&mut self, file: usize, place: Span, what: &str, leaf: Option<&Node<'_>>) {
        if self.found.len() >= MOST_FINDINGS || !self.told.insert((file, place.range.start)) {
            return;
        }
        // A finding is written to logs.
        let place = first_line(place).withheld();
        let found = match leaf {
            Some(leaf) => {
                let of = entry_id(leaf).map_or(String::new(), |id| format!(" of `{id}`"));
                let message = format!("`{}`{of} holds a literal secret: {what}", leaf.name());
                let help = format!(
                    "put a placeholder here, `{}`, and give each stage its value",
                    suggestion(self.bundle, leaf)
                );
                Diagnostic::new(Code::SecretLiteral, message).at(place, "").help(help)
            }
            None => Diagnostic::new(Code::SecretLiteral, format!("a line holds a literal secret: {what}"))
                .at(place, "")
                .help("put a placeholder here, and give each stage its value"),
        };
        self.found.push(found);
    }
}

/// Where something stands that deserves a look, file by file, from the left. Large texts are searched side by side.
fn all_marks(files: &[Source]) -> Vec<Vec<usize>> {
    let searcher = Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .builder()
        .extend(MARKS)
        .build();
    let total: usize = files.iter().map(|file| file.text().len()).sum();
    if total < WORTH_THREADS || files.len() < 2 {
        return files.iter().map(|file| marks(file.text(), searcher.as_ref())).collect();
    }
    let mut found: Vec<_> = files.iter().map(|_| Vec::new()).collect();
    let half = files.len().div_ceil(2);
    std::thread::scope(|scope| {
        for (files, found) in files.chunks(half).zip(found.chunks_mut(half)) {
            let searcher = searcher.as_ref();
            scope.spawn(move || {
                for (file, found) in files.iter().zip(found) {
                    *found = marks(file.text(), searcher);
                }
            });
        }
    });
    found
}

fn marks(text: &str, searcher: Option<&Searcher>) -> Vec<usize> {
    let mut places: Vec<_> = match searcher {
        Some(searcher) => searcher.find_iter(text).map(|found| found.start()).collect(),
        // Processors without vector instructions.
        None => MARKS
            .iter()
            .flat_map(|mark| memchr::memmem::find_iter(text.as_bytes(), mark))
            .collect(),
    };
    // Characters of hashes, of properties and of addresses with a user.
    places.extend(memchr::memchr3_iter(b'$', b'=', b'@', text.as_bytes()));
    places.sort_unstable();
    places
}

/// What a value looks like.
fn looks_like(value: &str) -> Option<&'static str> {
    if is_hash(value) {
        return Some("a password's hash");
    }
    if is_encrypted(value) {
        return Some("a value that the server encrypted");
    }
    secret_by_pattern(value)
}

/// `$5$<salt>$<hash>` of crypt(3), also with `rounds=`.
fn is_hash(value: &str) -> bool {
    let value = value.trim();
    let prefixed = ["$5$", "$6$", "$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| value.starts_with(prefix));
    prefixed && value.len() >= 24 && !value.contains(char::is_whitespace) && value.matches('$').count() >= 3
}

/// `data:<type>;aes,v:S.…`, and the cluster's key, which has no `data:`.
fn is_encrypted(value: &str) -> bool {
    let value = value.trim();
    let rest = match value.strip_prefix("data:") {
        Some(rest) => rest.split_once(";aes,v:S.").map(|(_, rest)| rest),
        None => value.strip_prefix("v:S."),
    };
    rest.is_some_and(|rest| rest.split('.').count() >= 3)
}

/// A text without its placeholders: what is left is what stands in the bundle.
fn without_placeholders<'t>(bundle: &Bundle, place: &'t Span, leaf: Option<&Node<'t>>) -> std::borrow::Cow<'t, str> {
    match leaf {
        Some(leaf) if leaf.has_placeholder() => bundle.literal_text(leaf).into(),
        Some(leaf) => leaf.value(),
        None => place.text().into(),
    }
}

/// The line of an offset, for files without elements.
fn line(source: &Source, at: usize) -> Range<usize> {
    let text = source.text();
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end.max(start)
}

/// A key of a hundred lines is shown by its first.
fn first_line(place: Span) -> Span {
    let length = place.text().find(['\n', '\r']).unwrap_or(place.text().len());
    place.source.span(place.range.start..place.range.start + length)
}

/// The id of the list entry that a leaf lies in.
fn entry_id<'t>(leaf: &Node<'t>) -> Option<std::borrow::Cow<'t, str>> {
    let mut entry = leaf.parent();
    while let Some(node) = entry {
        if let Some(id) = node.id() {
            return Some(id);
        }
        entry = node.parent();
    }
    None
}

/// A name for the missing parameter: the entry's key and the element's name.
fn suggestion(bundle: &Bundle, leaf: &Node<'_>) -> String {
    let key = entry_id(leaf);
    let name = [key.as_deref().unwrap_or_default(), leaf.name()].join("_");
    let upper = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = name.trim_start_matches('_').chars().map(upper).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    };
    bundle.placeholder(&name)
}

#[cfg(test)]
mod tests;
