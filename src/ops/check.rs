//! `check` and `parameters`: the project, its configuration, and what each stage gives it.

pub use super::inputs::world_failed;
use super::inputs::{self, Need, StageReading};
use super::view;
use super::{Context, OpsError};
use crate::checks::{self, Findings};
use crate::diagnostic::{Diagnostic, Source};
use crate::project::{Stage, StageName};
use crate::values::{Contract, Coverage};

/// Whose values are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Every stage's.
    AllStages,
    /// Those of these stages.
    Stages(&'a [String]),
    /// Nobody's, only the configuration: where no secret may be read.
    NoStage,
}

/// Everything that is wrong.
pub async fn check(context: &Context<'_>, scope: Scope<'_>) -> Result<Findings, OpsError> {
    let wanted = wanted(context, scope)?;
    let reading = inputs::bundle(context.project)?;
    // The other stages' values are compared with; where nobody's are judged, nobody's are read.
    let read: Vec<&Stage> = match scope {
        Scope::NoStage => Vec::new(),
        _ => context.project.stages.iter().collect(),
    };
    let stages = inputs::stages(context, &read, Need::Values).await?;
    Ok(findings(context, &reading, stages, &wanted))
}

fn wanted<'p>(context: &Context<'p>, scope: Scope<'_>) -> Result<Vec<&'p Stage>, OpsError> {
    match scope {
        Scope::AllStages => Ok(context.project.stages.iter().collect()),
        Scope::Stages(names) => names.iter().map(|name| view::stage(context, name)).collect(),
        Scope::NoStage => Ok(Vec::new()),
    }
}

/// What is wrong with a bundle and with the values of the wanted stages.
pub(super) fn findings(
    context: &Context<'_>,
    reading: &inputs::ProjectBundle,
    stages: Vec<StageReading>,
    wanted: &[&Stage],
) -> Findings {
    let is_wanted = |name: &StageName| wanted.iter().any(|stage| stage.name == *name);
    let mut diagnostics = reading.diagnostics.clone();
    let (mut all, mut checked) = (Vec::new(), Vec::new());
    let mut sources = vec![context.project.source.clone()];
    for stage in stages {
        if is_wanted(&stage.input.name) {
            // Every secret would be missing; that they can't be read is the one thing to say.
            if !stage.lacks_secrets() {
                checked.push(stage.input.clone());
            }
            diagnostics.extend(stage.diagnostics);
        }
        let new = |source: &Source| !sources.iter().any(|known: &Source| known.path() == source.path());
        let new: Vec<_> = stage.sources.into_iter().filter(new).collect();
        sources.extend(new);
        all.push(stage.input);
    }
    diagnostics = checks::with_severities(diagnostics, context.project);
    diagnostics.extend(checks::run(&checks::Context {
        project: context.project,
        bundle: &reading.bundle,
        contract: &reading.contract,
        stages: &checked,
        all_stages: &all,
        now: context.now(),
    }));
    checks::allow(
        diagnostics,
        &checks::Scene {
            project: context.project,
            bundle: &reading.bundle,
            sources: &sources,
            whole: checked.len() == context.project.stages.len(),
        },
    )
}

/// The contract and what each stage gives it.
pub struct Parameters {
    /// What the configuration asks for.
    pub contract: Contract,
    /// What each stage gives, in the contract's order.
    pub stages: Vec<(StageName, Vec<Coverage>)>,
    /// What could not be read; then the answer is not whole.
    pub diagnostics: Vec<Diagnostic>,
}

/// Every parameter and what each stage gives it. Where a source can tell the names of its secrets without the values,
/// only the names are asked for.
pub async fn parameters(context: &Context<'_>) -> Result<Parameters, OpsError> {
    let reading = inputs::bundle(context.project)?;
    let all: Vec<&Stage> = context.project.stages.iter().collect();
    let mut diagnostics: Vec<_> = reading.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    let mut stages = Vec::new();
    for stage in inputs::stages(context, &all, Need::Names).await? {
        diagnostics.extend(
            stage
                .diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.is_error())
                .cloned(),
        );
        stages.push((stage.input.name.clone(), reading.contract.coverage(stage.values())));
    }
    Ok(Parameters {
        contract: reading.contract,
        stages,
        diagnostics,
    })
}
