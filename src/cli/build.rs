//! `iamship build`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Build, Format};
use super::check::color;
use super::connect::yes_no_or_unanswered;
use super::shell::Shell;
use crate::diagnostic::Diagnostic;
use crate::ops::Context;
use crate::ops::build::{self, Entry, Planned};
use crate::ops::check::world_failed;
use crate::report;

pub(super) async fn run(arguments: &Build, context: &Context<'_>, shell: &Shell) -> Outcome {
    let entry = if arguments.no_stage {
        Entry::None
    } else {
        Entry::FirstStage
    };
    let plan = match build::plan(context, entry).await? {
        Planned::Ready(plan) => plan,
        Planned::Refused(errors) => {
            if shell.format() == Format::Json {
                shell.json(&refused(&errors, arguments));
            } else {
                shell.aside(format!("{}\n", report::text(&errors, color(shell)).trim_end()));
                super::check::explain(&errors, shell);
                shell.error(format!("not built: {}", report::summary(&errors)));
            }
            return yes_no_or_unanswered(false, world_failed(&errors));
        }
    };
    let warnings = plan.warnings.len();
    if warnings > 0 {
        shell.note(format!("{}: see `iamship check`", report::summary(&plan.warnings)));
    }
    let done = if arguments.dry_run {
        None
    } else {
        Some(build::apply(context, &plan).await?)
    };
    let built = done.as_ref().map_or(!plan.there, |done| done.built);
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.build/v1",
            "digest": plan.digest(),
            "version": plan.version().as_str(),
            "reference": build::reference(context, &plan),
            "stage": plan.stage().map(ToString::to_string),
            "built": built,
            "entered": done.as_ref().is_some_and(|done| done.entered),
            "platforms": plan.platforms(),
            "base": { "reference": plan.base().base.to_string(), "digest": plan.base().digest },
            "warnings": warnings,
            "dry_run": arguments.dry_run,
        }));
        return Ok(());
    }
    shell.answer(plan.digest().to_string());
    let reference = build::reference(context, &plan);
    shell.note(match (&done, built) {
        (None, true) => format!("would be built as `{reference}`"),
        (None, false) | (Some(_), false) => format!("`{reference}` was there already: nothing was built"),
        (Some(_), true) => format!("built and signed as `{reference}`"),
    });
    if let Some(stage) = plan.stage() {
        shell.note(match &done {
            None => format!("would enter `{stage}`"),
            Some(done) if done.entered => format!("entered `{stage}`; next: iamship test {stage}"),
            Some(_) => format!("`{stage}` runs it already"),
        });
    }
    Ok(())
}

/// The document of a build that `check` stopped: the same fields, and what is wrong.
fn refused(errors: &[Diagnostic], arguments: &Build) -> Value {
    let mut findings = report::json_value(errors);
    json!({
        "schema": "iamship.build/v1",
        "digest": null,
        "version": null,
        "reference": null,
        "stage": null,
        "built": false,
        "entered": false,
        "platforms": [],
        "base": null,
        "warnings": findings["warnings"].take(),
        "errors": findings["errors"].take(),
        "diagnostics": findings["diagnostics"].take(),
        "dry_run": arguments.dry_run,
    })
}
