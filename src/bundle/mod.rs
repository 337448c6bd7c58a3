//! The parameterized configuration: read, placeholders, tree model, merge rule, fill, semantic diff.
//!
//! A [`Bundle`] is a set of texts. They are never changed and never copied: everything else is byte ranges of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

mod change;
mod collect;
mod diff;
mod document;
mod fill;
mod malformed;
mod merge;
mod node;
mod placeholder;
mod problem;
mod read;
mod roots;
mod rules;
mod scalar;
mod structured;
mod template;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod tree;
mod xml;

pub use change::{Change, ChangeKind, Impact, Subject};
pub use collect::Use;
pub use diff::diff;
pub use fill::Filled;
pub use node::Node;
pub use roots::pair_roots;
pub use template::Template;
pub use tree::Tree;

use collect::Placement;
use document::Syntax;
use scalar::Style;

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::profile::{Format, ParameterName, ServerProfile};
use placeholder::Grammar;

/// An immutable set of files with placeholders.
pub struct Bundle {
    tree: Tree,
    profile: ServerProfile,
    parameters: BTreeMap<ParameterName, Vec<Use>>,
    /// Compiled when a value is first read as a template.
    grammar: OnceLock<Grammar>,
}

impl Bundle {
    /// Reads the files as the profile says. Everything that is wrong is reported, file by file from the top; what can
    /// be understood in spite of it is in the bundle.
    pub fn read(files: Vec<Source>, profile: &ServerProfile) -> (Self, Vec<Diagnostic>) {
        let mut reading = read::read(&files, profile);
        let (tree, merged) = Tree::merge(files, reading.documents, profile);
        reading.problems.extend(merged);
        reading.problems.sort_by_key(problem::Problem::order);
        let problems = reading.problems.into_iter();
        let diagnostics = problems.map(|problem| problem.into_diagnostic(tree.files())).collect();
        let bundle = Self {
            tree,
            profile: profile.clone(),
            grammar: OnceLock::new(),
            parameters: reading.parameters,
        };
        (bundle, diagnostics)
    }

    /// The files, in the order in which they were given.
    pub fn files(&self) -> &[Source] {
        self.tree.files()
    }

    /// The merged tree of all files; empty where the format has none.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Every parameter that a placeholder asks for, with its uses, file by file from the top. Never an empty list.
    pub fn parameters(&self) -> &BTreeMap<ParameterName, Vec<Use>> {
        &self.parameters
    }

    /// Where a placeholder stands.
    pub fn span(&self, place: &Use) -> Span {
        self.files()[place.file as usize].span(place.bytes())
    }

    /// The element that a placeholder stands in, if the format has elements.
    pub fn node(&self, place: &Use) -> Option<Node<'_>> {
        self.tree.at(place.file, place.node)
    }

    /// The local names from just below the root to the element that a placeholder stands in: what a
    /// [`PathPattern`](crate::profile::PathPattern) is matched against. Empty where the format has no elements.
    pub fn local_path(&self, place: &Use) -> Vec<&str> {
        self.node(place).map(|node| node.local_path()).unwrap_or_default()
    }

    /// A number for [`local_path`](Self::local_path), equal where the path (with namespaces) is: work on many uses can
    /// be done once a path. None where the format has no elements.
    pub fn path_number(&self, place: &Use) -> Option<u32> {
        self.node(place).map(|node| node.path_number())
    }

    /// The element path with keys: `/profiles/profile[token-service]/…/client[web-client]/secret`. Empty where the
    /// format has no elements.
    pub fn path(&self, place: &Use) -> String {
        self.node(place).map(|node| node.path()).unwrap_or_default()
    }

    /// A value, as a text with placeholders.
    ///
    /// # Errors
    /// Something in it looks like a placeholder and is none; in words.
    pub fn template(&self, text: &str) -> Result<Template, String> {
        let grammar = self.grammar.get_or_init(|| Grammar::new(&self.profile.placeholder).0);
        Template::read_as(text, grammar)
    }

    /// How the server's placeholder for a parameter is written.
    pub fn placeholder(&self, name: &str) -> String {
        let syntax = &self.profile.placeholder;
        format!("{}{name}{}", syntax.open, syntax.close)
    }

    /// An element's text as it would be with nothing for its placeholders: what the file itself tells.
    pub fn literal_text(&self, node: &Node<'_>) -> String {
        let content = node.content_range();
        let text = node.source().text();
        let mut literal = String::new();
        let mut done = content.start;
        for place in placeholder::ranges(&self.profile.placeholder, text, content.clone()) {
            literal.push_str(&text[done..place.start]);
            done = place.end;
        }
        literal.push_str(&text[done..content.end]);
        match self.tree.document(node.file()).map(|document| document.syntax) {
            Some(Syntax::Xml) | None => text::decode_content(&literal).into_owned(),
            Some(syntax) => Style::of(syntax, text, &content).decode(&literal).into_owned(),
        }
    }

    /// A placeholder's default, as the text that the server would see.
    pub fn default(&self, place: &Use) -> Option<Cow<'_, str>> {
        let range = place.default_bytes()?;
        let written = self.files()[place.file as usize].text().get(range)?;
        Some(match (self.profile.format, place.placement) {
            (Format::Xml, Placement::Cdata) => Cow::Borrowed(written),
            (Format::Xml, _) => text::decode_content(written),
            (_, Placement::Scalar(Style::YamlBlock)) => Cow::Borrowed(written),
            (_, Placement::Scalar(style)) => style.decode(written),
            _ => Cow::Borrowed(written),
        })
    }
}

impl fmt::Debug for Bundle {
    /// The files' names and how much is in them: the texts are long.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bundle")
            .field("files", &self.files())
            .field("parameters", &self.parameters.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{findings, read_contents};

    #[test]
    fn parameters_know_their_places() {
        let (bundle, diagnostics) = read_contents(&[
            "<a xmlns=\"urn:a\"><client><id>w</id><secret>#{S}</secret></client></a>",
            "<a xmlns=\"urn:a\"><url>https://#{H}/#{P | a&amp;b}</url><other>#{S}</other></a>",
        ]);
        assert_eq!(findings(&diagnostics), [""; 0]);
        let names: Vec<_> = bundle.parameters().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["H", "P", "S"]);
        let uses = &bundle.parameters()["S"];
        assert_eq!(bundle.path(&uses[0]), "/a/client[w]/secret");
        assert_eq!(bundle.local_path(&uses[0]), ["a", "client", "secret"]);
        assert_eq!(bundle.span(&uses[0]).text(), "#{S}");
        assert_eq!(bundle.span(&uses[1]).source.path(), "1.xml");
        let default = bundle.default(&bundle.parameters()["P"][0]);
        assert_eq!(default.as_deref(), Some("a&b"));
        assert_eq!(bundle.default(&uses[0]), None);
    }
}
