//! What the stages give the configuration, and which of it ends. Values are compared, and go no further.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::checks;
use crate::diagnostic::Diagnostic;
use crate::ops::inputs::{self, Need, world_failed};
use crate::ops::{Context, OpsError};
use crate::project::Stage;
use crate::report::page::{Cell, Expiry, Given, Matrix, Part, Setting};
use crate::values::Coverage;

/// What was found.
pub(super) struct Settings {
    pub(super) matrix: Part<Matrix>,
    pub(super) expiries: Part<Vec<Expiry>>,
    /// Whether a source of secrets did not answer.
    pub(super) world_failed: bool,
}

/// Reads every stage's values. Of half of them nothing is said.
pub(super) async fn settings(context: &Context<'_>) -> Result<Settings, OpsError> {
    let reading = inputs::bundle(context.project)?;
    let all: Vec<&Stage> = context.project.stages.iter().collect();
    let stages = inputs::stages(context, &all, Need::Values).await?;
    let found = stages.iter().flat_map(|stage| &stage.diagnostics);
    let found: Vec<Diagnostic> = reading.diagnostics.iter().chain(found).cloned().collect();
    if let Some(why) = why_not(&found) {
        return Ok(Settings {
            matrix: Part::Unknown(why.clone()),
            expiries: Part::Unknown(why),
            world_failed: world_failed(&found),
        });
    }
    let stages: Vec<_> = stages.into_iter().map(|stage| stage.input).collect();
    let looked_at = checks::Context {
        project: context.project,
        bundle: &reading.bundle,
        contract: &reading.contract,
        stages: &stages,
        all_stages: &stages,
        now: context.now(),
    };
    let findings = checks::run(&looked_at);
    let everywhere: Vec<String> = stages.iter().map(|stage| stage.name.to_string()).collect();
    Ok(Settings {
        matrix: Part::Known(matrix(&checks::matrix(&reading.contract, &stages, &[], &findings))),
        expiries: Part::Known(expiries(&checks::expiries(&looked_at), &everywhere)),
        world_failed: false,
    })
}

fn why_not(found: &[Diagnostic]) -> Option<String> {
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
    let messages: Vec<_> = errors.map(|diagnostic| diagnostic.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

fn matrix(found: &checks::Matrix) -> Matrix {
    Matrix {
        stages: found.stages.iter().map(ToString::to_string).collect(),
        settings: found.rows.iter().map(setting).collect(),
    }
}

fn setting(row: &checks::Row) -> Setting {
    let cell = |cell: &checks::Cell| Cell {
        given: given(cell.coverage),
        group: cell.group.map(|group| group.to_string()),
        marks: cell.marks.iter().map(|mark| mark.message.clone()).collect(),
    };
    Setting {
        name: row.parameter.name.to_string(),
        kind: row.parameter.kind.to_string(),
        secret: row.parameter.secret,
        cells: row.cells.iter().map(cell).collect(),
    }
}

fn given(coverage: Coverage) -> Given {
    match coverage {
        Coverage::Given => Given::Value,
        Coverage::Secret => Given::Secret,
        Coverage::Default => Given::Default,
        Coverage::Missing => Given::Missing,
    }
}

/// One for each certificate, with all stages that it is in; the soonest first.
fn expiries(found: &[checks::Expiry], everywhere: &[String]) -> Vec<Expiry> {
    let mut stages: BTreeMap<(Timestamp, &str, &str), Vec<String>> = BTreeMap::new();
    for expiry in found {
        let here = stages
            .entry((expiry.not_after, &expiry.place, &expiry.subject))
            .or_default();
        match &expiry.stage {
            Some(stage) if !here.contains(&stage.to_string()) => here.push(stage.to_string()),
            Some(_) => {}
            None => *here = everywhere.to_vec(),
        }
    }
    let each = stages.into_iter().map(|((at, setting, subject), stages)| Expiry {
        what: match subject {
            "" => "certificate without a name".to_owned(),
            subject => format!("certificate {subject}"),
        },
        setting: setting.to_owned(),
        stages,
        at,
    });
    each.collect()
}
