//! The merged tree of all files: what the server would hold, with placeholders unfilled.
//!
//! An element that stands in several files (`profiles`, or one profile by its key) is one node with several
//! occurrences. Nodes are small handles; names, texts and spans are looked up in the files.

use std::borrow::Cow;
use std::collections::HashMap;

use super::document::{Document, Element, NONE, Paths, Syntax};
use super::merge;
use super::node::Node;
use super::problem::Problem;
use super::rules::{self, PathRule};
use super::scalar;
use super::text::decode_content;
use crate::diagnostic::Source;
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
    /// For each file, the file's own number (second) of each path (first) that it has; sorted.
    own_paths: Vec<Vec<(u32, u32)>>,
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
                let mut own: Vec<_> = (0..).zip(to_all).map(|(own, all)| (*all, own)).collect();
                own.sort_unstable();
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
                let own = &self.own_paths[file];
                let Ok(place) = own.binary_search_by_key(path, |(all, _)| *all) else {
                    continue;
                };
                let elements = document.of_path(own[place].1);
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

    /// Whether a file has elements; a text of lines has none.
    pub fn has_elements(&self, file: usize) -> bool {
        self.documents
            .get(file)
            .is_some_and(|document| !document.elements.is_empty())
    }

    /// Whether all files are in the tree. If not, nothing can be said of what it lacks.
    pub fn is_complete(&self) -> bool {
        self.accepted.iter().all(|accepted| *accepted)
    }

    /// The leaf whose content holds a byte of a file, if it is in a leaf.
    pub fn leaf_at(&self, file: usize, offset: usize) -> Option<Node<'_>> {
        let document = self.documents.get(file)?;
        let index = document.leaf_before(offset)?;
        let inside = document.elements[index as usize].content().contains(&offset) && document.is_leaf(index);
        if inside { self.at(file as u32, index) } else { None }
    }

    /// The innermost element that holds a byte of a file.
    pub fn node_at(&self, file: usize, offset: usize) -> Option<Node<'_>> {
        let elements = &self.documents.get(file)?.elements;
        let after = elements.partition_point(|element| element.start as usize <= offset);
        let mut index = after.checked_sub(1)? as u32;
        while !elements.get(index as usize)?.range().contains(&offset) {
            index = elements[index as usize].parent;
        }
        self.at(file as u32, index)
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

    pub(super) fn document(&self, file: usize) -> Option<&Document> {
        self.documents.get(file)
    }

    pub(super) fn syntax(&self, id: NodeId) -> Syntax {
        self.documents[id.file as usize].syntax
    }

    /// The text of a leaf as a parser gives it.
    pub(super) fn text(&self, id: NodeId) -> Cow<'_, str> {
        let element = self.element(id);
        if element.has(Element::EMPTY) {
            return Cow::Borrowed("");
        }
        scalar::decode(self.syntax(id), self.files[id.file as usize].text(), element.content())
    }

    /// The text of a leaf without blanks at the ends, unless they mean something: they do in quotes.
    pub(super) fn value(&self, id: NodeId) -> Cow<'_, str> {
        let element = self.element(id);
        if self.syntax(id) != Syntax::Xml || self.rules[element.path as usize].preserve_space {
            return self.text(id);
        }
        let text = self.files[id.file as usize].text();
        let content = text.get(element.content()).unwrap_or_default();
        // Trimming first leaves nearly every text borrowed.
        match decode_content(content.trim_ascii()) {
            Cow::Borrowed(text) => Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
        }
    }

    /// Whether it is a value of a leaf-list.
    pub(super) fn is_leaf_list(&self, id: NodeId) -> bool {
        let element = self.element(id);
        if !self.is_leaf(id) {
            return false;
        }
        if self.syntax(id) != Syntax::Xml {
            return element.has(Element::ITEM) && !element.has(Element::EMPTY_LIST);
        }
        let rule = &self.rules[element.path as usize];
        rule.leaf_list || (self.is_repeated(id) && !rule.known_single)
    }

    /// The leaves that make an element the entry of a list.
    pub(super) fn key_leaves(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let document = &self.documents[id.file as usize];
        let element = self.element(id);
        let rule = &self.rules[element.path as usize];
        let is_xml = document.syntax == Syntax::Xml;
        // An object with a member `name` that is in no array is no entry of anything.
        let is_entry = is_xml || element.has(Element::ITEM) || element.parent == NONE;
        let keys = if is_entry { &rule.keys[..] } else { &[] };
        let most = if rule.one_key { 1 } else { usize::MAX };
        keys.iter()
            .filter_map(move |key| {
                let mut children = document.children(id.index);
                let index = children.find(|child| document.elements[*child as usize].path == *key)?;
                let fits =
                    is_xml || (document.is_leaf(index) && !document.elements[index as usize].has(Element::EMPTY));
                fits.then_some(NodeId { file: id.file, index })
            })
            .take(most)
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
