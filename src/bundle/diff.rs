//! What differs between two configurations: entries of lists meet by their key, values of leaf-lists by themselves,
//! everything else by name. Order is compared only where it means something.

use std::borrow::Cow;
use std::collections::HashMap;

use super::change::{Change, ChangeKind, Impact, Subject};
use super::{Bundle, Node};
use crate::profile::ServerProfile;

/// Everything that differs, in the order of the configuration after it; what was removed stands where it was.
///
/// The order of equal calls is equal. Secrets are compared and never shown.
pub fn diff(before: &Bundle, after: &Bundle) -> Vec<Change> {
    let mut differ = Differ {
        profile: &after.profile,
        changes: Vec::new(),
    };
    differ.children(before.tree().roots().collect(), after.tree().roots().collect());
    differ.changes
}

struct Differ<'p> {
    profile: &'p ServerProfile,
    changes: Vec<Change>,
}

/// What makes two siblings the same.
#[derive(PartialEq, Eq, Hash)]
struct Identity<'t> {
    name: &'t str,
    namespace: &'t str,
    key: Option<Cow<'t, str>>,
}

fn identity<'t>(node: &Node<'t>) -> Identity<'t> {
    Identity {
        name: node.name(),
        namespace: node.namespace(),
        key: node.key().or_else(|| node.is_leaf_list().then(|| node.value())),
    }
}

impl Differ<'_> {
    fn children<'t>(&mut self, before: Vec<Node<'t>>, after: Vec<Node<'t>>) {
        let mut old: HashMap<Identity<'t>, Vec<Node<'t>>> = HashMap::new();
        for node in before.iter().rev() {
            old.entry(identity(node)).or_default().push(*node);
        }
        for node in after {
            match old.get_mut(&identity(&node)).and_then(Vec::pop) {
                Some(same) => self.pair(same, node),
                None => self.one(ChangeKind::Added, node),
            }
        }
        let removed: Vec<_> = before
            .into_iter()
            .filter(|node| old.get(&identity(node)).is_some_and(|left| left.contains(node)))
            .collect();
        for node in removed {
            self.one(ChangeKind::Removed, node);
        }
    }

    fn pair(&mut self, before: Node<'_>, after: Node<'_>) {
        if !before.is_leaf() || !after.is_leaf() {
            return self.children(before.children().collect(), after.children().collect());
        }
        if before.value() != after.value() {
            let mut change = self.change(ChangeKind::Changed, &after);
            change.before = (!change.secret).then(|| before.value().into_owned());
            change.before_span = Some(before.text_span());
            self.changes.push(change);
        }
    }

    fn one(&mut self, kind: ChangeKind, node: Node<'_>) {
        let mut change = self.change(kind, &node);
        if kind == ChangeKind::Removed {
            change.before = change.after.take();
            change.before_span = change.after_span.take();
        }
        self.changes.push(change);
    }

    fn change(&self, kind: ChangeKind, node: &Node<'_>) -> Change {
        let secret = node.is_secret();
        Change {
            kind,
            subject: self.subject(node),
            path: node.path(),
            severity: match kind {
                ChangeKind::Removed => Impact::Breaking,
                _ => Impact::Behaviour,
            },
            because: None,
            before: None,
            after: (node.is_leaf() && !secret).then(|| node.value().into_owned()),
            secret,
            before_span: None,
            after_span: Some(node.text_span()),
        }
    }

    fn subject(&self, node: &Node<'_>) -> Subject {
        let mut current = Some(*node);
        while let Some(node) = current {
            let names = node.local_path();
            let rule = self.profile.components.iter().find(|rule| rule.path.matches(&names));
            if let (Some(rule), Some(key)) = (rule, node.key()) {
                return Subject {
                    what: rule.what.clone(),
                    id: key.into_owned(),
                };
            }
            current = node.parent();
        }
        Subject {
            what: "setting".to_owned(),
            id: node.name().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::read_contents;
    use super::*;

    fn told(before: &[&str], after: &[&str]) -> Vec<String> {
        let (before, _) = read_contents(before);
        let (after, _) = read_contents(after);
        let changes = diff(&before, &after).into_iter();
        changes
            .map(|change| {
                format!(
                    "{} {} {:?} {:?}",
                    change.kind.as_str(),
                    change.path,
                    change.before,
                    change.after
                )
            })
            .collect()
    }

    #[test]
    fn one_file_and_the_same_split_are_equal() {
        let whole = "<a><x><id>1</id><v>1</v></x><x><id>2</id><v>2</v></x></a><b>2</b>";
        let split = [
            "<a><x><id>2</id><v>2</v></x></a>",
            "<b>2</b><a><x><v>1</v><id>1</id></x></a>",
        ];
        assert_eq!(told(&[whole], &split), [""; 0]);
    }

    #[test]
    fn entries_meet_by_key() {
        let before = "<a><x><id>1</id><v>1</v></x><x><id>2</id><v>2</v></x></a>";
        let after = "<a><x><id>2</id><v>3</v></x><x><id>3</id><v>1</v></x></a>";
        assert_eq!(
            told(&[before], &[after]),
            [
                "changed /a/x[2]/v Some(\"2\") Some(\"3\")",
                "added /a/x[3] None None",
                "removed /a/x[1] None None",
            ]
        );
    }
}
