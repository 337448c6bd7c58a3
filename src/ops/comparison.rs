//! What a stage runs against what comes to it: read only where the two configuration layers differ.

use super::diff::{InStore, changes_between};
use super::{Context, OpsError};
use crate::diagnostic::Diagnostic;
use crate::project::{EnteringChanges, Stage};
use crate::promotion::Comparison;

/// Compares what comes to a stage with what it runs. A configuration that is not understood is an answer too: the other
/// gates are told with it.
///
/// # Errors
/// A store that does not answer, or an image without a configuration.
pub(super) async fn compare(
    context: &Context<'_>,
    to: &Stage,
    current: Option<InStore<'_>>,
    candidate: InStore<'_>,
) -> Result<Comparison, OpsError> {
    if to.enter.changes == EnteringChanges::Free {
        return Ok(Comparison::Free);
    }
    let Some(current) = current else {
        return Ok(Comparison::First);
    };
    match changes_between(context, current, candidate).await {
        Ok(changes) if changes.is_empty() => Ok(Comparison::Equal),
        Ok(changes) => Ok(Comparison::Differs(changes)),
        Err(OpsError::Diagnostics(problems)) => Ok(Comparison::Unreadable(first(&problems))),
        Err(error) => Err(error),
    }
}

/// In one sentence; of several problems the first.
fn first(problems: &[Diagnostic]) -> String {
    let first = problems.first().map(|problem| problem.message.clone());
    first.unwrap_or_default()
}
