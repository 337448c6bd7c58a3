//! How grave a change is by the profile's rules, and what of its values may be shown.

use std::borrow::Cow;

use super::super::placeholder::{Found, Grammar};
use super::super::{ChangeKind, Impact, Node};
use super::joint::Joint;
use super::side::Side;
use crate::profile::{ChangeRule, ServerProfile};

/// Judges changes and values.
pub(super) struct Judge<'j, 'p> {
    joint: &'j Joint<'p>,
    grammar: Grammar,
}

/// A severity with the rule's words for it.
pub(super) type Verdict = (Impact, Option<String>);

/// What no rule speaks of.
pub(super) const UNSPOKEN: Verdict = (Impact::Behaviour, None);

impl<'j, 'p> Judge<'j, 'p> {
    pub(super) fn new(joint: &'j Joint<'p>, profile: &ServerProfile) -> Self {
        let (grammar, _) = Grammar::new(&profile.placeholder);
        Self { joint, grammar }
    }

    /// The rule that counts for a change at a path.
    pub(super) fn rule(
        &self,
        path: u32,
        kind: ChangeKind,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Option<&'p ChangeRule> {
        gravest(self.rules(path, kind, before, after))
    }

    fn rules<'t>(
        &'t self,
        path: u32,
        kind: ChangeKind,
        before: Option<&'t str>,
        after: Option<&'t str>,
    ) -> impl Iterator<Item = &'p ChangeRule> {
        let (before, after) = (before.map(|it| self.seen(it)), after.map(|it| self.seen(it)));
        let rules = self.joint.path(path).rules.iter().copied();
        rules.filter(move |rule| rule.fits(kind, before, after))
    }

    /// The severity of a change of one value, or of a whole thing by itself.
    pub(super) fn verdict(&self, path: u32, kind: ChangeKind, before: Option<&str>, after: Option<&str>) -> Verdict {
        match self.rule(path, kind, before, after) {
            Some(rule) => (rule.severity, Some(rule.because.clone())),
            None => UNSPOKEN,
        }
    }

    /// The severity of a thing that came with all that is in it: the gravest of what each part would be.
    pub(super) fn verdict_of_added(&self, side: &Side<'_, 'p>, thing: &Node<'_>) -> Verdict {
        let own = self.verdict(side.path(thing), ChangeKind::Added, None, None);
        let mut gravest = None;
        self.look_into(side, thing, &mut gravest);
        match gravest {
            Some((part, rule)) if rule.severity > own.0 => {
                let depth = thing.local_path().len();
                let below = part.local_path().split_off(depth).join("/");
                (rule.severity, Some(format!("`{below}`: {}", rule.because)))
            }
            _ => own,
        }
    }

    fn look_into<'t>(&self, side: &Side<'_, 'p>, thing: &Node<'t>, gravest: &mut Option<(Node<'t>, &'p ChangeRule)>) {
        for child in thing.children() {
            let value = child.is_leaf().then(|| child.value());
            let rules = self.rules(side.path(&child), ChangeKind::Added, None, value.as_deref());
            if let Some(rule) = self::gravest(rules.filter(|rule| rule.inside))
                && gravest.is_none_or(|(_, other)| rule.severity > other.severity)
            {
                *gravest = Some((child, rule));
            }
            if value.is_none() {
                self.look_into(side, &child, gravest);
            }
        }
    }

    /// What the server sees where no stage gives a value: a placeholder's default in its place.
    fn seen<'t>(&self, value: &'t str) -> &'t str {
        match self.grammar.openings(value).next() {
            Some(0) => match self.grammar.read(value, 0, value.len()) {
                Found::Placeholder {
                    default: Some(default),
                    end,
                    ..
                } if end == value.len() => value.get(default).unwrap_or(value),
                _ => value,
            },
            _ => value,
        }
    }

    /// Whether a value is nothing but parameters without defaults: in a secret's place that tells no secret.
    pub(super) fn is_only_parameters(&self, value: &str) -> bool {
        let mut done = 0;
        for opening in self.grammar.openings(value) {
            // What lies inside a placeholder that was read is done.
            if opening < done {
                continue;
            }
            match self.grammar.read(value, opening, value.len()) {
                Found::Placeholder { default: None, end, .. } if opening == done => done = end,
                _ => return false,
            }
        }
        done > 0 && done == value.len()
    }

    /// The values that may be shown, and whether any was withheld.
    pub(super) fn shown<const N: usize>(
        &self,
        path: u32,
        values: [Option<Cow<'_, str>>; N],
    ) -> ([Option<String>; N], bool) {
        let secret = self.joint.path(path).secret;
        if secret && !values.iter().flatten().all(|value| self.is_only_parameters(value)) {
            return (std::array::from_fn(|_| None), true);
        }
        (values.map(|value| value.map(Cow::into_owned)), false)
    }
}

/// The gravest; among equals the first.
fn gravest<'p>(rules: impl Iterator<Item = &'p ChangeRule>) -> Option<&'p ChangeRule> {
    rules.reduce(|best, rule| if rule.severity > best.severity { rule } else { best })
}
