//! The merge rule: all files below one root; entries of lists meet by their key, leaf-lists unite, containers meet by
//! name, and a leaf may have one value only.
//!
//! A profile can't know every plugin's lists. Where it is silent, a leaf that one file repeats is taken for a leaf-list
//! (a file exported by the server repeats nothing else) and that is said once a path.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::document::{Element, Syntax};
use super::problem::Problem;
use super::tree::{NodeId, Tree};
use crate::diagnostic::Code;
use crate::profile::{ServerProfile, XmlShape};

/// How many findings of the merge are told.
const MOST_PROBLEMS: usize = 500;

/// Finds what stands for what, and sets the tree's roots, aliases and occurrences.
pub(super) fn merge(tree: &mut Tree, profile: &ServerProfile) -> Vec<Problem> {
    let mut merger = Merger {
        tree,
        problems: Vec::new(),
        queue: Vec::new(),
        quiet: HashSet::new(),
        seen: HashTable::new(),
        hasher: DefaultHashBuilder::default(),
        previous: HashMap::new(),
        told: HashSet::new(),
        children: Vec::new(),
    };
    merger.roots(profile.xml.as_ref());
    merger.work_off();
    for file in 0..merger.tree.files.len() {
        for index in std::mem::take(&mut merger.tree.documents[file].repeating) {
            let id = NodeId {
                file: file as u32,
                index,
            };
            if merger.tree.documents[file].syntax != Syntax::Xml {
                merger.entries_twice(id);
            } else if merger.tree.accepted[file] && !merger.tree.element(id).has(Element::VISITED) {
                merger.queue.push(id);
                merger.work_off();
            }
        }
    }
    merger.problems
}

/// Whether findings are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    Loud,
    Quiet,
}

/// What makes two children of one name the same.
enum Identity<'t> {
    /// An entry of a list: its key.
    Key(Vec<Cow<'t, str>>),
    /// One value of a leaf-list.
    Value(Cow<'t, str>),
    /// There is only one.
    Name,
}

struct Merger<'t> {
    tree: &'t mut Tree,
    problems: Vec<Problem>,
    /// Elements whose children are to be merged.
    queue: Vec<NodeId>,
    /// Elements below which nothing is told: what differs within an entry that stands twice is no further news.
    quiet: HashSet<NodeId>,
    /// The children seen so far under one parent, with the hash of path and identity.
    seen: HashTable<(NodeId, u64)>,
    hasher: DefaultHashBuilder,
    /// The last leaf of each unlisted path under one parent of one file.
    previous: HashMap<u32, NodeId>,
    /// Paths of which something was told that is told once.
    told: HashSet<u32>,
    /// Kept from parent to parent, to be allocated once.
    children: Vec<u32>,
}

