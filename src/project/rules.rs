//! `enter` and `leave`: what a digest needs before it may come to a stage, and before it may move on.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::freeze;
use super::quantity::Length;
use super::read::{Table, Value};
use super::test_settings::suite_name;
use super::{EnterRules, EnteringChanges, LeaveRules, Permission, SigningSettings, TestSettings, TrustedKey};
use crate::diagnostic::{Code, Diagnostic, nearest};

/// More approvals than this are a mistake.
const MOST_APPROVALS: u32 = 100;
/// Longer than this is a mistake.
const LONGEST_SOAK: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(super) fn read_enter(table: &Table<'_>, signing: &SigningSettings) -> EnterRules {
    let enter = table.table("enter", "`enter`");
    let approvers = enter
        .get("approvers")
        .map(|value| (value.span(), approvers(value, signing)));
    let named = approvers.as_ref().map(|(_, named)| named.as_slice());
    let approvals = enter
        .get("approvals")
        .and_then(|value| approvals(&value, named, signing));
    if let (Some((span, _)), None) = (&approvers, enter.get("approvals")) {
        let diagnostic = Diagnostic::new(Code::ProjectInvalid, "`approvers` without `approvals`");
        let diagnostic = diagnostic.at(span.clone(), "").help("write `approvals = 1` beside it");
        enter.problems().push(diagnostic);
    }
    let freezes = enter.get("freeze").map(|value| freeze::read(value));
    let changes = enter
        .get("changes")
        .and_then(|value| value.choice(&[("named", EnteringChanges::Named), ("free", EnteringChanges::Free)]));
    enter.finish();
    EnterRules {
        changes: changes.unwrap_or_default(),
        approvals: approvals.unwrap_or_default(),
        approvers: approvers.map(|(_, named)| named),
        freezes: freezes.unwrap_or_default(),
    }
}

/// The paths of trusted keys that may approve.
fn approvers(value: Value<'_>, signing: &SigningSettings) -> Vec<Utf8PathBuf> {
    let mut named: Vec<Utf8PathBuf> = Vec::new();
    for item in value.one_or_list() {
        match approver(&item, signing) {
            Some(key) if named.contains(&key.path) => {
                let _: Option<()> = item.refuse(format!("`{}` stands here twice", key.path), None);
            }
            Some(key) => named.push(key.path.clone()),
            None => {}
        }
    }
    named
}

fn approver<'s>(item: &Value<'_>, signing: &'s SigningSettings) -> Option<&'s TrustedKey> {
    let text = item.text()?;
    let path = text.strip_prefix("file:").unwrap_or(text);
    let path = path.strip_prefix("./").unwrap_or(path);
    let Some(key) = signing.trusted.iter().find(|key| key.path == path) else {
        let paths = signing.trusted.iter().map(|key| key.path.as_str());
        let help = match nearest(path, paths) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name the file of a key in `[signing] trusted`".to_owned(),
        };
        return item.refuse(format!("`{text}` is no key that this project trusts"), help);
    };
    match key.may.contains(&Permission::Approve) {
        true => Some(key),
        false => item.refuse(
            format!("the key `{path}` may not approve"),
            "add \"approve\" to what it may in `[signing] trusted`".to_owned(),
        ),
    }
}

/// How many are asked for: no more than there are keys that could give them.
fn approvals(value: &Value<'_>, named: Option<&[Utf8PathBuf]>, signing: &SigningSettings) -> Option<u32> {
    let count = value.count(MOST_APPROVALS)?;
    let could = could_approve(named, signing);
    if usize::try_from(count).is_ok_and(|count| count <= could) {
        return Some(count);
    }
    let keys = match could {
        0 => "no trusted key".to_owned(),
        1 => "only 1 trusted key".to_owned(),
        more => format!("only {more} trusted keys"),
    };
    value.refuse(
        format!("{keys} could approve what another one built, and {count} approvals are asked for"),
        "add keys to `[signing] trusted`: the key that built a digest does not approve it".to_owned(),
    )
}

/// The most keys that could approve a digest, whoever built it. One key in two files is one.
fn could_approve(named: Option<&[Utf8PathBuf]>, signing: &SigningSettings) -> usize {
    let of = |may: Permission| {
        let keys = signing.trusted.iter().filter(move |key| key.may.contains(&may));
        keys.map(|key| (key.path.as_path(), key.pem.trim()))
    };
    let is_named = |path| named.is_none_or(|named| named.iter().any(|other| other == path));
    let approvers = of(Permission::Approve).filter(|(path, _)| is_named(*path));
    let approvers: BTreeSet<&str> = approvers.map(|(_, pem)| pem).collect();
    let others = of(Permission::Build).map(|(_, builder)| approvers.iter().filter(|key| **key != builder).count());
    others.max().unwrap_or(approvers.len())
}

pub(super) fn read_leave(table: &Table<'_>, test: &TestSettings) -> LeaveRules {
    let leave = table.table("leave", "`leave`");
    let tests = leave.get("tests").map(Value::one_or_list);
    let tests = tests.map(|tests| tests.iter().filter_map(suite_name).collect());
    let soak = leave.get("soak").and_then(|value| soak(&value));
    leave.finish();
    LeaveRules {
        tests: tests.unwrap_or_else(|| test.suites.clone()),
        soak: soak.unwrap_or_default(),
    }
}

fn soak(value: &Value<'_>) -> Option<Duration> {
    let Length(length) = value.parse()?;
    match length <= LONGEST_SOAK {
        true => Some(length),
        false => value.refuse("longer than a year: nothing would ever move on", None),
    }
}
