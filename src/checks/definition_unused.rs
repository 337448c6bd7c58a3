//! A definition that nothing names: mostly what was left behind when its last user went.
//!
//! Only the kinds of which the profile says so; others may be used by the server without being named.

use std::borrow::Cow;

use hashbrown::HashSet;

use super::reference_dangling::definition_id;
use crate::bundle::{Node, Tree};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::{ReferenceRule, ServerProfile};

pub(super) fn find(tree: &Tree, profile: &ServerProfile) -> Vec<Diagnostic> {
    // What stands in a file that could not be read may name anything.
    if !tree.is_complete() {
        return Vec::new();
    }
    let rules = profile.references.iter().filter(|rule| rule.unused);
    let mut unnamed: Vec<_> = rules.flat_map(|rule| unnamed(tree, rule)).collect();
    if !unnamed.is_empty() {
        // A plugin's own setting may name it where no rule looks.
        let ids: HashSet<String> = unnamed.iter().map(|(_, _, id)| id.to_string()).collect();
        let defining: HashSet<usize> = unnamed
            .iter()
            .filter_map(|(_, node, _)| place(&node.key_leaf()?))
            .collect();
        let elsewhere: HashSet<String> = tree
            .leaves()
            .filter(|leaf| place(leaf).is_none_or(|place| !defining.contains(&place)))
            .map(|leaf| leaf.value())
            .filter(|value| ids.contains(&**value))
            .map(Cow::into_owned)
            .collect();
        unnamed.retain(|(_, _, id)| !elsewhere.contains(&**id));
    }
    unnamed
        .iter()
        .map(|(rule, node, id)| diagnostic(rule, node, id))
        .collect()
}

/// Definitions that no leaf names that should; none where a stage's value decides what a leaf names.
fn unnamed<'t, 'r>(tree: &'t Tree, rule: &'r ReferenceRule) -> Vec<(&'r ReferenceRule, Node<'t>, Cow<'t, str>)> {
    let mut named = HashSet::new();
    for leaf in tree.find_any(&rule.used_by).filter(Node::is_leaf) {
        if leaf.has_placeholder() {
            return Vec::new();
        }
        named.insert(leaf.value());
    }
    let definitions = tree.find_any(&rule.defined_by);
    let known = definitions.filter_map(|node| match definition_id(&node) {
        (Some(id), false) if !named.contains(&id) && !node.is_leaf() => Some((rule, node, id)),
        _ => None,
    });
    known.collect()
}

/// A number for where a leaf stands.
fn place(leaf: &Node<'_>) -> Option<usize> {
    let start = leaf.span().range.start;
    start.checked_mul(1024)?.checked_add(leaf.file())
}

fn diagnostic(rule: &ReferenceRule, node: &Node<'_>, id: &str) -> Diagnostic {
    let what = &rule.what;
    let span = node.key_leaf().map_or_else(|| node.tag_span(), |leaf| leaf.text_span());
    Diagnostic::new(Code::DefinitionUnused, format!("nothing names the {what} `{id}`"))
        .at(span, "")
        .help(format!("remove the {what}, or name it where it is meant to be used"))
}