impl Merger<'_> {
    fn roots(&mut self, shape: Option<&XmlShape>) {
        for file in 0..self.tree.files.len() {
            if self.tree.documents[file].broken {
                self.tree.accepted[file] = false;
                continue;
            }
            if self.tree.documents[file].elements.is_empty() {
                continue;
            }
            let root = NodeId {
                file: file as u32,
                index: 0,
            };
            let Some(shape) = shape.filter(|_| self.tree.documents[file].syntax == Syntax::Xml) else {
                let roots = self.tree.documents[file].roots();
                let file = file as u32;
                self.tree.roots.extend(roots.map(|index| NodeId { file, index }));
                continue;
            };
            if let Some(problem) = wrong_root(self.tree, root, shape) {
                self.tree.accepted[file] = false;
                self.tell(problem);
            } else if let Some(first) = self.tree.roots.first().copied() {
                self.share(first, root);
            } else {
                self.tree.roots.push(root);
            }
        }
        let merged = self
            .tree
            .roots
            .iter()
            .filter(|root| self.tree.syntax(**root) == Syntax::Xml);
        self.queue.extend(merged.copied());
    }

    /// Files that are trees of their own are not merged; but an array's entries must differ in their keys where the
    /// profile knows these.
    fn entries_twice(&mut self, parent: NodeId) {
        let file = parent.file;
        let mut seen: HashMap<(u32, String), NodeId> = HashMap::new();
        let mut found = Vec::new();
        for index in self.tree.documents[file as usize].children(parent.index) {
            let id = NodeId { file, index };
            let path = self.tree.element(id).path;
            if !self.tree.rules[path as usize].listed {
                continue;
            }
            let key = self.node(id).and_then(|node| node.key()).map(Cow::into_owned);
            let Some(key) = key else { continue };
            match seen.entry((path, key)) {
                Entry::Occupied(first) => found.push((*first.get(), id)),
                Entry::Vacant(entry) => {
                    entry.insert(id);
                }
            }
        }
        for (first, second) in found {
            let path = self.node(second).map(|node| node.path()).unwrap_or_default();
            let problem = Problem::new(Code::DuplicateKey, format!("`{path}` stands twice"));
            let problem = self.places(problem, second, "again here", first, "first here");
            self.tell(problem.help("remove one of them, or give it another key"));
        }
    }

    fn work_off(&mut self) {
        while let Some(id) = self.queue.pop() {
            self.children_of(id);
        }
    }

    /// Merges the children of all occurrences of an element.
    fn children_of(&mut self, parent: NodeId) {
        let shared = self.tree.element(parent).has(Element::SHARED);
        if !shared && !self.tree.element(parent).has(Element::REPEATS) {
            return;
        }
        // Clearing a table costs its capacity: the one of a long list is not kept for the short ones.
        if self.seen.capacity() > 256 {
            self.seen = HashTable::new();
        }
        self.seen.clear();
        let voice = if self.quiet.contains(&parent) {
            Voice::Quiet
        } else {
            Voice::Loud
        };
        let mut children = std::mem::take(&mut self.children);
        let occurrences: Vec<_> = self.tree.occurrences(parent).collect();
        for occurrence in occurrences {
            self.tree.element_mut(occurrence).flags |= Element::VISITED;
            self.previous.clear();
            children.clear();
            children.extend(self.tree.documents[occurrence.file as usize].children(occurrence.index));
            for index in &children {
                let child = NodeId {
                    file: occurrence.file,
                    index: *index,
                };
                self.child(child, voice);
            }
        }
        self.children = children;
    }

    fn child(&mut self, child: NodeId, voice: Voice) {
        let identity = identity(self.tree, child);
        let path = self.tree.element(child).path;
        let hash = match &identity {
            Identity::Key(key) => self.hasher.hash_one((path, 1, key)),
            Identity::Value(value) => self.hasher.hash_one((path, 2, value)),
            Identity::Name => self.hasher.hash_one((path, 3)),
        };
        let tree = &*self.tree;
        let same = |(other, other_hash): &(NodeId, u64)| {
            *other_hash == hash && tree.element(*other).path == path && identity.is_of(tree, *other)
        };
        let first = self.seen.find(hash, same).map(|(first, _)| *first);
        let kind = match identity {
            Identity::Key(_) => Kind::Entry,
            Identity::Value(_) => Kind::Value,
            Identity::Name => Kind::Single,
        };
        if kind == Kind::Value && !self.tree.rules[path as usize].leaf_list {
            self.unknown_leaf_list(child, path, voice);
        }
        match first {
            None => {
                self.seen.insert_unique(hash, (child, hash), |(_, hash)| *hash);
            }
            Some(first) => match kind {
                Kind::Entry => self.entry(first, child, voice),
                Kind::Value => self.value(first, child, voice),
                Kind::Single => self.single(first, child, voice),
            },
        }
    }

    /// Two entries with one key.
    fn entry(&mut self, first: NodeId, second: NodeId, voice: Voice) {
        let twice = self.tree.occurrences(first).find(|other| other.file == second.file);
        if let Some(other) = twice {
            let path = self.node(second).map(|node| node.path()).unwrap_or_default();
            let problem = Problem::new(Code::DuplicateKey, format!("`{path}` stands twice in one file"));
            let problem = self.places(problem, second, "again here", other, "first here");
            self.tell_unless(voice, problem.help("remove one of them, or give it another key"));
            self.quiet.insert(first);
        }
        self.share_children(first, second, voice);
    }

    /// One value twice in a leaf-list.
    fn value(&mut self, first: NodeId, second: NodeId, voice: Voice) {
        self.alias(first, second);
        let path = self.tree.element(second).path;
        if first.file == second.file && self.told.insert(path) {
            let value = self.node(second).map(|node| node.path()).unwrap_or_default();
            let problem = Problem::new(Code::DuplicateKey, format!("one value stands twice in `{value}`")).warning();
            let problem = self.places(problem, second, "again here", first, "first here");
            self.tell_unless(voice, problem.help("remove one of them"));
        }
    }

    /// Two elements of which there can be only one.
    fn single(&mut self, first: NodeId, second: NodeId, voice: Voice) {
        let path = self.tree.element(second).path;
        let (first_leaf, second_leaf) = (self.tree.is_leaf(first), self.tree.is_leaf(second));
        if first_leaf && second_leaf {
            if self.tree.value(first) != self.tree.value(second) {
                self.conflict(first, second, "has two values", voice);
            }
            self.alias(first, second);
        } else if (first_leaf && !self.tree.value(first).is_empty())
            || (second_leaf && !self.tree.value(second).is_empty())
        {
            self.conflict(first, second, "has a value in one place and elements in another", voice);
            self.share(first, second);
        } else if self.tree.is_repeated(second) || self.tree.rules[path as usize].listed {
            // Entries of a list whose key nobody knows: kept apart.
            self.unknown_list(first, second, voice);
        } else {
            self.share_children(first, second, voice);
        }
    }

    fn conflict(&mut self, first: NodeId, second: NodeId, what: &str, voice: Voice) {
        let path = self.node(second).map(|node| node.path()).unwrap_or_default();
        let problem = Problem::new(Code::MergeConflict, format!("`{path}` {what}"));
        let problem = self.places(problem, second, "another one here", first, "one here");
        let help = if first.file == second.file {
            "keep one of them"
        } else {
            "keep one of them; if stages differ in it, use a parameter"
        };
        self.tell_unless(voice, problem.help(help));
    }

    /// A value of a leaf-list that the profile does not call one: said when it is the second one here.
    fn unknown_leaf_list(&mut self, child: NodeId, path: u32, voice: Voice) {
        let Some(before) = self.previous.insert(path, child) else {
            return;
        };
        if self.tree.value(before) == self.tree.value(child) || !self.told.insert(path) {
            return;
        }
        if self.tree.element(before).subtree_end != child.index {
            // No server writes a leaf-list with other elements between.
            self.conflict(before, child, "has two values", voice);
            return;
        }
        let name = self.node(child).map(|node| node.name().to_owned()).unwrap_or_default();
        let problem = Problem::new(Code::MergeConflict, format!("`{name}` has more than one value")).warning();
        let problem = self.places(problem, child, "another one here", before, "one here");
        let pattern = self.tree.paths.names(path).join("/");
        let help = format!("if it may have many, add `{pattern}` to `leaf-lists` in the server profile");
        self.tell_unless(voice, problem.help(help));
    }

    fn unknown_list(&mut self, first: NodeId, second: NodeId, voice: Voice) {
        let path = self.tree.element(second).path;
        if !self.told.insert(path) {
            return;
        }
        let name = self.node(second).map(|node| node.name().to_owned()).unwrap_or_default();
        let problem = Problem::new(
            Code::MergeConflict,
            format!("`{name}` stands more than once, and has no known key"),
        );
        let problem = self.places(problem.warning(), second, "another one here", first, "one here");
        let pattern = self.tree.paths.names(path).join("/");
        let help = format!("name its key: `{{ path = \"{pattern}\", keys = […] }}` in `lists` of the server profile");
        self.tell_unless(voice, problem.help(help));
    }

    fn places(&self, problem: Problem, second: NodeId, again: &str, first: NodeId, here: &str) -> Problem {
        [(second, again), (first, here)]
            .into_iter()
            .fold(problem, |problem, (id, text)| match self.node(id) {
                Some(node) => {
                    let secret = self.tree.rules[self.tree.element(id).path as usize].secret;
                    problem.at(id.file as usize, node.place(), text).withhold_if(secret)
                }
                None => problem,
            })
    }

    fn node(&self, id: NodeId) -> Option<super::Node<'_>> {
        self.tree.at(id.file, id.index)
    }

    fn tell(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn tell_unless(&mut self, voice: Voice, problem: Problem) {
        if voice == Voice::Loud {
            self.tell(problem);
        }
    }

    fn alias(&mut self, first: NodeId, second: NodeId) {
        self.tree.element_mut(second).flags |= Element::ALIAS;
        self.tree.aliases.insert(second, first);
    }

    fn share(&mut self, first: NodeId, second: NodeId) {
        self.alias(first, second);
        self.tree.element_mut(first).flags |= Element::SHARED;
        self.tree.shared.entry(first).or_default().push(second);
    }

    /// Merges also what is below; once all occurrences are known.
    fn share_children(&mut self, first: NodeId, second: NodeId, voice: Voice) {
        if !self.tree.element(first).has(Element::SHARED) {
            self.queue.push(first);
        }
        if voice == Voice::Quiet {
            self.quiet.insert(first);
        }
        self.share(first, second);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entry,
    Value,
    Single,
}

impl Identity<'_> {
    fn is_of(&self, tree: &Tree, other: NodeId) -> bool {
        match (self, identity(tree, other)) {
            (Self::Key(key), Identity::Key(other)) => *key == other,
            (Self::Value(value), Identity::Value(other)) => *value == other,
            (Self::Name, Identity::Name) => true,
            _ => false,
        }
    }
}

