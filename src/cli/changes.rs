//! A change that a promotion must be told of, as text and as JSON. Never a secret's value.

use serde_json::{Value, json};

use crate::bundle::Change;
use crate::ops::promote::NamedChange;

/// Values longer than this are cut in text.
const LONGEST: usize = 80;

/// One line: what happened to what, how grave it is, and what it was and is.
pub(super) fn line(change: &Change) -> String {
    let mut line = format!(
        "{}  {}  {}  {}",
        change.kind.as_str(),
        change.subject,
        change.severity.as_str(),
        change.path
    );
    let cut = |value: &str| match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    };
    match (&change.before, &change.after) {
        _ if change.secret => line.push_str("  (secret)"),
        (Some(before), Some(after)) => line.push_str(&format!("  {} → {}", cut(before), cut(after))),
        (Some(value), None) | (None, Some(value)) => line.push_str(&format!("  {}", cut(value))),
        (None, None) => {}
    }
    if let Some(because) = &change.because {
        line.push_str(&format!("  ({because})"));
    }
    line
}

/// In JSON, as `diff` writes it, with who named it.
pub(super) fn document(named: &NamedChange) -> Value {
    let change = &named.change;
    let shown = |value: &Option<String>| value.clone().filter(|_| !change.secret);
    json!({
        "kind": change.kind.as_str(),
        "subject": change.subject.to_string(),
        "argument": change.subject.argument(),
        "path": change.path,
        "severity": change.severity.as_str(),
        "because": change.because,
        "before": shown(&change.before),
        "after": shown(&change.after),
        "secret": change.secret,
        "named": named.name,
        "approved_by": named.approved_by.as_ref().map(|(signer, _)| signer),
        "approval": named.approved_by.as_ref().map(|(_, record)| record),
    })
}
