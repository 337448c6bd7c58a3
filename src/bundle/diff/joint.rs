//! Both trees' paths as one list, with what the profile says of each: worked out once a path, not once an element.

use super::super::document::{NONE, Paths};
use super::super::rules::PathRule;
use super::super::tree::Tree;
use crate::profile::{ChangeRule, ComponentRule, PathPattern, ServerProfile};

/// The paths of two trees.
pub(super) struct Joint<'p> {
    list: Vec<JointPath<'p>>,
    /// For each path of the tree before, its number here.
    pub(super) before: Vec<u32>,
    /// For each path of the tree after, its number here.
    pub(super) after: Vec<u32>,
}

/// One path in one or both trees.
#[derive(Default)]
pub(super) struct JointPath<'p> {
    /// A leaf of it is one of many values.
    pub leaf_list: bool,
    /// There may be several elements of it under one parent.
    pub repeats: bool,
    /// Their order means something.
    pub ordered: bool,
    /// Values are secrets.
    pub secret: bool,
    /// What may be said of a change here.
    pub rules: Vec<&'p ChangeRule>,
    /// What users call it.
    pub component: Option<&'p ComponentRule>,
}

impl<'p> Joint<'p> {
    pub(super) fn new(before: &Tree, after: &Tree, profile: &'p ServerProfile) -> Self {
        let mut names = Paths::default();
        let mut list = Vec::new();
        let mut adopt = |tree: &Tree| -> Vec<u32> {
            let mut numbers: Vec<u32> = Vec::with_capacity(tree.paths.list.len());
            for (path, rule) in tree.paths.list.iter().zip(&tree.rules) {
                let namespace = names.namespaces.intern(tree.paths.namespaces.get(path.namespace));
                let parent = numbers.get(path.parent as usize).copied().unwrap_or(NONE);
                let number = names.intern(parent, namespace, &path.local);
                list.resize_with(names.list.len(), JointPath::default);
                list[number as usize].learn(rule, path.repeated);
                numbers.push(number);
            }
            numbers
        };
        let (before, after) = (adopt(before), adopt(after));
        for (index, path) in list.iter_mut().enumerate() {
            path.ask(&names, index as u32, profile);
        }
        Self { list, before, after }
    }

    pub(super) fn path(&self, number: u32) -> &JointPath<'p> {
        &self.list[number as usize]
    }
}

impl<'p> JointPath<'p> {
    fn learn(&mut self, rule: &PathRule, repeated: bool) {
        self.leaf_list |= rule.leaf_list || (repeated && !rule.known_single);
        self.repeats |= repeated || rule.listed;
        self.ordered |= rule.ordered;
        self.secret |= rule.secret;
    }

    fn ask(&mut self, names: &Paths, index: u32, profile: &'p ServerProfile) {
        let local = &*names.list[index as usize].local;
        let path = names.names(index);
        let fits =
            |pattern: &PathPattern| pattern.last_name().is_none_or(|last| last == local) && pattern.matches(&path);
        let rules = profile.changes.iter();
        self.rules = rules.filter(|rule| rule.paths.iter().any(fits)).collect();
        self.component = profile.components.iter().find(|rule| fits(&rule.path));
    }
}
