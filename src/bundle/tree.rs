//! The merged tree of all files: what the server would hold, with placeholders unfilled.
//!
//! An element that stands in several files (`profiles`, or one profile by its key) is one node with several
//! occurrences. Nodes are small handles; names, texts and spans are looked up in the files.

use std::borrow::Cow;
use std::collections::HashMap;

use super::document::{Document, Element, NONE, Paths};
use super::merge;
use super::problem::Problem;
use super::rules::{self, PathRule};
use super::text::{decode_content, trimmed};
use crate::diagnostic::{Source, Span};
use crate::profile::{PathPattern, ServerProfile};

/// Which element of which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId {
    pub file: u32,
    pub index: u32,
}

/// All files as one tree. What stands in files that are not well-formed, or whose root the server does not load, is
/// not in it.
pub struct Tree {
    pub(super) files: Vec<Source>,
    pub(super) documents: Vec<Document>,
    pub(super) paths: Paths,
    pub(super) rules: Vec<PathRule>,
    /// For each file, the file's own number of each path, or [`NONE`].
    own_paths: Vec<Vec<u32>>,
    /// Elements for which another one stands.
    pub(super) aliases: HashMap<NodeId, NodeId>,
    /// Further occurrences of elements that stand in several places.
    pub(super) shared: HashMap<NodeId, Vec<NodeId>>,
    /// Roots, each once.
    pub(super) roots: Vec<NodeId>,
    /// Which files are in the tree.
    pub(super) accepted: Vec<bool>,
}

impl Tree {
    /// Merges the files' documents as the profile says.
    pub(super) fn merge(
        files: Vec<Source>,
        mut documents: Vec<Document>,
        profile: &ServerProfile,
    ) -> (Self, Vec<Problem>) {
        let mut paths = Paths::default();
        let own_to_all: Vec<_> = documents.iter().map(|document| adopt(&mut paths, document)).collect();
        for (document, to_all) in documents.iter_mut().zip(&own_to_all) {
            for element in &mut document.elements {
                element.path = to_all[element.path as usize];
            }
        }
        let own_paths = own_to_all
            .iter()
            .map(|to_all| {
                let mut own = vec![NONE; paths.list.len()];
                for (index, path) in to_all.iter().enumerate() {
                    own[*path as usize] = index as u32;
                }
                own
            })
            .collect();
        let mut tree = Self {
            accepted: vec![true; files.len()],
            files,
            documents,
            rules: rules::rules(&paths, profile),
            paths,
            own_paths,
            aliases: HashMap::new(),
            shared: HashMap::new(),
            roots: Vec::new(),
        };
        let problems = merge::merge(&mut tree, profile);
        (tree, problems)
    }

    pub(super) fn files(&self) -> &[Source] {
        &self.files
    }

