//! `iamship incoming`

use super::Outcome;
use super::arguments::{Format, Incoming as Arguments};
use super::check::color;
use super::shell::Shell;
use crate::ops::Context;
use crate::ops::incoming::{self, Incoming};
use crate::report::changes::{self, Changes};

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>, shell: &Shell) -> Outcome {
    let found = incoming::incoming(context, &arguments.stage).await?;
    let shown = shown(&found, arguments);
    match shell.format() {
        Format::Json => shell.json(&changes::incoming_json(&shown)),
        Format::Markdown => shell.answer(changes::incoming_markdown(&shown)),
        Format::Html => shell.document(&changes::incoming_html(&shown)),
        _ => shell.answer(changes::incoming_text(&shown, color(shell))),
    }
    Ok(())
}

fn shown<'a>(found: &'a Incoming, arguments: &Arguments) -> changes::Incoming<'a> {
    let all = Changes {
        before: (format!("stage:{}", found.stage), found.current),
        after: (format!("stage:{}", found.from), found.digest),
        changes: found.difference.changes.iter().collect(),
        hidden: 0,
        base: &found.difference.base,
    };
    let held = found.held.iter();
    changes::Incoming {
        stage: found.stage.clone(),
        from: found.from.clone(),
        digest: found.digest,
        version: found.version.clone(),
        remark: found.remark.clone(),
        versions: &found.versions,
        applications: &found.applications,
        held: held
            .map(|(gate, because)| (gate.to_string(), because.clone()))
            .collect(),
        changes: all.at_least(arguments.shown.severity.impact()),
    }
}
