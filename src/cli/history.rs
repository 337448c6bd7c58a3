//! `iamship history`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Format, History};
use super::shell::{Paint, Shell};
use super::table::Table;
use crate::attest::predicate::AllowedChange;
use crate::ops::{Context, status};
use crate::promotion::Move;

pub(super) async fn run(arguments: &History, context: &Context<'_>, shell: &Shell) -> Outcome {
    let state = status::history(context, &arguments.stage, arguments.limit).await?;
    for ignored in &state.ignored {
        shell.warn(ignored);
    }
    if shell.format() == Format::Json {
        let entries: Vec<_> = state.moves.iter().map(document).collect();
        shell.json(&json!({ "schema": "iamship.history/v1", "stage": arguments.stage, "entries": entries }));
        return Ok(());
    }
    if state.moves.is_empty() {
        shell.answer(format!("nothing is on record for `{}`", arguments.stage));
        return Ok(());
    }
    let head = ["AT (UTC)", "HOW", "VERSION", "DIGEST", "FROM", "BY", "TAG"];
    let has_notes = state.moves.iter().any(|entry| !note(entry).is_empty());
    let mut table = Table::new(head.into_iter().chain(has_notes.then_some("NOTE")));
    for (index, entry) in state.moves.iter().enumerate() {
        let digest = entry.digest.short();
        let row = [
            entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            entry.kind.as_str().to_owned(),
            entry.version.clone(),
            if index == 0 && state.current == Some(entry.digest) {
                shell.paint(digest, Paint::Good)
            } else {
                digest
            },
            entry.from.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            entry.by.clone(),
            entry.tag.to_string(),
        ];
        table.row(row.into_iter().chain(has_notes.then(|| note(entry))));
    }
    shell.answer(table.to_string());
    Ok(())
}

/// What somebody had to say so that it went on.
fn note(entry: &Move) -> String {
    let hold = entry
        .cleared_hold
        .map(|record| format!("cleared the hold {}", record.short()));
    let freeze = entry.overridden_freeze.as_ref();
    let freeze = freeze.map(|reason| format!("overrode a freeze: {reason}"));
    let allowed: Vec<_> = entry.allowed_changes.iter().map(allowed).collect();
    let allowed = (!allowed.is_empty()).then(|| format!("allowed {}", allowed.join(", ")));
    hold.into_iter()
        .chain(freeze)
        .chain(allowed)
        .collect::<Vec<_>>()
        .join("; ")
}

/// What was named, and by whom where that was not who moved it.
fn allowed(allowed: &AllowedChange) -> String {
    match &allowed.approved_by {
        Some(signer) => format!("{} (approved by {signer})", allowed.name),
        None => allowed.name.clone(),
    }
}

fn document(entry: &Move) -> Value {
    json!({
        "digest": entry.digest,
        "version": entry.version,
        "from": entry.from.as_ref().map(ToString::to_string),
        "at": entry.at,
        "by": entry.by,
        "kind": entry.kind.as_str(),
        "tag": entry.tag.as_str(),
        "replaces": entry.replaces,
        "signer": entry.signer,
        "record": entry.record,
        "previous": entry.previous,
        "cleared_hold": entry.cleared_hold,
        "overridden_freeze": entry.overridden_freeze,
        "allowed_changes": entry.allowed_changes.iter().map(|allowed| json!({
            "name": allowed.name,
            "changes": allowed.changes,
            "approval": allowed.approval,
            "approved_by": allowed.approved_by,
        })).collect::<Vec<_>>(),
    })
}
