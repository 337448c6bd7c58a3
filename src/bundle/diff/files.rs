//! Files that have no tree are compared as they are: what can't be understood must not pass as equal.

use std::collections::HashMap;

use super::super::change::{Change, ChangeKind, Impact, Subject};
use super::super::tree::Tree;
use crate::diagnostic::Source;

/// Tells files without a tree that came, went or differ. Like roots they meet by the longest common end of their paths.
pub(super) fn compare(before: &Tree, after: &Tree, changes: &mut Vec<Change>) {
    let mut old: Vec<_> = files(before).map(Some).collect();
    let mut new: Vec<_> = files(after).map(Some).collect();
    let deepest = new.iter().flatten().map(|file| file.parts().count()).max().unwrap_or(0);
    for parts in (1..=deepest).rev() {
        let mut known: HashMap<_, _> = HashMap::new();
        for (index, file) in old.iter().enumerate().rev() {
            if let Some(end) = file.as_ref().and_then(|file| file.end(parts)) {
                known.insert(end, index);
            }
        }
        for place in &mut new {
            let Some(file) = place else { continue };
            let partner = file.end(parts).and_then(|end| known.remove(&end));
            if let Some(was) = partner.and_then(|index| old[index].take()) {
                if (was.opaque || file.opaque) && was.source.text() != file.source.text() {
                    changes.push(change(ChangeKind::Changed, Some(was.source), Some(file.source)));
                }
                *place = None;
            }
        }
    }
    let alone = |file: &Option<File<'_>>| file.as_ref().is_some_and(|file| file.opaque);
    let added = new.iter().filter(|file| alone(file)).flatten();
    changes.extend(added.map(|file| change(ChangeKind::Added, None, Some(file.source))));
    let removed = old.iter().filter(|file| alone(file)).flatten();
    changes.extend(removed.map(|file| change(ChangeKind::Removed, Some(file.source), None)));
}

struct File<'t> {
    source: &'t Source,
    /// It has no tree.
    opaque: bool,
}

impl<'t> File<'t> {
    fn parts(&self) -> impl DoubleEndedIterator<Item = &'t str> {
        self.source.path().as_str().split('/')
    }

    /// The last parts of its path; none where it has fewer.
    fn end(&self, parts: usize) -> Option<Vec<&'t str>> {
        let end: Vec<_> = self.parts().rev().take(parts).collect();
        (end.len() == parts).then_some(end)
    }
}

fn files(tree: &Tree) -> impl Iterator<Item = File<'_>> {
    tree.files.iter().enumerate().map(|(file, source)| File {
        source,
        opaque: !tree.accepted[file] || tree.documents[file].elements.is_empty(),
    })
}

/// Its text may hold secrets, so it is not shown.
fn change(kind: ChangeKind, before: Option<&Source>, after: Option<&Source>) -> Change {
    let path = after.or(before).map_or("", |source| source.path().as_str());
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
