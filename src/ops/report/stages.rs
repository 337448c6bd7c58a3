//! What `status` found, as the page tells it.

use crate::ops::status::{Approvals, Row, Tested};
use crate::promotion::Agreement;
use crate::report::page::{Running, Stage, Test};

/// One stage.
pub(super) fn stage(row: &Row) -> Stage {
    Stage {
        name: row.name.clone(),
        repository: row.repository.clone(),
        tag: row.tag.to_string(),
        running: row.digest.map(|digest| Running {
            digest: digest.to_string(),
            version: row.version.clone(),
            since: row.moved.as_ref().map(|(at, _)| *at),
            by: row.moved.as_ref().map(|(_, by)| by.clone()),
            signed: row.signed,
            tests: row.tests.iter().map(test).collect(),
        }),
        alarms: alarms(row),
        notes: notes(row),
    }
}

fn test(tested: &Tested) -> Test {
    Test {
        suite: tested.suite.clone(),
        passed: tested.passed,
        at: tested.at,
        stale: tested.stale,
    }
}

/// Each follows the stage's name.
fn alarms(row: &Row) -> Vec<String> {
    let mut alarms = Vec::new();
    match row.agreement {
        Agreement::Unrecorded => alarms.push("was moved by something that left no record".to_owned()),
        Agreement::Broken => alarms.push("has a gap in its history: a record is gone".to_owned()),
        Agreement::Empty | Agreement::Recorded | Agreement::Unfinished => {}
    }
    if row.digest.is_some() && !row.signed {
        alarms.push("runs a version that no trusted key signed".to_owned());
    }
    if row.rejected {
        alarms.push("runs a version that somebody rejected".to_owned());
    }
    if !row.divided.is_empty() {
        alarms.push(format!("runs something else in {}", row.divided.join(", ")));
    }
    alarms
}

fn notes(row: &Row) -> Vec<String> {
    let mut notes = Vec::new();
    if row.agreement == Agreement::Unfinished {
        notes.push("A move is on record and was not finished: the same command again finishes it.".to_owned());
    }
    if row.raced {
        notes.push("Two moves raced, and none has come after.".to_owned());
    }
    if let Some(hold) = &row.hold {
        notes.push(format!(
            "Rolled back by {}: until somebody lifts that hold by name, nothing new comes here.",
            hold.by
        ));
    }
    if let Some(Approvals { stage, given, needed }) = &row.approvals {
        notes.push(format!("{given} of {needed} approvals for {stage} are there."));
    }
    if row.ahead > 0 {
        notes.push("What runs here is not in the stage before.".to_owned());
    }
    notes
}