    /// The roots of the tree: one for a server whose files are merged.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> {
        self.roots.iter().map(|id| Node { tree: self, id: *id })
    }

    /// The elements that a pattern fits, each once, in the order of the files.
    pub fn find(&self, pattern: &PathPattern) -> impl Iterator<Item = Node<'_>> {
        self.find_any(std::slice::from_ref(pattern))
    }

    /// The elements that one of the patterns fits, each once, in the order of the files.
    pub fn find_any(&self, patterns: &[PathPattern]) -> impl Iterator<Item = Node<'_>> {
        let paths: Vec<_> = (0..self.paths.list.len() as u32)
            .filter(|path| patterns.iter().any(|pattern| self.fits(*path, pattern)))
            .collect();
        let mut found = Vec::new();
        for (file, document) in self
            .documents
            .iter()
            .enumerate()
            .filter(|(file, _)| self.accepted[*file])
        {
            let from = found.len();
            for path in &paths {
                let elements = document.of_path(self.own_paths[file][*path as usize]);
                found.extend(elements.iter().map(|index| NodeId {
                    file: file as u32,
                    index: *index,
                }));
            }
            if paths.len() > 1 {
                found[from..].sort_unstable();
            }
        }
        found
            .into_iter()
            .filter(|id| !self.element(*id).has(Element::ALIAS))
            .map(|id| Node { tree: self, id })
    }

    fn fits(&self, path: u32, pattern: &PathPattern) -> bool {
        let local = &*self.paths.list[path as usize].local;
        pattern.last_name().is_none_or(|last| last == local) && pattern.matches(&self.paths.names(path))
    }

    /// All leaves, file by file from the top, also those for which an equal one elsewhere stands.
    pub fn leaves(&self) -> impl Iterator<Item = Node<'_>> {
        self.documents.iter().enumerate().flat_map(move |(file, document)| {
            (0..document.elements.len() as u32)
                .filter(|index| document.is_leaf(*index))
                .map(move |index| Node {
                    tree: self,
                    id: NodeId {
                        file: file as u32,
                        index,
                    },
                })
        })
    }

    /// Whether all files are in the tree. If not, nothing can be said of what it lacks.
    pub fn is_complete(&self) -> bool {
        self.accepted.iter().all(|accepted| *accepted)
    }

    /// The leaf whose content holds a byte of a file, if it is in a leaf.
    pub fn leaf_at(&self, file: usize, offset: usize) -> Option<Node<'_>> {
        let document = self.documents.get(file)?;
        let after = document
            .elements
            .partition_point(|element| element.start as usize <= offset);
        let index = after.checked_sub(1)? as u32;
        let inside = document.elements[index as usize].content().contains(&offset) && document.is_leaf(index);
        if inside { self.at(file as u32, index) } else { None }
    }

    /// How many elements all files have.
    pub fn size(&self) -> usize {
        self.documents.iter().map(|document| document.elements.len()).sum()
    }

    pub(super) fn at(&self, file: u32, index: u32) -> Option<Node<'_>> {
        self.documents.get(file as usize)?.elements.get(index as usize)?;
        let id = NodeId { file, index };
        Some(Node { tree: self, id })
    }

    pub(super) fn element(&self, id: NodeId) -> &Element {
        &self.documents[id.file as usize].elements[id.index as usize]
    }

    pub(super) fn element_mut(&mut self, id: NodeId) -> &mut Element {
        &mut self.documents[id.file as usize].elements[id.index as usize]
    }

    /// The element that stands for this one in the merged tree.
    pub(super) fn merged(&self, id: NodeId) -> NodeId {
        if self.element(id).has(Element::ALIAS) {
            self.aliases.get(&id).copied().unwrap_or(id)
        } else {
            id
        }
    }

    pub(super) fn is_leaf(&self, id: NodeId) -> bool {
        self.documents[id.file as usize].is_leaf(id.index)
    }

    /// Whether some file repeats the element's path under one parent.
    pub(super) fn is_repeated(&self, id: NodeId) -> bool {
        self.paths.list[self.element(id).path as usize].repeated
    }

    /// All places where a merged element stands.
    pub(super) fn occurrences(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let further = if self.element(id).has(Element::SHARED) {
            self.shared.get(&id).map_or(&[][..], Vec::as_slice)
        } else {
            &[]
        };
        std::iter::once(id).chain(further.iter().copied())
    }

    /// The text of a leaf without blanks at the ends, unless they mean something.
    pub(super) fn value(&self, id: NodeId) -> Cow<'_, str> {
        let element = self.element(id);
        let text = self.files[id.file as usize].text();
        let content = text.get(element.content()).unwrap_or_default();
        if self.rules[element.path as usize].preserve_space {
            return decode_content(content);
        }
        // Trimming first leaves nearly every text borrowed.
        match decode_content(content.trim_ascii()) {
            Cow::Borrowed(text) => Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
        }
    }

    /// The leaves that make an element the entry of a list.
    pub(super) fn key_leaves(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let document = &self.documents[id.file as usize];
        let rule = &self.rules[self.element(id).path as usize];
        rule.keys.iter().filter_map(move |key| {
            let index = document
                .children(id.index)
                .find(|child| document.elements[*child as usize].path == *key)?;
            Some(NodeId { file: id.file, index })
        })
    }
}

/// Takes a file's paths into those of all files: the number there of each number here.
fn adopt(paths: &mut Paths, document: &Document) -> Vec<u32> {
    let own = &document.paths;
    let mut to_all: Vec<u32> = Vec::with_capacity(own.list.len());
    for path in &own.list {
        let namespace = paths.namespaces.intern(own.namespaces.get(path.namespace));
        let parent = to_all.get(path.parent as usize).copied().unwrap_or(NONE);
        let index = paths.intern(parent, namespace, &path.local);
        paths.list[index as usize].repeated |= path.repeated;
        to_all.push(index);
    }
    to_all
}

/// One element of a [`Tree`].
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    id: NodeId,
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
            decode_content(self.written())
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

    /// Whether its own text holds a placeholder.
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

    /// Whether the order among its siblings of one name means something.
    pub fn is_ordered(&self) -> bool {
        self.tree.rules[self.element().path as usize].ordered
    }

    /// Whether it is one of many values of a leaf-list.
    pub fn is_leaf_list(&self) -> bool {
        let rule = &self.tree.rules[self.element().path as usize];
        self.is_leaf() && (rule.leaf_list || (self.tree.is_repeated(self.id) && !rule.known_single))
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

    /// The element path with keys: `/profiles/profile[token-service]/settings`.
    pub fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut current = Some(*self);
        while let Some(node) = current {
            current = node.parent();
            // The root is the same for everything, so it is not said.
            if current.is_some() {
                steps.push(match node.key() {
                    Some(key) => format!("/{}[{key}]", node.name()),
                    None => format!("/{}", node.name()),
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

    /// Its start tag.
    pub fn tag_span(&self) -> Span {
        let element = self.element();
        self.source()
            .span(element.start as usize..element.content_start as usize)
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
