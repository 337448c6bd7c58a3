//! `iamship lock`

use serde_json::json;

use super::Outcome;
use super::arguments::{Format, Lock};
use super::shell::Shell;
use crate::ops::{Context, lock};

pub(super) async fn run(arguments: &Lock, context: &Context<'_>, shell: &Shell) -> Outcome {
    let plan = lock::plan(context, arguments.update).await?;
    if !arguments.dry_run {
        lock::apply(context, &plan)?;
    }
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.lock/v1",
            "base": plan.lock.base.to_string(),
            "digest": plan.lock.digest,
            "previous": plan.previous,
            "platforms": plan.lock.platforms,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    shell.answer(plan.lock.digest.to_string());
    let what = match (&plan.previous, plan.writes, arguments.dry_run) {
        (_, false, _) => format!("`{}` is pinned already; `--update` moves the pin", plan.lock.base),
        (None, true, false) => format!("`{}` is pinned in `iamship.lock`: commit it", plan.lock.base),
        (Some(previous), true, false) => format!("the pin moved from {previous}: commit `iamship.lock`"),
        (None, true, true) => format!("`{}` would be pinned", plan.lock.base),
        (Some(previous), true, true) => format!("the pin would move from {previous}"),
    };
    shell.note(what);
    Ok(())
}
