//! What the rules over values look at, and the questions that several of them ask.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::{Context, StageInput};
use crate::bundle::Bundle;
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::profile::ParameterName;
use crate::project::{Project, SecretReference, Stage, StageName};
use crate::values::{Contract, ContractParameter, Origin, Value, is_secret_name, secret_by_pattern};

/// A [`Context`] as rules over values see it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) project: &'a Project,
    pub(super) contract: &'a Contract,
    /// The stages to check.
    pub(super) stages: &'a [StageInput],
    /// The stages to compare with.
    pub(super) all_stages: &'a [StageInput],
    /// For the places of placeholders; a test of these rules has none.
    pub(super) bundle: Option<&'a Bundle>,
}

/// Where a stage stands in the order of promotion. A project's only stage is a middle one: nobody knows whether it is
/// somebody's machine or production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    First,
    Middle,
    Last,
}

impl Rank {
    /// For what is usual on a developer's machine and wrong in production: silent in the first stage, a warning in
    /// between, an error in the last one.
    pub(super) fn rising_severity(self) -> Option<Severity> {
        match self {
            Self::First => None,
            Self::Middle => Some(Severity::Warning),
            Self::Last => Some(Severity::Error),
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn of(context: &Context<'a>) -> Self {
        Self {
            project: context.project,
            contract: context.contract,
            stages: context.stages,
            all_stages: context.all_stages,
            bundle: Some(context.bundle),
        }
    }

    /// The project's settings of a stage.
    pub(super) fn stage(&self, name: &StageName) -> Option<&'a Stage> {
        self.project.stage(name.as_str())
    }

    pub(super) fn rank(&self, name: &StageName) -> Rank {
        match (self.project.position(name), self.project.stages.len()) {
            (_, 1) | (None, _) => Rank::Middle,
            (Some(0), _) => Rank::First,
            (Some(position), count) if position + 1 == count => Rank::Last,
            _ => Rank::Middle,
        }
    }

    /// A diagnostic with a label on the stage's name in `iamship.toml`.
    pub(super) fn at_stage(&self, diagnostic: Diagnostic, stage: &StageName, text: impl Into<String>) -> Diagnostic {
        match self.stage(stage) {
            Some(stage) => diagnostic.at(stage.span.clone(), text),
            None => diagnostic,
        }
    }

    /// Parameters that a stage gives no value.
    pub(super) fn without_value(&self, stage: &'a StageInput) -> impl Iterator<Item = &'a ContractParameter> {
        let contract = self.contract;
        contract
            .parameters
            .iter()
            .filter(|parameter| stage.values.get(&parameter.name).is_none())
    }

    /// Values of a stage that no placeholder asks for, nor the protection of others.
    pub(super) fn unasked(&self, stage: &'a StageInput) -> impl Iterator<Item = (&'a ParameterName, &'a Value)> {
        let contract = self.contract;
        let server = self.project.server.protect.as_ref().map(|protect| &protect.environment);
        let own = self.stage(&stage.name).and_then(|stage| stage.protect.as_ref());
        let own = own.map(|protect| &protect.environment);
        let is_key = move |name: &ParameterName| [server, own].into_iter().flatten().any(|keys| keys.contains(name));
        stage
            .values
            .iter()
            .filter(move |(name, _)| contract.get(name.as_str()).is_none() && !is_key(name))
    }

    /// Whether a value must not be shown, wherever it comes from.
    pub(super) fn is_hidden(&self, name: &ParameterName, value: &Value) -> bool {
        let by_contract = match self.contract.get(name.as_str()) {
            Some(parameter) => parameter.secret,
            None => is_secret_name(name.as_str()),
        };
        value.is_secret() || by_contract || secret_by_pattern(value.expose()).is_some()
    }

    /// Where a value stands, if it stands in a file; withheld when its line must not be shown.
    pub(super) fn value_span(&self, name: &ParameterName, value: &Value) -> Option<Span> {
        match &value.origin {
            Origin::File(span) if self.is_hidden(name, value) => Some(span.withheld()),
            Origin::File(span) => Some(span.clone()),
            Origin::Source(_) => None,
        }
    }

    /// Where a piece of a value stands; the whole value's place when quotes or escapes make the two differ.
    pub(super) fn piece_span(&self, name: &ParameterName, value: &Value, piece: Range<usize>) -> Option<Span> {
        let mut span = self.value_span(name, value)?;
        if span.text() == value.expose() {
            let start = span.range.start;
            span.range = start + piece.start..start + piece.end;
        }
        Some(span)
    }

    /// Where the name of a value stands; withheld when its line must not be shown.
    pub(super) fn name_span(&self, stage: &StageInput, name: &ParameterName) -> Option<Span> {
        let value = stage.values.get(name)?;
        let span = stage.values.name_span(name).filter(|_| !value.is_secret())?;
        Some(if self.is_hidden(name, value) {
            span.withheld()
        } else {
            span.clone()
        })
    }

    /// A diagnostic at a value's place, or, where it has none to show, at the stage that took it from a source.
    pub(super) fn at_value(
        &self,
        diagnostic: Diagnostic,
        stage: &StageName,
        value: &Value,
        place: Option<Span>,
        text: &str,
    ) -> Diagnostic {
        match (place, &value.origin) {
            (Some(place), _) => diagnostic.at(place, text),
            (None, Origin::Source(source)) if text.is_empty() => {
                self.at_stage(diagnostic, stage, format!("from `{source}`"))
            }
            (None, Origin::Source(source)) => self.at_stage(diagnostic, stage, format!("from `{source}`: {text}")),
            (None, Origin::File(_)) => self.at_stage(diagnostic, stage, text),
        }
    }

    /// A diagnostic about what these stages give a parameter.
    pub(super) fn about<'n>(
        diagnostic: Diagnostic,
        name: &ParameterName,
        stages: impl IntoIterator<Item = &'n StageName>,
    ) -> Diagnostic {
        stages
            .into_iter()
            .fold(diagnostic, |diagnostic, stage| diagnostic.about(stage, name))
    }

    /// The first place that asks for a parameter, in the bundle's text; withheld where a secret has its default there.
    pub(super) fn first_use(&self, parameter: &ContractParameter) -> Option<Span> {
        let bundle = self.bundle?;
        let place = bundle.parameters().get(&parameter.name)?.first()?;
        let span = bundle.span(place);
        Some(if parameter.secret && place.default.is_some() {
            span.withheld()
        } else {
            span
        })
    }
}

/// What to do so that stages give a parameter a value: a sentence for each way.
pub(super) fn mends(stages: &[&Stage], parameter: &ContractParameter) -> Vec<String> {
    let name = &parameter.name;
    let prefix = |stage: &Stage| stage.name.as_str().to_uppercase().replace('-', "_");
    // Files to add a line to, variables to set, and stages without either.
    let (mut files, mut variables, mut others, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stage in stages {
        match (parameter.secret, stage.secrets.first(), stage.values.last()) {
            (false, _, Some(file)) => files.push(file.to_string()),
            (true, Some(SecretReference::File(file)), _) => files.push(file.to_string()),
            (true, Some(SecretReference::Environment(prefix)), _) => variables.push(format!("{prefix}{name}")),
            (true, Some(source), _) => others.push(source.to_string()),
            _ => bare.push(*stage),
        }
    }
    files.dedup();
    variables.dedup();
    others.dedup();
    let (why, kind) = match parameter.secret {
        true => (": it is a secret", "it is a secret: "),
        false => ("", ""),
    };
    let mut mends = Vec::new();
    if !files.is_empty() {
        mends.push(format!("add `{name}=…` to {}{why}", quoted(&files)));
    }
    if !variables.is_empty() {
        mends.push(format!("set {} in the environment{why}", quoted(&variables)));
    }
    if !others.is_empty() {
        mends.push(format!("put `{name}` into {}{why}", quoted(&others)));
    }
    if let Some((first, others)) = bare.split_first() {
        let (stage, prefix) = (&first.name, prefix(first));
        let likewise = match others {
            [] => String::new(),
            others => format!("; likewise {}", listed(others.iter().map(|stage| &stage.name))),
        };
        mends.push(if parameter.secret {
            format!(
                "{kind}give `{stage}` a source, `secrets = [\"env:{prefix}_\"]`, and set `{prefix}_{name}`{likewise}"
            )
        } else {
            format!("give `{stage}` a file, `values = [\"env/{stage}.env\"]`, with `{name}=…` in it{likewise}")
        });
    }
    mends
}

/// `` `a`, `b` and `c` ``
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n StageName>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    quoted(&names)
}

/// As [`listed`], of any names.
fn quoted<T: std::fmt::Display>(names: &[T]) -> String {
    let mut list = String::new();
    for (index, name) in names.iter().enumerate() {
        let link = match index {
            0 => "",
            _ if index + 1 == names.len() => " and ",
            _ => ", ",
        };
        // Writing to a `String` does not fail.
        let _ = write!(list, "{link}`{name}`");
    }
    list
}

/// Findings that are one finding for several stages, since the stages share a file; in the order of their first.
pub(super) struct Shared<'a, T> {
    index: HashMap<String, usize>,
    found: Vec<(T, Vec<&'a StageName>)>,
}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new() -> Self {
        Self {
            index: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Adds a stage's finding about a parameter at a place; without a place it is the stage's own.
    pub(super) fn add(&mut self, stage: &'a StageName, name: &ParameterName, place: Option<&Span>, finding: T) {
        let key = match place {
            Some(place) => format!("{name} {} {}", place.range.start, place.source.path()),
            None => format!("{name} in {stage}"),
        };
        match self.index.get(&key) {
            Some(at) => self.found[*at].1.push(stage),
            None => {
                self.index.insert(key, self.found.len());
                self.found.push((finding, vec![stage]));
            }
        }
    }

    /// The findings, each with its stages.
    pub(super) fn into_found(self) -> Vec<(T, Vec<&'a StageName>)> {
        self.found
    }
}
