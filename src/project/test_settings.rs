//! `[stage.test]`: how a digest is tested in a stage.

use super::quantity::Patience;
use super::read::{Table, Value};
use super::{TestKind, TestSettings};
use crate::diagnostic::{Code, Diagnostic};

/// More suites than this are a mistake.
const MOST_SUITES: usize = 32;

pub(super) fn read(table: &Table<'_>) -> TestSettings {
    let test = table.table("test", "`[stage.test]`");
    let kinds = [("static", TestKind::Static), ("engine", TestKind::Engine)];
    let kind = test
        .get("kind")
        .and_then(|value| value.choice(&kinds))
        .unwrap_or_default();
    let named = test.get("suite");
    let suites = named.map(|value| suites(value, kind)).unwrap_or_default();
    let patience = test.get("timeout").and_then(|value| value.parse::<Patience>());
    test.finish();
    let default = match kind {
        TestKind::Static => "static",
        TestKind::Engine => "boot",
    };
    TestSettings {
        kind,
        suites: if suites.is_empty() {
            vec![default.to_owned()]
        } else {
            suites
        },
        timeout: patience.map(|Patience(duration)| duration),
    }
}

fn suites(value: Value<'_>, kind: TestKind) -> Vec<String> {
    let span = value.span();
    let problems = value.problems();
    let mut names: Vec<String> = Vec::new();
    for item in value.one_or_list() {
        match suite_name(&item) {
            Some(name) if names.contains(&name) => {
                let _: Option<()> = item.refuse(format!("suite `{name}` stands here twice"), None);
            }
            Some(name) => names.push(name),
            None => {}
        }
    }
    let message = match (kind, names.len()) {
        (TestKind::Static, 2..) => "a static test is one suite",
        (_, count) if count > MOST_SUITES => "more suites than anybody needs",
        _ => return names,
    };
    problems.push(Diagnostic::new(Code::ProjectInvalid, message).at(span, ""));
    names
}

pub(super) fn suite_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    match check_suite_name(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => value.refuse(error.to_string(), None),
    }
}

/// Whether a text can name a test suite: up to 64 of `A-Z a-z 0-9 . _ -`.
///
/// # Errors
/// It can't.
pub fn check_suite_name(text: &str) -> Result<(), InvalidSuiteName> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match !text.is_empty() && text.len() <= 64 && text.bytes().all(inner) {
        true => Ok(()),
        false => Err(InvalidSuiteName(text.to_owned())),
    }
}

/// A text that can't name a test suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't name a test suite: up to 64 of `A-Z a-z 0-9 . _ -`")]
pub struct InvalidSuiteName(pub String);
