//! `enter` and `leave`: what a digest needs before it may come to a stage, and before it may move on.

use super::read::{Table, Value};
use super::test_settings::suite_name;
use super::{EnterRules, LeaveRules, TestSettings};

/// More approvals than this are a mistake.
const MOST_APPROVALS: u32 = 100;

pub(super) fn read_enter(table: &Table<'_>) -> EnterRules {
    let enter = table.table("enter", "`enter`");
    let approvals = enter.get("approvals").and_then(|value| required_approvals(&value));
    enter.finish();
    EnterRules {
        approvals: approvals.unwrap_or_default(),
    }
}

/// No gate counts approvals yet, and a rule that is read and not kept would let through what it should stop.
fn required_approvals(value: &Value<'_>) -> Option<u32> {
    match value.count(MOST_APPROVALS)? {
        0 => Some(0),
        _ => value.refuse(
            "approvals are not supported by this version".to_owned(),
            "leave `approvals` out, and let your pipeline ask before it promotes".to_owned(),
        ),
    }
}

pub(super) fn read_leave(table: &Table<'_>, test: &TestSettings) -> LeaveRules {
    let leave = table.table("leave", "`leave`");
    let tests = leave.get("tests").map(Value::one_or_list);
    let tests = tests.map(|tests| tests.iter().filter_map(suite_name).collect());
    leave.finish();
    LeaveRules {
        tests: tests.unwrap_or_else(|| test.suites.clone()),
    }
}
