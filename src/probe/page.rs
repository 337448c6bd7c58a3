//! Plain HTTP: a status, fields of a JSON document, an expression that the text must match.

use regex_lite::Regex;

use super::http::{Answer, Question};
use super::{Door, Finding, Miss, Prober};
use crate::profile::{Expected, Probe};

/// How much of a value that differs is shown.
const SHOWN: usize = 80;

/// Asks one of a profile's or a project's probes.
pub async fn look(prober: &Prober, door: &Door, probe: &Probe) -> Finding {
    let found = answers(prober, door, &probe.path, probe.expected()).await;
    Finding::new(&probe.name, found)
}

/// Whether anybody answers at all, whatever it is: for servers that do not tell whether they are up.
///
/// # Errors
/// Nobody does.
pub async fn responds(prober: &Prober, door: &Door) -> Result<String, Miss> {
    let answer = prober.ask(door, Question::get("/"), "any answer").await?;
    Ok(format!("HTTP {}", answer.status))
}

/// Whether a path answers as expected; in words.
///
/// # Errors
/// It does not.
pub async fn answers(prober: &Prober, door: &Door, path: &str, expected: Expected<'_>) -> Result<String, Miss> {
    let status = format!("HTTP {}", expected.status);
    let answer = prober.ask(door, Question::get(path), &status).await?;
    if answer.status != expected.status {
        return Err(answer.miss(prober.told(&answer), &status));
    }
    let mut seen = vec![status];
    fields(prober, &answer, expected, &mut seen)?;
    if let Some(pattern) = expected.matches {
        let wanted = format!("a text that matches `{pattern}`");
        let text = String::from_utf8_lossy(&answer.body);
        if !Regex::new(pattern).is_ok_and(|regex| regex.is_match(&text)) {
            return Err(answer.miss(prober.told(&answer), &wanted));
        }
        seen.push(format!("matches `{pattern}`"));
    }
    Ok(seen.join(", "))
}

fn fields(prober: &Prober, answer: &Answer, expected: Expected<'_>, seen: &mut Vec<String>) -> Result<(), Miss> {
    if expected.json.is_empty() {
        return Ok(());
    }
    let Some(document) = answer.json() else {
        return Err(answer.miss(prober.told(answer), "a JSON document"));
    };
    for (pointer, value) in expected.json {
        let wanted = format!("`{pointer}` = {value}");
        match document.pointer(pointer) {
            Some(found) if same(found, value) => seen.push(wanted),
            Some(found) => {
                let found = prober.line(&found.to_string(), SHOWN);
                return Err(answer.miss(format!("`{pointer}` = {found}"), &wanted));
            }
            None => return Err(answer.miss(format!("a document without `{pointer}`"), &wanted)),
        }
    }
    Ok(())
}

/// 1 and 1.0 are one number.
fn same(found: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    found == wanted || matches!((found.as_f64(), wanted.as_f64()), (Some(a), Some(b)) if a == b)
}
