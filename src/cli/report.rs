//! `iamship report`

use camino::Utf8Path;
use serde_json::json;

use super::Outcome;
use super::arguments::{Format, Report};
use super::connect::yes_no_or_unanswered;
use super::failure::Failure;
use super::shell::Shell;
use crate::ops::Context;
use crate::ops::report;

/// The name that means stdout.
const STDOUT: &str = "-";

pub(super) async fn run(arguments: &Report, context: &Context<'_>, shell: &Shell) -> Outcome {
    let is_stdout = arguments.out == STDOUT;
    if is_stdout && shell.format() == Format::Json {
        return Err(Failure::input("`--out -` and `--format json` both want stdout")
            .help("name a file: `iamship report --out iamship-report.html --format json`"));
    }
    let found = report::report(context).await?;
    let html = found
        .page
        .html()
        .map_err(|error| Failure::world(format!("the page can't be made: {error}")))?;
    let file = match is_stdout {
        true => None,
        false => Some(context.project.root.join(&arguments.out)),
    };
    match &file {
        None if !arguments.dry_run => shell.document(&html),
        Some(file) if !arguments.dry_run => report::write(file, html.as_bytes())?,
        _ => {}
    }
    let gaps = found.page.gaps();
    tell(arguments, &html, gaps.len(), shell);
    for (what, why) in &gaps {
        shell.warn(format!("the page is not whole: {what}: {why}"));
    }
    yes_no_or_unanswered(gaps.is_empty(), found.world_failed)
}

fn tell(arguments: &Report, html: &str, gaps: usize, shell: &Shell) {
    let (out, is_dry) = (Utf8Path::new(&arguments.out), arguments.dry_run);
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.report/v1",
            "file": out,
            "bytes": html.len(),
            "whole": gaps == 0,
            "dry_run": is_dry,
        }));
        return;
    }
    let kilobytes = html.len().div_ceil(1024);
    match (out.as_str(), is_dry) {
        (STDOUT, false) => {}
        (STDOUT, true) => shell.note(format!("would write a page of {kilobytes} KiB to stdout")),
        (_, true) => shell.answer(format!("would write {out} ({kilobytes} KiB)")),
        (_, false) => shell.answer(out),
    }
}
