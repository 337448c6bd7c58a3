//! One file as an arena: elements in document order, as byte ranges of the text. No text is copied.
//!
//! Members of JSON, YAML and TOML are elements, too; an array is its items, each an element of the array's name. (TOML
//! may write a table in pieces: there an element's descendants stand together in the arena, not always in the text.)

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// No element, no path.
pub(super) const NONE: u32 = u32::MAX;

/// How a file's scalars are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Syntax {
    #[default]
    Xml,
    Json,
    Yaml,
    Toml,
    /// Lines of text, of which only the placeholders are understood.
    Lines,
}

/// One element. Its descendants are the elements `index + 1 .. subtree_end`.
#[derive(Clone, Copy)]
pub(super) struct Element {
    /// Its place in the file's [`Paths`].
    pub path: u32,
    pub parent: u32,
    pub subtree_end: u32,
    /// `<` of the start tag; a member's key; an array item's value.
    pub start: u32,
    /// After `>` of the start tag; of `<a/>` the end of the tag. Within the quotes of a string, if it has any.
    pub content_start: u32,
    /// `<` of the end tag; of `<a/>` the end of the tag.
    pub content_end: u32,
    /// After `>` of the end tag, after the value.
    pub end: u32,
    pub flags: u32,
}

impl Element {
    /// Some children have one name.
    pub(super) const REPEATS: u32 = 1;
    /// Its own text holds a placeholder.
    pub(super) const PLACEHOLDER: u32 = 1 << 1;
    /// In the merged tree another element stands for it.
    pub(super) const ALIAS: u32 = 1 << 2;
    /// In the merged tree it stands for others, too.
    pub(super) const SHARED: u32 = 1 << 3;
    /// The merge has seen its children.
    pub(super) const VISITED: u32 = 1 << 4;
    /// It has an attribute that declares no namespace.
    pub(super) const ATTRIBUTES: u32 = 1 << 5;
    /// It is an item of an array.
    pub(super) const ITEM: u32 = 1 << 6;
    /// `null`, `{}` or `[]`: its text is empty, whatever is written.
    pub(super) const EMPTY: u32 = 1 << 7;
    /// It stands for an array without items.
    pub(super) const EMPTY_LIST: u32 = 1 << 8;

    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn content(&self) -> Range<usize> {
        self.content_start as usize..self.content_end as usize
    }
}

/// A file's elements. The first one is a root; YAML may have several.
#[derive(Default)]
pub(super) struct Document {
    pub syntax: Syntax,
    pub elements: Vec<Element>,
    pub paths: Paths,
    /// Elements with [`Element::REPEATS`], in document order.
    pub repeating: Vec<u32>,
    /// All elements, grouped by path, in document order within a path.
    pub grouped: Vec<u32>,
    /// Where each path's group begins in `grouped`; one more than there are paths.
    pub group_starts: Vec<u32>,
    /// The leaves by their place in the text, where that is not their order here.
    pub by_place: Option<Vec<u32>>,
    /// The file is not well-formed: the last elements are cut off.
    pub broken: bool,
}

