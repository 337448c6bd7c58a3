//! A side with a stage's values in it, for comparing it with what holds values already. What comes from a secret is
//! compared and never told.

use std::collections::BTreeSet;

use super::inputs::{self, StageReading};
use super::{Context, OpsError, view};
use crate::bundle::{Bundle, Change};
use crate::checks;
use crate::diagnostic::Source;
use crate::profile::ParameterName;
use crate::values::{ContractParameter, Redactor, Value};

/// A stage's values, and what of them must not be told.
pub(super) struct Filling {
    reading: StageReading,
    redactor: Redactor,
    /// Paths of elements that a secret goes into.
    secret_paths: BTreeSet<String>,
}

impl Filling {
    /// Reads a stage's plain and secret values; all of them must be there.
    pub(super) async fn read(context: &Context<'_>, stage: &str) -> Result<Self, OpsError> {
        let stage = view::stage(context, stage)?;
        let reading = inputs::stage(context, stage).await?;
        reading.require_whole()?;
        Ok(Self {
            redactor: Redactor::of(reading.values()),
            reading,
            secret_paths: BTreeSet::new(),
        })
    }

    /// The bundle with the values in it.
    ///
    /// # Errors
    /// A placeholder without a value or default, and what goes wrong only with these values.
    pub(super) fn fill(&mut self, context: &Context<'_>, bundle: Bundle) -> Result<Bundle, OpsError> {
        let contract = checks::contract(context.project, &bundle)?;
        for (name, uses) in bundle.parameters() {
            let is_secret = |parameter: &ContractParameter| parameter.name == *name && parameter.secret;
            let is_secret = contract.parameters.iter().any(is_secret)
                || self.reading.values().get(name).is_some_and(Value::is_secret);
            if is_secret {
                self.secret_paths.extend(uses.iter().map(|place| bundle.path(place)));
            }
        }
        let lookup = |name: &ParameterName| self.reading.values().get(name).map(Value::expose);
        let filled = bundle.fill(&lookup)?;
        let files = filled.files().map(|(path, text)| Source::new(path, text)).collect();
        // What looks like a placeholder now is text: the server replaces each once.
        Ok(Bundle::read(files, &context.project.server).0)
    }

    /// Takes out of a change what must not be told.
    pub(super) fn conceal(&self, change: &mut Change) {
        let tells = |value: &Option<String>| value.as_ref().is_some_and(|text| self.redactor.text(text) != *text);
        if self.secret_paths.contains(&change.path) || tells(&change.before) || tells(&change.after) {
            change.secret = true;
            change.before = None;
            change.after = None;
        }
        change.path = self.redactor.text(&change.path);
        change.subject.id = self.redactor.text(&change.subject.id);
        for span in [&mut change.before_span, &mut change.after_span].into_iter().flatten() {
            *span = span.withheld();
        }
    }
}
