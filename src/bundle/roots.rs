//! Which roots of two bundles are the same, where each file is a tree of its own.
//!
//! By their key (a realm's name), else by their file: a project's `config/clients/apps.yaml` is an image's
//! `clients/apps.yaml`, so the longest common end counts. What is left over alone on both sides was renamed.

use std::collections::HashMap;

use super::{Node, Tree};

/// The roots of two trees in pairs, in the order of `after`; roots of `before` alone come last.
pub fn pair_roots<'b, 'a>(before: &'b Tree, after: &'a Tree) -> Vec<(Option<Node<'b>>, Option<Node<'a>>)> {
    let before: Vec<_> = before.roots().collect();
    let after: Vec<_> = after.roots().collect();
    let mut partners = Partners {
        of_after: vec![None; after.len()],
        taken: vec![false; before.len()],
    };
    if before.len() == 1 && after.len() == 1 && is_one(&before[0], &after[0]) {
        partners.take(0, 0);
    }
    partners.by(&before, &after, |node| node.key().map(std::borrow::Cow::into_owned));
    let deepest = before.iter().map(|node| depth(node)).max().unwrap_or(0);
    for parts in (1..=deepest).rev() {
        partners.by(&before, &after, |node| path_end(node, parts));
    }
    partners.last(&before, &after);
    let mut pairs: Vec<_> = (0..after.len())
        .map(|index| {
            (
                partners.of_after[index].map(|old: usize| before[old]),
                Some(after[index]),
            )
        })
        .collect();
    let alone = (0..before.len()).filter(|old| !partners.taken[*old]);
    pairs.extend(alone.map(|old| (Some(before[old]), None)));
    pairs
}

/// Two that are the only ones are one, unless their keys say otherwise.
fn is_one(before: &Node<'_>, after: &Node<'_>) -> bool {
    match (before.key(), after.key()) {
        (Some(before), Some(after)) => before == after,
        _ => true,
    }
}

struct Partners {
    /// For each root after, the one before.
    of_after: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Partners {
    fn take(&mut self, old: usize, new: usize) {
        self.of_after[new] = Some(old);
        self.taken[old] = true;
    }

    /// Pairs roots of one name, in order where several have it.
    fn by(&mut self, before: &[Node<'_>], after: &[Node<'_>], name: impl Fn(&Node<'_>) -> Option<String>) {
        let mut old: HashMap<String, Vec<usize>> = HashMap::new();
        // Of two files of one name the one further up comes first.
        let mut free: Vec<_> = (0..before.len()).filter(|index| !self.taken[*index]).collect();
        free.sort_by_key(|index| depth(&before[*index]));
        for index in free.into_iter().rev() {
            if let Some(name) = name(&before[index]) {
                old.entry(name).or_default().push(index);
            }
        }
        for (new, node) in after.iter().enumerate() {
            if self.of_after[new].is_some() {
                continue;
            }
            if let Some(old) = name(node).and_then(|name| old.get_mut(&name)?.pop()) {
                self.take(old, new);
            }
        }
    }

    fn last(&mut self, before: &[Node<'_>], after: &[Node<'_>]) {
        let old: Vec<_> = (0..before.len()).filter(|old| !self.taken[*old]).collect();
        let new: Vec<_> = (0..after.len()).filter(|new| self.of_after[*new].is_none()).collect();
        if let ([old], [new]) = (&old[..], &new[..])
            && is_one(&before[*old], &after[*new])
        {
            self.take(*old, *new);
        }
    }
}

fn depth(node: &Node<'_>) -> usize {
    node.source().path().components().count()
}

/// The last parts of an unnamed root's file; none where it has fewer.
fn path_end(node: &Node<'_>, parts: usize) -> Option<String> {
    if node.key().is_some() {
        return None;
    }
    let mut path: Vec<_> = node
        .source()
        .path()
        .components()
        .rev()
        .take(parts)
        .map(|part| part.as_str())
        .collect();
    path.reverse();
    (path.len() == parts).then(|| path.join("/"))
}
