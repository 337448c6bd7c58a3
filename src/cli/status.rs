//! `iamship status`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::Format;
use super::shell::{Paint, Shell};
use super::table::Table;
use crate::ops::Context;
use crate::ops::status::{self, Approvals, Row, Tested};
use crate::promotion::Agreement;

pub(super) async fn run(context: &Context<'_>, shell: &Shell) -> Outcome {
    let rows = status::status(context).await?;
    if shell.format() == Format::Json {
        let stages: Vec<_> = rows.iter().map(document).collect();
        shell.json(&json!({ "schema": "iamship.status/v1", "stages": stages }));
        return Ok(());
    }
    let mut table = Table::new([
        "STAGE",
        "VERSION",
        "DIGEST",
        "TESTED",
        "SIGNED",
        "SINCE (UTC)",
        "BY",
        "NOTE",
    ]);
    for row in &rows {
        table.row([
            shell.paint(&row.name, Paint::Strong),
            row.version.clone().unwrap_or_else(|| "-".to_owned()),
            row.digest.map_or_else(|| "-".to_owned(), |digest| digest.short()),
            tests(row, shell),
            match (row.digest, row.signed) {
                (None, _) => "-".to_owned(),
                (Some(_), true) => shell.paint("yes", Paint::Good),
                (Some(_), false) => shell.paint("NO", Paint::Bad),
            },
            row.moved
                .as_ref()
                .map_or_else(|| "-".to_owned(), |(at, _)| at.strftime("%Y-%m-%d %H:%M").to_string()),
            row.moved.as_ref().map_or_else(|| "-".to_owned(), |(_, by)| by.clone()),
            notes(row, shell),
        ]);
    }
    shell.answer(table.to_string());
    Ok(())
}

fn tests(row: &Row, shell: &Shell) -> String {
    match (row.digest, row.tests.as_slice()) {
        (None, _) => "-".to_owned(),
        (Some(_), []) => shell.paint("no", Paint::Faint),
        (Some(_), tests) => {
            let each: Vec<_> = tests.iter().map(|test| tested(test, shell)).collect();
            each.join(", ")
        }
    }
}

fn tested(test: &Tested, shell: &Shell) -> String {
    match (test.passed, test.stale) {
        (false, _) => shell.paint(format!("{} FAILED", test.suite), Paint::Bad),
        (true, Some(true)) => shell.paint(format!("{} stale", test.suite), Paint::Warning),
        (true, Some(false)) => shell.paint(format!("{} passed", test.suite), Paint::Good),
        (true, None) => format!("{} passed, values unknown", test.suite),
    }
}

fn notes(row: &Row, shell: &Shell) -> String {
    let mut notes = Vec::new();
    match row.agreement {
        Agreement::Unrecorded => notes.push(shell.paint("moved without a record", Paint::Bad)),
        Agreement::Broken => notes.push(shell.paint("a record is gone", Paint::Bad)),
        Agreement::Unfinished => notes.push(shell.paint("a move was not finished: run it again", Paint::Warning)),
        Agreement::Empty | Agreement::Recorded => {}
    }
    if row.raced {
        notes.push(shell.paint("two moves raced", Paint::Warning));
    }
    if !row.divided.is_empty() {
        notes.push(shell.paint(format!("other in {}", row.divided.join(", ")), Paint::Bad));
    }
    if row.rejected {
        notes.push(shell.paint("REJECTED", Paint::Bad));
    }
    if let Some(hold) = &row.hold {
        let from = hold.replaces.map(|digest| digest.short()).unwrap_or_default();
        notes.push(shell.paint(format!("held: rolled back from {from}"), Paint::Warning));
    }
    if let Some(Approvals { stage, given, needed }) = &row.approvals {
        notes.push(format!("{given} of {needed} approvals for {stage}"));
    }
    if row.behind > 0 {
        notes.push(format!("{} behind", row.behind));
    }
    if row.ahead > 0 {
        notes.push(shell.paint("not in the stage before", Paint::Warning));
    }
    notes.join("; ")
}

/// The suite that holds a promotion back, where one does: a failed one, else one whose values have changed, else the
/// newest.
fn worst(tests: &[Tested]) -> Option<&Tested> {
    tests
        .iter()
        .max_by_key(|test| (!test.passed, test.stale == Some(true), test.at))
}

fn document(row: &Row) -> Value {
    let test = |test: &Tested| {
        json!({
            "suite": test.suite,
            "result": if test.passed { "passed" } else { "failed" },
            "at": test.at,
            "stale": test.stale,
        })
    };
    json!({
        "name": row.name,
        "repository": row.repository,
        "tag": row.tag.as_str(),
        "digest": row.digest,
        "version": row.version,
        "tested": worst(&row.tests).map(test),
        "tests": row.tests.iter().map(test).collect::<Vec<_>>(),
        "signed": row.signed,
        "recorded": matches!(row.agreement, Agreement::Recorded | Agreement::Empty),
        "unfinished": row.agreement == Agreement::Unfinished,
        "raced": row.raced,
        "moved_at": row.moved.as_ref().map(|(at, _)| at),
        "moved_by": row.moved.as_ref().map(|(_, by)| by),
        "held": row.hold.as_ref().map(|hold| json!({
            "record": hold.record,
            "digest": hold.replaces,
            "at": hold.at,
            "by": hold.by,
        })),
        "rejected": row.rejected,
        "approvals": row.approvals.as_ref().map(|approvals| json!({
            "stage": approvals.stage,
            "given": approvals.given,
            "needed": approvals.needed,
        })),
        "divided": row.divided,
        "ahead": row.ahead,
        "behind": row.behind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tests: &[(&str, bool, Option<bool>)]) -> Option<String> {
        let each = tests.iter().zip(1..).map(|((suite, passed, stale), second)| Tested {
            suite: (*suite).to_owned(),
            passed: *passed,
            at: jiff::Timestamp::from_second(second).unwrap(),
            stale: *stale,
        });
        worst(&each.collect::<Vec<_>>()).map(|test| test.suite.clone())
    }

    #[test]
    fn the_worst_suite_is_told_then_the_newest() {
        let (failed, stale) = (("failed", false, Some(false)), ("stale", true, Some(true)));
        let (old, new) = (("old", true, Some(false)), ("new", true, None));
        assert_eq!(told(&[failed, stale, old, new]).as_deref(), Some("failed"));
        assert_eq!(told(&[stale, old, new]).as_deref(), Some("stale"));
        assert_eq!(told(&[old, new]).as_deref(), Some("new"));
        assert_eq!(told(&[]), None);
    }
}
