//! `check` and `parameters`: the project, its configuration, and what each stage gives it.

pub use super::inputs::world_failed;
use super::inputs::{self, Need, StageReading};
use super::view;
use super::{Context, OpsError};
use crate::checks::{self, Findings, Matrix};
use crate::diagnostic::{Diagnostic, Source};
use crate::project::{Stage, StageName};

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
    /// What the configuration asks for, and what each stage gives: no value.
    pub matrix: Matrix,
    /// Stages whose secrets may not be read here: only their names are known, so nothing compares them.
    pub unread: Vec<StageName>,
    /// What could not be read; then the answer is not whole.
    pub diagnostics: Vec<Diagnostic>,
}

/// Every parameter, what each of the wanted stages gives it, and what is suspicious about that.
///
/// Where the secrets of a stage can't be read, a source that tells their names without them is asked for the names.
pub async fn parameters(context: &Context<'_>, scope: Scope<'_>) -> Result<Parameters, OpsError> {
    let wanted = wanted(context, scope)?;
    let reading = inputs::bundle(context.project)?;
    let all: Vec<&Stage> = context.project.stages.iter().collect();
    let mut stages = inputs::stages(context, &all, Need::Values).await?;
    let mut unread = Vec::new();
    for (reading, stage) in stages
        .iter_mut()
        .zip(&all)
        .filter(|(reading, _)| reading.lacks_secrets())
    {
        let named = inputs::stages(context, &[stage], Need::Names).await?;
        if let Some(named) = named.into_iter().find(|named| !named.lacks_secrets()) {
            unread.push(stage.name.clone());
            *reading = named;
        }
    }
    let is_wanted = |name: &StageName| wanted.iter().any(|stage| stage.name == *name);
    let is_error = |diagnostic: &&Diagnostic| diagnostic.is_error();
    let mut diagnostics: Vec<_> = reading.diagnostics.iter().filter(is_error).cloned().collect();
    for stage in stages.iter().filter(|stage| is_wanted(&stage.input.name)) {
        diagnostics.extend(stage.diagnostics.iter().filter(is_error).cloned());
    }
    // What is not known can't be judged: neither missing nor equal to another one's.
    let judged: Vec<_> = stages.iter().map(|stage| &stage.input).cloned().collect();
    let known: Vec<_> = stages
        .iter()
        .filter(|stage| !stage.lacks_secrets() && !unread.contains(&stage.input.name))
        .map(|stage| stage.input.clone())
        .collect();
    let findings = checks::run(&checks::Context {
        project: context.project,
        bundle: &reading.bundle,
        contract: &reading.contract,
        stages: &known,
        all_stages: &known,
        now: context.now(),
    });
    let mut sources: Vec<_> = stages.iter().flat_map(|stage| &stage.sources).cloned().collect();
    sources.push(context.project.source.clone());
    let scene = checks::Scene {
        project: context.project,
        bundle: &reading.bundle,
        sources: &sources,
        whole: false,
    };
    let findings = checks::allow(findings, &scene).diagnostics;
    let shown: Vec<_> = judged.into_iter().filter(|input| is_wanted(&input.name)).collect();
    Ok(Parameters {
        matrix: checks::matrix(&reading.contract, &shown, &unread, &findings),
        unread,
        diagnostics,
    })
}
