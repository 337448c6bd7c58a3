//! The profile's rules over clients and other entries: grants, redirects, lifetimes, protocols without keys.
//!
//! A value with placeholders is judged for each stage that gives all of them; where one is missing, or is a secret,
//! nothing is said.

use std::borrow::Cow;

use regex_lite::Regex;

use super::view::listed;
use super::{Context, StageInput};
use crate::bundle::Node;
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::{Condition, IamRule, PathPattern};
use crate::project::StageName;

/// Longer values are cut in messages.
const MOST_SHOWN: usize = 80;

/// The findings of the rules of one code.
pub(super) fn find(context: &Context<'_>, code: Code) -> Vec<Diagnostic> {
    let rules = context.project.server.iam.iter().filter(|rule| rule.code == code);
    rules
        .flat_map(|rule| Ready::new(rule).map_or_else(Vec::new, |ready| ready.find(context)))
        .collect()
}

/// A rule with its expressions made.
struct Ready<'a> {
    rule: &'a IamRule,
    /// The first condition's elements, seen from the root.
    places: Vec<PathPattern>,
    /// How far below the entry they are.
    depth: usize,
    first: Test<'a>,
    others: Vec<Test<'a>>,
}

/// A condition with its expressions made.
struct Test<'a> {
    condition: &'a Condition,
    steps: Vec<&'a str>,
    matches: Option<Regex>,
    unless: Option<Regex>,
}

impl<'a> Ready<'a> {
    fn new(rule: &'a IamRule) -> Option<Self> {
        let mut tests = rule.when.iter().map(Test::new);
        let first = tests.next()?;
        let place = |entry: &PathPattern| match entry.as_str() {
            IamRule::ROOT => Some(first.condition.path.clone()),
            entry => format!("{entry}/{}", first.condition.path).parse().ok(),
        };
        Some(Self {
            places: rule.entries.iter().filter_map(place).collect(),
            depth: first.steps.len(),
            others: tests.collect(),
            first,
            rule,
        })
    }

    fn find(&self, context: &Context<'_>) -> Vec<Diagnostic> {
        let found = context.bundle.tree().find_any(&self.places);
        found.filter_map(|place| self.judge(context, place)).collect()
    }

    fn judge(&self, context: &Context<'_>, place: Node<'_>) -> Option<Diagnostic> {
        let entry = (0..self.depth).try_fold(place, |node, _| node.parent())?;
        let given = Values { context, stage: None };
        if let Some(holds) = self.holds(&entry, &place, &given) {
            return holds.then(|| self.diagnostic(&entry, &place, place.value().into_owned(), &[]));
        }
        let mut stages: Vec<(&StageName, String)> = Vec::new();
        for stage in context.stages {
            let given = Values {
                context,
                stage: Some(stage),
            };
            if self.holds(&entry, &place, &given) == Some(true) {
                stages.push((&stage.name, given.of(&place)?.into_owned()));
            }
        }
        let value = stages.first()?.1.clone();
        let names: Vec<_> = stages.iter().map(|(name, _)| *name).collect();
        Some(self.diagnostic(&entry, &place, value, &names))
    }

    /// Whether all conditions hold; `None` when a value is needed that is not known.
    fn holds(&self, entry: &Node<'_>, place: &Node<'_>, given: &Values<'_, '_>) -> Option<bool> {
        let mut known = self.first.fits(place, given);
        for test in &self.others {
            if known == Some(false) {
                break;
            }
            match test.holds(entry, given) {
                Some(false) => known = Some(false),
                None => known = None,
                Some(true) => {}
            }
        }
        known
    }

    fn diagnostic(&self, entry: &Node<'_>, place: &Node<'_>, value: String, stages: &[&StageName]) -> Diagnostic {
        let id = entry.key().unwrap_or_else(|| Cow::Borrowed(entry.name()));
        let mut message = self.rule.message.replace("{id}", &id).replace("{value}", &cut(&value));
        if !stages.is_empty() {
            message += &format!(", in {}", listed(stages.iter().copied()));
        }
        let mut found = Diagnostic::new(self.rule.code, message)
            .at(place.text_span(), "")
            .help(&self.rule.help);
        found.severity = self.rule.severity.unwrap_or(found.severity);
        stages.iter().fold(found, |found, stage| found.stage(stage))
    }
}

impl<'a> Test<'a> {
    fn new(condition: &'a Condition) -> Self {
        let regex = |text: &Option<String>| text.as_deref().and_then(|text| Regex::new(text).ok());
        Self {
            condition,
            steps: condition.path.as_str().split('/').collect(),
            matches: regex(&condition.matches),
            unless: regex(&condition.unless),
        }
    }

    fn holds(&self, entry: &Node<'_>, given: &Values<'_, '_>) -> Option<bool> {
        let mut nodes = Vec::new();
        descend(entry, &self.steps, &mut nodes);
        let mut unknown = false;
        for node in &nodes {
            match self.fits(node, given) {
                Some(true) => return Some(!self.condition.absent),
                Some(false) => {}
                None => unknown = true,
            }
        }
        (!unknown).then_some(self.condition.absent)
    }

    /// Whether an element's value is what the condition is about.
    fn fits(&self, node: &Node<'_>, given: &Values<'_, '_>) -> Option<bool> {
        let condition = self.condition;
        let asks_value =
            !condition.is.is_empty() || self.matches.is_some() || self.unless.is_some() || condition.over.is_some();
        if !asks_value {
            return Some(true);
        }
        let value = given.of(node)?;
        let number = || value.parse::<u64>().ok();
        let fits = (condition.is.is_empty() || condition.is.iter().any(|text| *text == value))
            && self.matches.as_ref().is_none_or(|regex| regex.is_match(&value))
            && self.unless.as_ref().is_none_or(|regex| !regex.is_match(&value))
            && condition
                .over
                .is_none_or(|most| number().is_some_and(|number| number > most));
        Some(fits)
    }
}

fn descend<'t>(node: &Node<'t>, steps: &[&str], found: &mut Vec<Node<'t>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(*node);
        return;
    };
    for child in node.children().filter(|child| *step == "*" || child.name() == *step) {
        descend(&child, rest, found);
    }
}

/// What elements hold: as they stand, or with one stage's values.
struct Values<'c, 'a> {
    context: &'c Context<'a>,
    stage: Option<&'c StageInput>,
}

impl Values<'_, '_> {
    /// `None` when nobody may know.
    fn of<'t>(&self, node: &Node<'t>) -> Option<Cow<'t, str>> {
        let value = node.value();
        if !node.has_placeholder() {
            return Some(value);
        }
        let stage = self.stage?;
        super::filled::filled(self.context, node, stage).map(Cow::Owned)
    }
}

fn cut(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(MOST_SHOWN) {
        Some((at, _)) => Cow::Owned(format!("{}…", &value[..at])),
        None => Cow::Borrowed(value),
    }
}
