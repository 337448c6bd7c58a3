//! `iamship check`

use super::Outcome;
use super::arguments::{Check, Format};
use super::connect::yes_no_or_unanswered;
use super::shell::{Paint, Shell};
use crate::checks::Findings;
use crate::diagnostic::{Allowed, Diagnostic};
use crate::ops::Context;
use crate::ops::check::{self, Scope};
use crate::report::{self, Color, Counts};

pub(super) async fn run(arguments: &Check, context: &Context<'_>, shell: &Shell) -> Outcome {
    let Findings { diagnostics, allowed } = check::check(context, scope(arguments)).await?;
    document(&diagnostics, &allowed, arguments, shell);
    if shell.format() == Format::Text {
        text(&diagnostics, allowed.len(), shell);
    }
    let counts = Counts::of(&diagnostics);
    let yes = counts.errors == 0 && (counts.warnings == 0 || !arguments.deny_warnings);
    yes_no_or_unanswered(yes, check::world_failed(&diagnostics))
}

/// The findings as other programs read them; also those that leave no project to check.
pub(super) fn document(diagnostics: &[Diagnostic], allowed: &[Allowed], arguments: &Check, shell: &Shell) {
    match shell.format() {
        Format::Json => shell.answer(report::json(diagnostics, allowed)),
        Format::Sarif => shell.answer(report::sarif(diagnostics, allowed)),
        Format::Github if diagnostics.is_empty() => {}
        Format::Github => shell.answer(report::github(diagnostics)),
        Format::Junit => shell.answer(report::junit_findings(diagnostics, arguments.deny_warnings)),
        Format::Text | Format::Markdown | Format::Html => {}
    }
}

fn scope(arguments: &Check) -> Scope<'_> {
    match (arguments.no_stage, arguments.stages.as_slice()) {
        (true, _) => Scope::NoStage,
        (false, []) => Scope::AllStages,
        (false, names) => Scope::Stages(names),
    }
}

fn text(diagnostics: &[Diagnostic], allowed: usize, shell: &Shell) {
    if !diagnostics.is_empty() {
        shell.aside(format!("{}\n", report::text(diagnostics, color(shell)).trim_end()));
    }
    explain(diagnostics, shell);
    let counts = Counts::of(diagnostics);
    let allowed = match allowed {
        0 => String::new(),
        count => format!("; {count} allowed"),
    };
    let summary = report::summary(diagnostics) + &allowed;
    shell.answer(if counts.errors > 0 {
        shell.paint(summary, Paint::Bad)
    } else if counts.warnings > 0 {
        shell.paint(summary, Paint::Warning)
    } else {
        shell.paint(format!("no problems found{allowed}"), Paint::Good)
    });
}

/// Says once where the pages are, as compilers do.
pub(super) fn explain(diagnostics: &[Diagnostic], shell: &Shell) {
    if let Some(first) = diagnostics.first() {
        shell.note(format!("`iamship rule {}` tells more; so for every code", first.code));
    }
}

/// As the renderer of diagnostics wants it.
pub(super) fn color(shell: &Shell) -> Color {
    if shell.is_colored() {
        Color::Always
    } else {
        Color::Never
    }
}
