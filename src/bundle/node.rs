//! A handle on one element of the merged tree.

use std::borrow::Cow;

use super::document::{Element, NONE, Syntax};
use super::scalar;
use super::text::trimmed;
use super::tree::{NodeId, Tree};
use crate::diagnostic::{Source, Span};

/// One element of a [`Tree`].
#[derive(Clone, Copy)]
pub struct Node<'t> {
    pub(super) tree: &'t Tree,
    pub(super) id: NodeId,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.path())
    }
}

impl<'t> Node<'t> {
    fn element(&self) -> &'t Element {
        self.tree.element(self.id)
    }

    fn node(&self, id: NodeId) -> Self {
        Self { tree: self.tree, id }
    }

    /// Its local name.
    pub fn name(&self) -> &'t str {
        &self.tree.paths.list[self.element().path as usize].local
    }

    /// Its namespace; empty when it has none.
    pub fn namespace(&self) -> &'t str {
        let paths = &self.tree.paths;
        paths.namespaces.get(paths.list[self.element().path as usize].namespace)
    }

    /// The element that holds it, as merged; none for a root.
    pub fn parent(&self) -> Option<Self> {
        let parent = self.element().parent;
        (parent != NONE).then(|| {
            let id = NodeId {
                file: self.id.file,
                index: parent,
            };
            self.node(self.tree.merged(id))
        })
    }

    /// The element that stands for it in the merged tree: mostly itself.
    pub fn merged(&self) -> Self {
        self.node(self.tree.merged(self.id))
    }

    /// All places where it stands, in the order of the files.
    pub fn occurrences(&self) -> impl Iterator<Item = Self> {
        let this = *self;
        self.tree
            .occurrences(self.tree.merged(self.id))
            .map(move |id| this.node(id))
    }

    /// Its children from all files, each once.
    pub fn children(&self) -> impl Iterator<Item = Self> {
        let this = *self;
        self.occurrences().flat_map(move |occurrence| {
            let file = occurrence.id.file;
            this.tree.documents[file as usize]
                .children(occurrence.id.index)
                .map(move |index| this.node(NodeId { file, index }))
                .filter(|child| !child.element().has(Element::ALIAS))
        })
    }

    /// Its first child of that local name.
    pub fn child(&self, name: &str) -> Option<Self> {
        self.children().find(|child| child.name() == name)
    }

    /// Whether it has no children.
    pub fn is_leaf(&self) -> bool {
        let id = self.tree.merged(self.id);
        self.tree
            .occurrences(id)
            .all(|occurrence| self.tree.is_leaf(occurrence))
    }

    /// Its text as a parser gives it, placeholders unfilled; empty when it has children.
    pub fn text(&self) -> Cow<'t, str> {
        if self.tree.is_leaf(self.id) {
            self.tree.text(self.id)
        } else {
            Cow::Borrowed("")
        }
    }

    /// Its text without blanks at the ends, unless the profile says that they mean something.
    pub fn value(&self) -> Cow<'t, str> {
        if self.tree.is_leaf(self.id) {
            self.tree.value(self.id)
        } else {
            Cow::Borrowed("")
        }
    }

    /// Its content, byte for byte as in the file.
    pub fn written(&self) -> &'t str {
        let text = self.tree.files[self.id.file as usize].text();
        text.get(self.element().content()).unwrap_or_default()
    }

    pub(super) fn content_range(&self) -> std::ops::Range<usize> {
        self.element().content()
    }

    /// Whether its value is not known from its own text: it holds a placeholder, or is an alias of YAML (`*name`).
    pub fn has_placeholder(&self) -> bool {
        self.element().has(Element::PLACEHOLDER)
    }

    /// Whether it has attributes other than declarations of namespaces.
    pub fn has_attributes(&self) -> bool {
        self.element().has(Element::ATTRIBUTES)
    }

    /// Its key, if it is an entry of a list: the values of the key's leaves with `,` between them.
    pub fn key(&self) -> Option<Cow<'t, str>> {
        let mut leaves = self.tree.key_leaves(self.id);
        let first = self.tree.value(leaves.next()?);
        let Some(second) = leaves.next() else {
            return Some(first);
        };
        let mut key = first.into_owned();
        for leaf in std::iter::once(second).chain(leaves) {
            key.push(',');
            key.push_str(&self.tree.value(leaf));
        }
        Some(Cow::Owned(key))
    }

    /// Whether its value is a secret, by the profile's word.
    pub fn is_secret(&self) -> bool {
        self.tree.rules[self.element().path as usize].secret
    }

    /// Whether the order among its siblings of one name means something.
    pub fn is_ordered(&self) -> bool {
        self.tree.rules[self.element().path as usize].ordered
    }

    /// Whether it is one of many values of a leaf-list.
    pub fn is_leaf_list(&self) -> bool {
        self.is_leaf() && self.tree.is_leaf_list(self.id)
    }

    /// Local names from just below the root to the element.
    pub fn local_path(&self) -> Vec<&'t str> {
        self.tree.paths.names(self.element().path)
    }

    /// A number for its local path and namespaces.
    pub fn path_number(&self) -> u32 {
        self.element().path
    }

    /// The first leaf of its key. None when it is no entry of a list.
    pub fn key_leaf(&self) -> Option<Self> {
        self.tree.key_leaves(self.id).next().map(|leaf| self.node(leaf))
    }

    /// The value of the first leaf of its key: what references to it say.
    pub fn id(&self) -> Option<Cow<'t, str>> {
        self.key_leaf().map(|leaf| leaf.value())
    }

    /// The root that it lies in.
    pub fn root(&self) -> Self {
        let mut root = *self;
        while let Some(parent) = root.parent() {
            root = parent;
        }
        root
    }

    /// What tells its root from others: the root's key (a realm's name), else the file. None where there is one root
    /// for all files.
    pub fn root_name(&self) -> Option<Cow<'t, str>> {
        let root = self.root();
        match self.tree.syntax(root.id) {
            Syntax::Xml => None,
            _ => Some(root.key().unwrap_or(Cow::Borrowed(root.source().path().as_str()))),
        }
    }

    /// The element path with keys: `/profiles/profile[token-service]/settings`, and with the root's name where roots
    /// have one: `/realm[shop]/clients[web]/secret`.
    pub fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut current = Some(*self);
        while let Some(node) = current {
            current = node.parent();
            let name = match current {
                Some(_) => Some(node.name()),
                // A root without a key is the same for everything (or its file says it), so it is not said.
                None => node.key_leaf().map(|leaf| leaf.name()),
            };
            if let Some(name) = name {
                steps.push(match node.key() {
                    Some(key) => format!("/{name}[{key}]"),
                    None => format!("/{name}"),
                });
            }
        }
        steps.reverse();
        if steps.is_empty() {
            "/".to_owned()
        } else {
            steps.concat()
        }
    }

    /// The whole element.
    pub fn span(&self) -> Span {
        self.source().span(self.element().range())
    }

    /// Its content without blanks at the ends; its tag when there is no content.
    pub fn text_span(&self) -> Span {
        let range = trimmed(self.source().text(), self.element().content());
        if range.is_empty() {
            self.tag_span()
        } else {
            self.source().span(range)
        }
    }

    /// Where a finding points: a leaf's text, else the start tag.
    pub(super) fn place(&self) -> std::ops::Range<usize> {
        if self.tree.is_leaf(self.id) {
            self.text_span().range
        } else {
            self.tag_span().range
        }
    }

    /// Its start tag; a member's key; of an array's item the beginning.
    pub fn tag_span(&self) -> Span {
        let element = self.element();
        let start = element.start as usize;
        let end = match self.tree.syntax(self.id) {
            Syntax::Xml => element.content_start as usize,
            syntax if element.has(Element::ITEM) && !element.has(Element::EMPTY_LIST) || element.parent == NONE => {
                scalar::beginning(syntax, self.source().text(), element.range())
            }
            syntax => scalar::key_end(syntax, self.source().text(), element.range()),
        };
        self.source().span(start..end)
    }

    /// Whether it stands for an array without items: of its name there is no other element beside it.
    pub fn is_empty_list(&self) -> bool {
        self.element().has(Element::EMPTY_LIST)
    }

    /// Whether it is an item of an array.
    pub(super) fn is_item(&self) -> bool {
        self.element().has(Element::ITEM) && !self.is_empty_list()
    }

    pub(super) fn is_xml(&self) -> bool {
        self.tree.syntax(self.id) == Syntax::Xml
    }

    /// The file.
    pub fn source(&self) -> &'t Source {
        &self.tree.files[self.id.file as usize]
    }

    /// Which of the bundle's files.
    pub fn file(&self) -> usize {
        self.id.file as usize
    }
}
