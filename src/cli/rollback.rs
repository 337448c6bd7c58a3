//! `iamship rollback`

use super::Outcome;
use super::arguments::Rollback;
use super::promote::{Said, digest};
use super::shell::Shell;
use crate::ops::promote::{Wish, apply, warn_of_passed_over};
use crate::ops::{Context, rollback};

pub(super) async fn run(arguments: &Rollback, context: &Context<'_>, shell: &Shell) -> Outcome {
    let wish = Wish {
        digest: arguments.to.clone(),
        expect_current: digest(arguments.expect_current.as_deref())?,
        allow_older: true,
        ..Wish::default()
    };
    let mut plan = rollback::plan(context, &arguments.stage, &wish).await?;
    warn_of_passed_over(context, &arguments.stage, &plan);
    let done = if plan.is_cleared() && !arguments.dry_run {
        apply(context, &mut plan).await?
    } else {
        None
    };
    let said = Said {
        verb: "rollback",
        from: None,
        to: &arguments.stage,
        plan: &plan,
        done: done.as_ref(),
        dry_run: arguments.dry_run,
    };
    said.tell(shell)
}
