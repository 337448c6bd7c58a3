//! `iamship approve`

use serde_json::json;

use super::Outcome;
use super::arguments::{Approve, Format};
use super::promote::names;
use super::shell::{Paint, Shell};
use crate::ops::{Context, approve};

pub(super) async fn run(arguments: &Approve, context: &Context<'_>, shell: &Shell) -> Outcome {
    let reason = arguments
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let allows = names(&arguments.allows, "--allows")?;
    let plan = approve::plan(context, &arguments.digest, &arguments.stage, reason, &allows).await?;
    let record = match arguments.dry_run {
        true => plan.existing,
        false => Some(approve::apply(context, &plan).await?),
    };
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.approve/v1",
            "digest": plan.digest,
            "version": plan.version,
            "stage": plan.approval.stage.as_str(),
            "reason": plan.approval.reason,
            "allows": plan.approval.allows,
            "by": plan.approval.by,
            "approved": plan.existing.is_none() && record.is_some(),
            "record": record,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    let allows = match plan.approval.allows.as_slice() {
        [] => String::new(),
        names => format!(", and allows {}", names.join(", ")),
    };
    let what = format!(
        "{} ({}) for `{}`{allows}",
        plan.digest, plan.version, plan.approval.stage
    );
    shell.answer(match (plan.existing, record) {
        (Some(_), _) => format!("{}  {what}, by this key already", shell.paint("unchanged", Paint::Good)),
        (None, Some(_)) => format!("{}  {what}", shell.paint("approved", Paint::Good)),
        (None, None) => format!("{}  {what}", shell.paint("would approve", Paint::Faint)),
    });
    Ok(())
}
