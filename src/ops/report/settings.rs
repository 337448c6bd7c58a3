//! What the stages give the configuration. Values are compared, and go no further.

use crate::diagnostic::Diagnostic;
use crate::ops::check::{self, Parameters};
use crate::ops::{Context, OpsError};
use crate::report::page::{Cell, Expiry, Given, Matrix, Part, Setting};
use crate::values::Coverage;

/// What was found.
pub(super) struct Settings {
    pub(super) matrix: Part<Matrix>,
    pub(super) expiries: Part<Vec<Expiry>>,
    /// Whether a source of secrets did not answer.
    pub(super) world_failed: bool,
}

/// Reads every stage's values.
pub(super) async fn settings(context: &Context<'_>) -> Result<Settings, OpsError> {
    let parameters = check::parameters(context).await?;
    let world_failed = check::world_failed(&parameters.diagnostics);
    let why = why_not(&parameters.diagnostics);
    Ok(Settings {
        matrix: match &why {
            Some(why) => Part::Unknown(why.clone()),
            None => Part::Known(matrix(&parameters)),
        },
        expiries: match why {
            Some(why) => Part::Unknown(why),
            None => Part::Known(Vec::new()),
        },
        world_failed,
    })
}

fn why_not(diagnostics: &[Diagnostic]) -> Option<String> {
    let messages: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

fn matrix(parameters: &Parameters) -> Matrix {
    let settings = parameters.contract.parameters.iter().enumerate();
    let settings = settings.map(|(index, parameter)| Setting {
        name: parameter.name.to_string(),
        kind: parameter.kind.to_string(),
        secret: parameter.secret,
        cells: parameters
            .stages
            .iter()
            .map(|(_, coverage)| Cell {
                given: given(coverage[index]),
                group: None,
                marks: Vec::new(),
            })
            .collect(),
    });
    Matrix {
        settings: settings.collect(),
        stages: parameters.stages.iter().map(|(name, _)| name.to_string()).collect(),
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
