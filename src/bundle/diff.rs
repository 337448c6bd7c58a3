//! What differs between two configurations: entries of lists meet by their key, values of leaf-lists by themselves,
//! entries without a known key by their content and then by their place, everything else by name. Order is compared
//! only where it means something.

use super::change::{Change, ChangeKind, Subject};
use super::{Bundle, Node};
use joint::Joint;
use severity::{Judge, Verdict};
use side::{Identity, Side};

mod files;
#[cfg(test)]
mod fixtures;
mod joint;
mod order;
#[cfg(test)]
mod properties;
mod severity;
mod siblings;
mod side;
#[cfg(test)]
mod tests;

/// Everything that differs, in the order of the configuration after it; what was removed comes after its siblings.
///
/// What is told: the entry of a list, a value of a leaf-list and what the profile has a rule for as one change with all
/// that is in it; other elements leaf by leaf. A secret is compared and never shown. Files that have no tree (not
/// well-formed, or of a format without one) are compared as they are. Comments and layout are no difference.
///
/// Equal calls give equal answers. Time and memory grow with the size of both (and with a logarithm where order counts).
pub fn diff(before: &Bundle, after: &Bundle) -> Vec<Change> {
    let joint = Joint::new(before.tree(), after.tree(), &after.profile);
    let hasher = hashbrown::DefaultHashBuilder::default();
    let mut differ = Differ {
        judge: Judge::new(&joint, &after.profile),
        old: Side::new(&joint, &joint.before, hasher.clone()),
        new: Side::new(&joint, &joint.after, hasher),
        joint: &joint,
        changes: Vec::new(),
    };
    files::compare(before.tree(), after.tree(), &mut differ.changes);
    differ.roots(before.tree(), after.tree());
    differ.changes
}

struct Differ<'j, 'p> {
    joint: &'j Joint<'p>,
    judge: Judge<'j, 'p>,
    old: Side<'j, 'p>,
    new: Side<'j, 'p>,
    changes: Vec<Change>,
}

impl<'p> Differ<'_, 'p> {
    /// One thing before and after.
    fn pair(&mut self, before: Node<'_>, after: Node<'_>) {
        self.attributes(&before, &after);
        let (was, is) = (before.value(), after.value());
        if was != is {
            let path = self.new.path(&after);
            let verdict = self.judge.verdict(path, ChangeKind::Changed, Some(&was), Some(&is));
            let ([was, is], secret) = self.judge.shown(path, [Some(was), Some(is)]);
            let mut change = self.change(ChangeKind::Changed, &after, verdict);
            (change.before, change.after, change.secret) = (was, is, secret);
            change.before_span = Some(place(&before));
            change.after_span = Some(place(&after));
            self.changes.push(change);
        }
        if !before.is_leaf() || !after.is_leaf() {
            self.siblings(before.children(), after.children());
        }
    }

    fn attributes(&mut self, before: &Node<'_>, after: &Node<'_>) {
        if !before.has_attributes() && !after.has_attributes() {
            return;
        }
        let (was, is) = (side::attributes(before), side::attributes(after));
        if was == is {
            return;
        }
        let path = self.new.path(after);
        let names: std::collections::BTreeSet<_> = was.iter().chain(&is).map(|(name, _)| *name).collect();
        for name in names {
            let value = |of: &[(&str, std::borrow::Cow<'_, str>)]| {
                let found = of.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| value.clone().into_owned())
            };
            let (was, is) = (value(&was), value(&is));
            let kind = match (&was, &is) {
                _ if was == is => continue,
                (None, _) => ChangeKind::Added,
                (_, None) => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            };
            let mut change = self.change(kind, after, severity::UNSPOKEN);
            change.path = format!("{}/@{name}", change.path);
            let values = [was.map(Into::into), is.map(Into::into)];
            ([change.before, change.after], change.secret) = self.judge.shown(path, values);
            change.before_span = Some(before.tag_span());
            change.after_span = Some(after.tag_span());
            self.changes.push(change);
        }
    }

    /// A thing that is on one side only.
    fn one(&mut self, kind: ChangeKind, node: Node<'_>) {
        let side = if kind == ChangeKind::Removed {
            &mut self.old
        } else {
            &mut self.new
        };
        let (path, identity) = (side.path(&node), side.identity(&node));
        let value = node.is_leaf().then(|| node.value());
        let (was, is) = match kind {
            ChangeKind::Removed => (value.as_deref(), None),
            _ => (None, value.as_deref()),
        };
        let entry = !matches!(identity, Identity::Name);
        if value.is_none() && !entry && self.judge.rule(path, kind, was, is).is_none() {
            for child in node.children() {
                self.one(kind, child);
            }
            return;
        }
        let verdict = if node.is_empty_list() {
            // Rules speak of its items.
            severity::UNSPOKEN
        } else if value.is_none() && kind == ChangeKind::Added {
            self.judge.verdict_of_added(&self.new, &node)
        } else {
            self.judge.verdict(path, kind, was, is)
        };
        let ([shown], secret) = self.judge.shown(path, [value.clone()]);
        let mut change = self.change(kind, &node, verdict);
        change.secret = secret;
        change.whole = entry || value.is_none();
        let (value, span) = match kind {
            ChangeKind::Removed => (&mut change.before, &mut change.before_span),
            _ => (&mut change.after, &mut change.after_span),
        };
        (*value, *span) = (shown, Some(place(&node)));
        self.changes.push(change);
    }

    /// A change without values and places.
    fn change(&self, kind: ChangeKind, node: &Node<'_>, (severity, because): Verdict) -> Change {
        Change {
            kind,
            subject: self.subject(node, kind),
            path: node.path(),
            severity,
            because,
            whole: false,
            before: None,
            after: None,
            secret: false,
            before_span: None,
            after_span: None,
        }
    }

    /// The nearest thing that users have a name for.
    fn subject(&self, node: &Node<'_>, kind: ChangeKind) -> Subject {
        let side = if kind == ChangeKind::Removed {
            &self.old
        } else {
            &self.new
        };
        let mut current = Some(*node);
        while let Some(node) = current {
            if let Some(rule) = self.joint.path(side.path(&node)).component {
                return Subject {
                    what: rule.what.clone(),
                    id: node.key().unwrap_or_default().into_owned(),
                };
            }
            current = node.parent();
        }
        // A realm's own settings.
        let root = node.root();
        if let (Some(leaf), Some(key)) = (root.key_leaf(), root.key()) {
            return Subject {
                what: leaf.name().to_owned(),
                id: key.into_owned(),
            };
        }
        let names = node.local_path();
        if let (true, Some(leaf)) = (names.is_empty(), node.key_leaf()) {
            // A root with a key: a realm.
            return Subject {
                what: leaf.name().to_owned(),
                id: node.key().unwrap_or_default().into_owned(),
            };
        }
        Subject {
            what: "setting".to_owned(),
            id: names[names.len().saturating_sub(2)..].join("/"),
        }
    }
}

fn place(node: &Node<'_>) -> crate::diagnostic::Span {
    node.source().span(node.place())
}
