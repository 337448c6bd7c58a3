//! Files that have no tree are compared as they are: what can't be understood must not pass as equal.

use std::collections::BTreeMap;

use super::super::change::{Change, ChangeKind, Impact, Subject};
use super::super::tree::Tree;
use crate::diagnostic::Source;

/// Tells files without a tree that came, went or differ.
pub(super) fn compare(before: &Tree, after: &Tree, changes: &mut Vec<Change>) {
    let (old, new) = (opaque(before), opaque(after));
    for (path, source) in &new {
        match named(before, path) {
            Some(was) if was.text() == source.text() => {}
            Some(was) => changes.push(change(ChangeKind::Changed, path, Some(was), Some(source))),
            None => changes.push(change(ChangeKind::Added, path, None, Some(source))),
        }
    }
    for (path, source) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        match named(after, path) {
            Some(is) if is.text() == source.text() => {}
            Some(is) => changes.push(change(ChangeKind::Changed, path, Some(source), Some(is))),
            None => changes.push(change(ChangeKind::Removed, path, Some(source), None)),
        }
    }
}

fn opaque(tree: &Tree) -> BTreeMap<&str, &Source> {
    let files = tree.files.iter().enumerate();
    files
        .filter(|(file, _)| !tree.accepted[*file] || tree.documents[*file].elements.is_empty())
        .map(|(_, source)| (source.path().as_str(), source))
        .collect()
}

fn named<'t>(tree: &'t Tree, path: &str) -> Option<&'t Source> {
    tree.files.iter().find(|source| source.path().as_str() == path)
}

/// Its text may hold secrets, so it is not shown.
fn change(kind: ChangeKind, path: &str, before: Option<&Source>, after: Option<&Source>) -> Change {
    let start = |source: &Source| source.span(0..0);
    Change {
        kind,
        subject: Subject {
            what: "file".to_owned(),
            id: path.to_owned(),
        },
        path: path.to_owned(),
        severity: Impact::Behaviour,
        because: None,
        whole: true,
        before: None,
        after: None,
        secret: false,
        before_span: before.map(start),
        after_span: after.map(start),
    }
}
