//! What a profile says of each path, worked out once a path.

use super::document::{NONE, Paths};
use crate::profile::{PathPattern, SecretRule, ServerProfile, TreeShape};

/// What is known of the elements of one path.
#[derive(Clone, Default)]
pub(super) struct PathRule {
    /// Paths of the children that make the key.
    pub keys: Vec<u32>,
    /// Only the first of them that an entry has is its key.
    pub one_key: bool,
    /// A rule of `lists` fits: these are entries of a list, whatever children they have.
    pub listed: bool,
    /// Many values are fine.
    pub leaf_list: bool,
    /// The order of the entries means something.
    pub ordered: bool,
    /// Blanks at the ends mean something.
    pub preserve_space: bool,
    /// The profile speaks of this leaf, and not as of one with many values.
    pub known_single: bool,
    /// Values are secrets.
    pub secret: bool,
}

/// A rule for every path.
pub(super) fn rules(paths: &Paths, profile: &ServerProfile) -> Vec<PathRule> {
    let mut rules = vec![PathRule::default(); paths.list.len()];
    let shape = &profile.tree;
    let single = single_leaves(profile);
    let mut key_names: Vec<&[String]> = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter_mut().enumerate() {
        let local = &*paths.list[index].local;
        let names = Names::new(paths, index as u32);
        rule.leaf_list = names.fit_any(local, &shape.leaf_lists);
        rule.ordered = names.fit_any(local, &shape.ordered);
        rule.preserve_space = names.fit_any(local, &shape.preserve_space);
        rule.known_single = !rule.leaf_list && single.iter().any(|pattern| names.fit(local, pattern));
        let fits = |secret: &SecretRule| names.fit(local, &secret.path);
        rule.secret = profile.secrets.iter().any(fits) && !names.fit_any(local, &profile.public);
        let (keys, listed) = if paths.list[index].parent == NONE {
            (&shape.root_keys[..], false)
        } else {
            keys(shape, local, &names)
        };
        rule.listed = listed;
        rule.one_key = !listed;
        key_names.push(keys);
    }
    add_key_paths(paths, &key_names, &mut rules);
    rules
}

fn keys<'p>(shape: &'p TreeShape, local: &str, names: &Names<'_>) -> (&'p [String], bool) {
    if let Some(list) = shape.lists.iter().find(|list| names.fit(local, &list.path)) {
        return (&list.keys, true);
    }
    if names.fit_any(local, &shape.containers) {
        return (&[], false);
    }
    (&shape.keys, false)
}

/// Turns names of key children into paths, in the order of the names. A key has its list's namespace.
fn add_key_paths(paths: &Paths, key_names: &[&[String]], rules: &mut [PathRule]) {
    for (index, path) in paths.list.iter().enumerate() {
        if path.parent == NONE {
            // A root is no child.
            continue;
        }
        let parent = path.parent as usize;
        let is_key = key_names[parent].iter().any(|key| **key == *path.local);
        if is_key && paths.list[parent].namespace == path.namespace {
            rules[parent].keys.push(index as u32);
        }
    }
    for (rule, names) in rules.iter_mut().zip(key_names) {
        let position = |path: &u32| {
            names
                .iter()
                .position(|name| **name == *paths.list[*path as usize].local)
        };
        rule.keys.sort_by_key(position);
    }
}

/// Leaves that the profile has something to say about: it would have called them leaf-lists.
fn single_leaves(profile: &ServerProfile) -> Vec<PathPattern> {
    let secrets = profile.secrets.iter().map(|secret| secret.path.clone());
    let references = profile
        .references
        .iter()
        .flat_map(|reference| reference.used_by.iter().cloned());
    let types = profile.types.iter().filter_map(|hint| hint.pattern.parse().ok());
    secrets.chain(references).chain(types).collect()
}

/// A path's names, looked up when the last one has passed.
struct Names<'p> {
    paths: &'p Paths,
    index: u32,
    names: std::cell::OnceCell<Vec<&'p str>>,
}

impl<'p> Names<'p> {
    fn new(paths: &'p Paths, index: u32) -> Self {
        Self {
            paths,
            index,
            names: std::cell::OnceCell::new(),
        }
    }

    fn fit(&self, local: &str, pattern: &PathPattern) -> bool {
        pattern.last_name().is_none_or(|last| last == local)
            && pattern.matches(self.names.get_or_init(|| self.paths.names(self.index)))
    }

    fn fit_any(&self, local: &str, patterns: &[PathPattern]) -> bool {
        patterns.iter().any(|pattern| self.fit(local, pattern))
    }
}
