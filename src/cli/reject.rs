//! `iamship reject`

use serde_json::json;

use super::Outcome;
use super::arguments::{Format, Reject};
use super::shell::{Paint, Shell};
use crate::ops::{Context, reject};

pub(super) async fn run(arguments: &Reject, context: &Context<'_>, shell: &Shell) -> Outcome {
    let plan = reject::plan(context, &arguments.digest, &arguments.reason).await?;
    let (digest, version, rejection) = (plan.digest, plan.version.clone(), plan.rejection.clone());
    let planned: Vec<_> = plan.locations().cloned().collect();
    let (record, locations) = match arguments.dry_run {
        true => (None, planned),
        false => {
            let done = reject::apply(context, plan).await?;
            (Some(done.record), done.locations)
        }
    };
    let locations: Vec<_> = locations.iter().map(ToString::to_string).collect();
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.reject/v1",
            "digest": digest,
            "version": version,
            "reason": rejection.reason,
            "by": rejection.by,
            "repositories": locations,
            "record": record,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    let what = format!("{digest} ({version}) in {}", locations.join(", "));
    shell.answer(match record {
        Some(_) => format!("{}  {what}", shell.paint("rejected", Paint::Bad)),
        None => format!("{}  {what}", shell.paint("would reject", Paint::Faint)),
    });
    Ok(())
}
