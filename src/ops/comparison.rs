//! What a stage runs against what comes to it: read only where the two configuration layers differ.

use super::diff::{InStore, changes_between};
use super::{Context, OpsError};
use crate::diagnostic::Diagnostic;
use crate::project::{EnteringChanges, Stage};
use crate::promotion::Comparison;

/// Compares what comes to a stage with what it runs. What can't be read is an answer too: the other gates are told with
/// it, and so is the way out.
pub(super) async fn compare(
    context: &Context<'_>,
    to: &Stage,
    current: Option<InStore<'_>>,
    candidate: InStore<'_>,
) -> Comparison {
    if to.enter.changes == EnteringChanges::Free {
        return Comparison::Free;
    }
    let Some(current) = current else {
        return Comparison::First;
    };
    match changes_between(context, current, candidate).await {
        Ok(changes) if changes.is_empty() => Comparison::Equal,
        Ok(changes) => Comparison::Differs(changes),
        Err(OpsError::Diagnostics(problems)) => Comparison::Unreadable(first(&problems)),
        Err(error) => Comparison::Unreadable(error.to_string()),
    }
}

/// In one sentence; of several problems the first.
fn first(problems: &[Diagnostic]) -> String {
    let first = problems.first().map(|problem| problem.message.clone());
    first.unwrap_or_default()
}
