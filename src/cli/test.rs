//! `iamship test`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Format, Test};
use super::connect::yes_or_no;
use super::shell::{Paint, Shell};
use crate::attest::predicate::{CheckOutcome, Outcome as Ended};
use crate::image::Digest;
use crate::ops::Context;
use crate::ops::test::{self, Report};

pub(super) async fn run(arguments: &Test, context: &Context<'_>, shell: &Shell) -> Outcome {
    let report = test::run(context, &arguments.stage, arguments.digest.as_deref()).await?;
    let record = if arguments.dry_run {
        None
    } else {
        Some(test::record(context, &arguments.stage, &report).await?)
    };
    tell("iamship.test/v1", &arguments.stage, &report, record, shell)
}

/// The answer of `test` and of `attest tested`.
pub(super) fn tell(schema: &str, stage: &str, report: &Report, record: Option<Digest>, shell: &Shell) -> Outcome {
    let result = if report.passed() { "passed" } else { "failed" };
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": schema,
            "stage": stage,
            "digest": report.digest,
            "suite": report.suite,
            "result": result,
            "checks": report.checks.iter().map(document).collect::<Vec<_>>(),
            "url": report.url,
            "record": record,
        }));
        return yes_or_no(report.passed());
    }
    let paint = if report.passed() { Paint::Good } else { Paint::Bad };
    shell.answer(format!(
        "{}  {} of {} in `{stage}`",
        shell.paint(result, paint),
        report.suite,
        report.digest
    ));
    for check in &report.checks {
        let good = check.result != Ended::Failed;
        let mark = if good {
            shell.paint("ok", Paint::Good)
        } else {
            shell.paint("FAILED", Paint::Bad)
        };
        let detail = check.detail.as_deref().unwrap_or_default();
        shell.answer(format!(
            "  {mark}  {}  {}",
            check.name,
            shell.paint(detail, if good { Paint::Faint } else { Paint::Strong })
        ));
    }
    match record {
        Some(record) => shell.note(format!("recorded as {record}")),
        None => shell.note("not recorded"),
    }
    yes_or_no(report.passed())
}

fn document(check: &CheckOutcome) -> Value {
    json!({
        "name": check.name,
        "result": if check.result == Ended::Failed { "failed" } else { "passed" },
        "detail": check.detail,
    })
}
