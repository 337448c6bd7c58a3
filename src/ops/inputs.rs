//! What a verb reads from the project: the bundle, its contract, and stages' values.

use futures::future::try_join_all;

use super::{Context, OpsError};
use crate::bundle::Bundle;
use crate::checks::{self, StageInput};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::project::{Project, Stage};
use crate::secrets;
pub(super) use crate::secrets::Need;
use crate::values::{Contract, StageValues, stage_values};

/// The largest values file: 4 MiB.
const MAX_VALUES_BYTES: u64 = 4 << 20;

/// The configuration in the working tree.
pub(super) struct ProjectBundle {
    pub(super) bundle: Bundle,
    pub(super) contract: Contract,
    /// What is wrong with the files themselves.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads the configuration files.
pub(super) fn bundle(project: &Project) -> Result<ProjectBundle, OpsError> {
    let files = project.config_files()?;
    let (bundle, diagnostics) = Bundle::read(files, &project.server);
    let contract = checks::contract(project, &bundle)?;
    Ok(ProjectBundle {
        bundle,
        contract,
        diagnostics,
    })
}

/// One stage's values, and what is wrong with the files that hold them.
pub(super) struct StageReading {
    pub(super) input: StageInput,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Its values files.
    pub(super) sources: Vec<Source>,
}

impl StageReading {
    /// Values that could not be read say nothing: a result that was signed with half of them would be untrue.
    pub(super) fn require_whole(&self) -> Result<(), OpsError> {
        let Some(error) = self.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) else {
            return Ok(());
        };
        let stage = &self.input.name;
        let place = error.labels.first().map(|label| format!(" ({})", label.span));
        let message = format!(
            "nothing can be done with the values of `{stage}`: {}{}",
            error.message,
            place.unwrap_or_default()
        );
        let failure = match self.world_failed() {
            true => OpsError::world(message),
            false => OpsError::input(message),
        };
        Err(failure.help(format!("iamship check {stage}")))
    }

    /// A source of secrets that did not answer says nothing about the values.
    pub(super) fn require_answer(&self) -> Result<(), OpsError> {
        match self.world_failed() {
            true => self.require_whole(),
            false => Ok(()),
        }
    }

    /// Whether a secret source could not be read: then nothing can be said of what the stage lacks.
    pub(super) fn lacks_secrets(&self) -> bool {
        let mut codes = self.diagnostics.iter().map(|diagnostic| diagnostic.code);
        codes.any(|code| matches!(code, Code::SecretsUnreadable | Code::SecretsUnreachable))
    }

    /// Whether it was the world that kept a secret source from being read.
    pub(super) fn world_failed(&self) -> bool {
        world_failed(&self.diagnostics)
    }

    /// What is told of the sources that did not answer.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = String> {
        let unreachable = self
            .diagnostics
            .iter()
            .filter(|found| found.code == Code::SecretsUnreachable);
        unreachable.map(|found| found.message.clone())
    }

    pub(super) fn values(&self) -> &StageValues {
        &self.input.values
    }

    /// Whether all values could be read: of half of them no fingerprint says anything.
    pub(super) fn is_whole(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Whether findings tell of a secret source that does not answer: then it is the world that failed, not the project.
pub fn world_failed(diagnostics: &[Diagnostic]) -> bool {
    let mut codes = diagnostics.iter().map(|diagnostic| diagnostic.code);
    codes.any(|code| code == Code::SecretsUnreachable)
}

/// Reads a stage's values files and secrets.
pub(super) async fn stage(context: &Context<'_>, stage: &Stage) -> Result<StageReading, OpsError> {
    read_stage(context, stage, Need::Values).await
}

async fn read_stage(context: &Context<'_>, stage: &Stage, need: Need) -> Result<StageReading, OpsError> {
    let root = &context.project.root;
    let mut files = Vec::new();
    for path in &stage.values {
        files.push(Source::new(path.clone(), read_text(&root.join(path))?));
    }
    let (plain, mut diagnostics) = stage_values(&files);
    let sources: Vec<_> = stage
        .secrets
        .iter()
        .map(|reference| secrets::open(reference, root, context.environment, context.vault))
        .collect();
    let values = match secrets::add_secrets(plain.clone(), &sources, need).await {
        Ok((values, warnings)) => {
            diagnostics.extend(warnings);
            values
        }
        Err(error) => {
            let code = match error.is_input() {
                true => Code::SecretsUnreadable,
                false => Code::SecretsUnreachable,
            };
            let message = format!("the secrets of `{}` can't be read: {error}", stage.name);
            let diagnostic = Diagnostic::new(code, message).at(stage.span.clone(), "");
            diagnostics.push(match error.help() {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            plain
        }
    };
    Ok(StageReading {
        input: StageInput {
            name: stage.name.clone(),
            values,
        },
        diagnostics,
        sources: files,
    })
}

/// Reads the values of several stages, or only what they give: all sources are asked at once.
pub(super) async fn stages(
    context: &Context<'_>,
    wanted: &[&Stage],
    need: Need,
) -> Result<Vec<StageReading>, OpsError> {
    try_join_all(wanted.iter().map(|stage| read_stage(context, stage, need))).await
}

fn read_text(path: &camino::Utf8Path) -> Result<String, OpsError> {
    let length = fs_err::metadata(path)?.len();
    if length > MAX_VALUES_BYTES {
        return Err(OpsError::input(format!(
            "`{path}` has {length} bytes, over the limit of {MAX_VALUES_BYTES}"
        )));
    }
    fs_err::read_to_string(path).map_err(|error| OpsError::input(error.to_string()))
}
