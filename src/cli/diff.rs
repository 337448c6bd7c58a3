//! `iamship diff`

use super::Outcome;
use super::arguments::{Diff, Format};
use super::check::color;
use super::connect::yes_or_no;
use super::shell::Shell;
use crate::ops::Context;
use crate::ops::diff::{self, Compared, Known, Wish};
use crate::report::changes::{self, Changes};

pub(super) async fn run(arguments: &Diff, context: &Context<'_>, shell: &Shell) -> Outcome {
    let (before, after) = (arguments.before.as_deref(), arguments.after.as_deref());
    let wish = Wish::of(context, before, after, arguments.values.as_deref())?;
    let compared = diff::compare(context, &wish).await?;
    let changes = shown(&compared).at_least(arguments.shown.severity.impact());
    match shell.format() {
        Format::Json => shell.json(&changes::diff_json(&changes)),
        Format::Markdown => shell.answer(changes::markdown(&changes)),
        Format::Html => shell.document(&changes::html(&changes)),
        _ => shell.answer(changes::changes_text(&changes, color(shell))),
    }
    yes_or_no(arguments.exit_zero || !changes.differs())
}

fn shown(compared: &Compared) -> Changes<'_> {
    let side = |known: &Known| (known.name.to_string(), known.digest);
    Changes {
        before: side(&compared.before),
        after: side(&compared.after),
        changes: compared.difference.changes.iter().collect(),
        hidden: 0,
        base: &compared.difference.base,
    }
}