fn identity(tree: &Tree, id: NodeId) -> Identity<'_> {
    let path = tree.element(id).path;
    let rule = &tree.rules[path as usize];
    if !rule.keys.is_empty() {
        let key: Vec<_> = tree.key_leaves(id).map(|leaf| tree.value(leaf)).collect();
        if !key.is_empty() {
            return Identity::Key(key);
        }
    }
    if tree.is_leaf_list(id) {
        Identity::Value(tree.value(id))
    } else {
        Identity::Name
    }
}

/// What is wrong with a file's root.
fn wrong_root(tree: &Tree, root: NodeId, shape: &XmlShape) -> Option<Problem> {
    let node = tree.at(root.file, root.index)?;
    let (name, namespace) = (node.name(), node.namespace());
    if name == shape.root.name && namespace == shape.root.namespace {
        return None;
    }
    let written = |namespace: &str| match namespace {
        "" => "no namespace".to_owned(),
        namespace => format!("namespace `{namespace}`"),
    };
    let message = format!(
        "the root element is `{name}` in {}, which the server does not load",
        written(namespace)
    );
    let rejected = shape.rejected_roots.iter().find(|rejected| {
        rejected.name == name && rejected.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
    });
    let help = match rejected {
        Some(rejected) => rejected.help.clone(),
        None => format!("use `<{} xmlns=\"{}\">`", shape.root.name, shape.root.namespace),
    };
    let tag = node.tag_span().range;
    let problem = Problem::new(Code::XmlRoot, message);
    Some(problem.at(root.file as usize, tag, "").help(help))
}

#[cfg(test)]
mod tests;