impl Document {
    /// The children of an element.
    pub(super) fn children(&self, parent: u32) -> Children<'_> {
        let end = self
            .elements
            .get(parent as usize)
            .map_or(0, |element| element.subtree_end);
        Children {
            elements: &self.elements,
            next: parent.saturating_add(1),
            end,
        }
    }

    /// The roots, from the top.
    pub(super) fn roots(&self) -> Children<'_> {
        Children {
            elements: &self.elements,
            next: 0,
            end: self.elements.len() as u32,
        }
    }

    /// The last leaf that begins at or before a byte.
    pub(super) fn leaf_before(&self, offset: usize) -> Option<u32> {
        let starts = |index: &u32| self.elements[*index as usize].start as usize <= offset;
        match &self.by_place {
            Some(leaves) => leaves[..leaves.partition_point(starts)].last().copied(),
            None => {
                let after = self
                    .elements
                    .partition_point(|element| element.start as usize <= offset);
                after.checked_sub(1).map(|index| index as u32)
            }
        }
    }

    /// Whether it has no child elements.
    pub(super) fn is_leaf(&self, index: u32) -> bool {
        self.elements[index as usize].subtree_end == index + 1
    }

    /// The elements of a path of this file.
    pub(super) fn of_path(&self, path: u32) -> &[u32] {
        let path = path as usize;
        match (self.group_starts.get(path), self.group_starts.get(path + 1)) {
            (Some(start), Some(end)) => &self.grouped[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// Fills `grouped`: a counting sort, since the paths are few and numbered.
    pub(super) fn group(&mut self) {
        let mut starts = vec![0_u32; self.paths.list.len() + 1];
        for element in &self.elements {
            starts[element.path as usize + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        self.grouped = vec![0; self.elements.len()];
        for (index, element) in self.elements.iter().enumerate() {
            let slot = &mut next[element.path as usize];
            self.grouped[*slot as usize] = index as u32;
            *slot += 1;
        }
        self.group_starts = starts;
    }
}

/// Child elements, by skipping over subtrees.
pub(super) struct Children<'d> {
    elements: &'d [Element],
    next: u32,
    end: u32,
}

impl Iterator for Children<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.next >= self.end {
            return None;
        }
        let current = self.next;
        self.next = self.elements[current as usize].subtree_end;
        Some(current)
    }
}

/// Names of an element and its ancestors, each sequence once: a configuration of a million elements has a few hundred.
///
/// What depends on names only (does a pattern match, is it a list, is it secret) is worked out once a path.
#[derive(Default)]
pub(super) struct Paths {
    pub list: Vec<Path>,
    lookup: HashTable<u32>,
    hasher: DefaultHashBuilder,
    pub namespaces: Namespaces,
}

/// One sequence of names.
pub(super) struct Path {
    pub parent: u32,
    pub local: Box<str>,
    pub namespace: u32,
    /// From 0, the root.
    pub depth: u32,
    /// Two elements of this path stand under one parent, somewhere.
    pub repeated: bool,
}

impl Paths {
    /// The number of a path.
    pub(super) fn intern(&mut self, parent: u32, namespace: u32, local: &str) -> u32 {
        let hash = self.hasher.hash_one((parent, namespace, local));
        let list = &self.list;
        let same = |index: &u32| {
            let path = &list[*index as usize];
            path.parent == parent && path.namespace == namespace && *path.local == *local
        };
        if let Some(index) = self.lookup.find(hash, same) {
            return *index;
        }
        let index = self.list.len() as u32;
        let depth = self.list.get(parent as usize).map_or(0, |parent| parent.depth + 1);
        self.list.push(Path {
            parent,
            local: local.into(),
            namespace,
            depth,
            repeated: false,
        });
        let (list, hasher) = (&self.list, &self.hasher);
        self.lookup.insert_unique(hash, index, |index| {
            let path = &list[*index as usize];
            hasher.hash_one((path.parent, path.namespace, &*path.local))
        });
        index
    }

    /// Local names from just below the root to the path.
    pub(super) fn names(&self, path: u32) -> Vec<&str> {
        let mut names = Vec::new();
        let mut current = path;
        while let Some(path) = self.list.get(current as usize)
            && path.parent != NONE
        {
            names.push(&*path.local);
            current = path.parent;
        }
        names.reverse();
        names
    }
}

/// Namespace names, each once. The empty one is number 0.
pub(super) struct Namespaces {
    list: Vec<Box<str>>,
    lookup: HashMap<Box<str>, u32>,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self {
            list: vec!["".into()],
            lookup: HashMap::from([("".into(), 0)]),
        }
    }
}

impl Namespaces {
    pub(super) fn intern(&mut self, name: &str) -> u32 {
        if let Some(index) = self.lookup.get(name) {
            return *index;
        }
        let index = self.list.len() as u32;
        self.list.push(name.into());
        self.lookup.insert(name.into(), index);
        index
    }

    pub(super) fn get(&self, index: u32) -> &str {
        self.list.get(index as usize).map_or("", |name| name)
    }
}
