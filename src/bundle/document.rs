//! One XML file as an arena: elements in document order, as byte ranges of the text. No text is copied.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// No element, no path.
pub(super) const NONE: u32 = u32::MAX;

/// One element. Its descendants are the elements `index + 1 .. subtree_end`.
#[derive(Clone, Copy)]
pub(super) struct Element {
    /// Its place in the file's [`Paths`].
    pub path: u32,
    pub parent: u32,
    pub subtree_end: u32,
    /// `<` of the start tag.
    pub start: u32,
    /// After `>` of the start tag; of `<a/>` the end of the tag.
    pub content_start: u32,
    /// `<` of the end tag; of `<a/>` the end of the tag.
    pub content_end: u32,
    /// After `>` of the end tag.
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

/// A file's elements. The first one is the root.
#[derive(Default)]
pub(super) struct Document {
    pub elements: Vec<Element>,
    pub paths: Paths,
    /// Elements with [`Element::REPEATS`], in document order.
    pub repeating: Vec<u32>,
    /// All elements, grouped by path, in document order within a path.
    pub grouped: Vec<u32>,
    /// Where each path's group begins in `grouped`; one more than there are paths.
    pub group_starts: Vec<u32>,
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
