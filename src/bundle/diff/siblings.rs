//! Which children of one element are those of another.

use std::collections::{HashMap, HashSet};

use super::super::Node;
use super::super::roots::pair_roots;
use super::super::tree::Tree;
use super::side::Identity;
use super::{Change, ChangeKind, Differ, order, place};

/// A child with what makes it the same as another.
struct Sibling<'t> {
    node: Node<'t>,
    path: u32,
    identity: Identity<'t>,
}

impl Differ<'_, '_> {
    /// The roots: one on each side where files are merged. Where each file has its own they meet by key, or by file.
    pub(super) fn roots(&mut self, before: &Tree, after: &Tree) {
        for pair in pair_roots(before, after) {
            match pair {
                (Some(was), Some(is)) => self.siblings(std::iter::once(was), std::iter::once(is)),
                (None, Some(is)) => self.one(ChangeKind::Added, is),
                (Some(was), None) => self.one(ChangeKind::Removed, was),
                (None, None) => {}
            }
        }
    }

    /// The children of one element. While both sides go in step nothing is looked up.
    pub(super) fn siblings<'t>(
        &mut self,
        mut before: impl Iterator<Item = Node<'t>>,
        mut after: impl Iterator<Item = Node<'t>>,
    ) {
        loop {
            match (before.next(), after.next()) {
                (None, None) => return,
                (Some(was), Some(is)) if self.in_step(&was, &is) => self.pair(was, is),
                (was, is) => {
                    let old = was
                        .into_iter()
                        .chain(before)
                        .map(|node| Sibling::new(node, &mut self.old));
                    let mut old: Vec<_> = old.collect();
                    let new = is
                        .into_iter()
                        .chain(after)
                        .map(|node| Sibling::new(node, &mut self.new));
                    let mut new: Vec<_> = new.collect();
                    without_empty_lists(&mut old, &new);
                    without_empty_lists(&mut new, &old);
                    return self.out_of_step(&old, &new);
                }
            }
        }
    }

    fn in_step(&mut self, before: &Node<'_>, after: &Node<'_>) -> bool {
        self.old.path(before) == self.new.path(after) && self.old.identity(before) == self.new.identity(after)
    }

    fn out_of_step(&mut self, old: &[Sibling<'_>], new: &[Sibling<'_>]) {
        let partners = partners(old, new);
        let moved = self.moved(old, new, &partners);
        let mut stays = vec![false; old.len()];
        for (index, (sibling, partner)) in new.iter().zip(&partners).enumerate() {
            let Some(partner) = *partner else {
                self.one(ChangeKind::Added, sibling.node);
                continue;
            };
            stays[partner] = true;
            if let Some(places) = moved.get(&index) {
                self.told_as_moved(&old[partner], sibling, *places);
            }
            self.pair(old[partner].node, sibling.node);
        }
        for (sibling, _) in old.iter().zip(stays).filter(|(_, stays)| !stays) {
            self.one(ChangeKind::Removed, sibling.node);
        }
    }

    /// Of the new siblings that moved: their places among their like before and after, from 1.
    fn moved(
        &self,
        old: &[Sibling<'_>],
        new: &[Sibling<'_>],
        partners: &[Option<usize>],
    ) -> HashMap<usize, (usize, usize)> {
        let mut lists: HashMap<u32, Vec<(usize, usize)>> = HashMap::new();
        for (index, partner) in partners.iter().enumerate() {
            if let Some(partner) = partner
                && self.joint.path(new[index].path).ordered
            {
                lists.entry(new[index].path).or_default().push((index, *partner));
            }
        }
        let mut all = HashMap::new();
        for (path, list) in lists {
            let stood: Vec<_> = list.iter().map(|(_, partner)| *partner).collect();
            let moved = order::moved(&stood);
            if moved.is_empty() {
                continue;
            }
            let (places_old, places_new) = (places(old, path), places(new, path));
            for (index, partner) in moved.into_iter().map(|at| list[at]) {
                all.insert(index, (places_old[partner], places_new[index]));
            }
        }
        all
    }

    fn told_as_moved(&mut self, before: &Sibling<'_>, after: &Sibling<'_>, (was, is): (usize, usize)) {
        let verdict = self.judge.verdict(after.path, ChangeKind::Moved, None, None);
        let shown = |place: usize| match &after.identity {
            Identity::Value(value) if !self.joint.path(after.path).secret => format!("{place}. {value}"),
            _ => format!("{place}."),
        };
        let change = Change {
            before: Some(shown(was)),
            after: Some(shown(is)),
            whole: true,
            before_span: Some(place(&before.node)),
            after_span: Some(place(&after.node)),
            ..self.change(ChangeKind::Moved, &after.node, verdict)
        };
        self.changes.push(change);
    }
}

impl<'t> Sibling<'t> {
    fn new(node: Node<'t>, side: &mut super::Side<'_, '_>) -> Self {
        Self {
            node,
            path: side.path(&node),
            identity: side.identity(&node),
        }
    }
}

/// What stands for an array without items is no change of its own where the other side has items.
fn without_empty_lists(siblings: &mut Vec<Sibling<'_>>, others: &[Sibling<'_>]) {
    if siblings.iter().any(|sibling| sibling.node.is_empty_list()) {
        let filled = others.iter().filter(|other| !other.node.is_empty_list());
        let filled: HashSet<u32> = filled.map(|other| other.path).collect();
        siblings.retain(|sibling| !sibling.node.is_empty_list() || !filled.contains(&sibling.path));
    }
}

/// For each new sibling the old one that it was.
fn partners(old: &[Sibling<'_>], new: &[Sibling<'_>]) -> Vec<Option<usize>> {
    let mut known: HashMap<(u32, &Identity<'_>), Vec<usize>> = HashMap::with_capacity(old.len());
    for (index, sibling) in old.iter().enumerate().rev() {
        known.entry((sibling.path, &sibling.identity)).or_default().push(index);
    }
    let found = new
        .iter()
        .map(|sibling| known.get_mut(&(sibling.path, &sibling.identity))?.pop());
    let mut partners: Vec<Option<usize>> = found.collect();
    // Entries without a key whose content is new are taken for what stood at their place among such.
    let mut left: HashMap<u32, Vec<usize>> = HashMap::new();
    for indexes in known.into_values() {
        for index in indexes {
            if matches!(old[index].identity, Identity::Content(_)) {
                left.entry(old[index].path).or_default().push(index);
            }
        }
    }
    for indexes in left.values_mut() {
        indexes.sort_unstable_by(|one, other| other.cmp(one));
    }
    for (sibling, partner) in new.iter().zip(&mut partners) {
        if partner.is_none() && matches!(sibling.identity, Identity::Content(_)) {
            *partner = left.get_mut(&sibling.path).and_then(Vec::pop);
        }
    }
    partners
}

/// The place of each sibling among all of its path below their parent, those in step before them too, from 1.
fn places(siblings: &[Sibling<'_>], path: u32) -> Vec<usize> {
    let like = || siblings.iter().filter(|sibling| sibling.path == path);
    let all = like().next().and_then(|first| {
        let number = first.node.path_number();
        let parent = first.node.parent()?;
        Some(parent.children().filter(|child| child.path_number() == number).count())
    });
    let mut place = all.unwrap_or_default().saturating_sub(like().count());
    siblings
        .iter()
        .map(|sibling| {
            place += usize::from(sibling.path == path);
            place
        })
        .collect()
}
