//! The JSON document of `iamship check` (`iamship.check/v1`).

use serde_json::{Value, json};

use super::Counts;
use crate::diagnostic::{Allowed, Diagnostic, Span};

/// The document as text, indented, with a line break at its end: that of [`json_value`], with `allowed[]`, which are
/// like `diagnostics[]` with a `reason`, and `said {file, line, column, text}`.
pub fn json(diagnostics: &[Diagnostic], allowed: &[Allowed]) -> String {
    let mut document = json_value(diagnostics);
    document["allowed"] = allowed.iter().map(allowance).collect();
    format!("{document:#}\n")
}

fn allowance(allowed: &Allowed) -> Value {
    let mut document = finding(&allowed.diagnostic);
    document["reason"] = allowed.reason.as_str().into();
    document["said"] = place(&allowed.span, "");
    document
}

/// The document: `diagnostics[] {code, severity, message, help[], labels[] {file, line, column, text}, stages[]}`,
/// `errors`, `warnings`.
pub fn json_value(diagnostics: &[Diagnostic]) -> Value {
    let Counts { errors, warnings } = Counts::of(diagnostics);
    json!({
        "schema": "iamship.check/v1",
        "diagnostics": diagnostics.iter().map(finding).collect::<Vec<_>>(),
        "errors": errors,
        "warnings": warnings,
    })
}

fn finding(diagnostic: &Diagnostic) -> Value {
    json!({
        "code": diagnostic.code.as_str(),
        "severity": diagnostic.severity.as_str(),
        "message": diagnostic.message,
        "help": diagnostic.help,
        "labels": diagnostic.labels.iter().map(|label| place(&label.span, &label.text)).collect::<Vec<_>>(),
        "stages": diagnostic.stage_names(),
    })
}

fn place(span: &Span, text: &str) -> Value {
    let position = span.position();
    json!({
        "file": span.source.path().as_str(),
        "line": position.line,
        "column": position.column,
        "text": text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn has_the_documented_shape() {
        let document: Value = serde_json::from_str(&json(&example::diagnostics(), &example::allowed())).expect("JSON");
        assert_eq!(document["schema"], "iamship.check/v1");
        assert_eq!((&document["errors"], &document["warnings"]), (&2.into(), &1.into()));
        assert_eq!(
            document["diagnostics"][0],
            json!({
                "code": "stage-host",
                "severity": "error",
                "message": "`BASE` of `prod` names another host",
                "help": ["change it\nnow", "or run `iamship check`"],
                "labels": [
                    {"file": "env/prod.env", "line": 2, "column": 6, "text": "the address"},
                    {"file": "env/prod.env", "line": 1, "column": 1, "text": "compare: 50%, a,b"},
                ],
                "stages": ["prod"],
            })
        );
        let allowed = &document["allowed"][0];
        assert_eq!(allowed["code"], "secret-literal");
        assert_eq!(allowed["reason"], "a demo account");
        assert_eq!(
            allowed["said"],
            json!({"file": "env/prod.env", "line": 1, "column": 1, "text": ""})
        );
        assert_eq!(document["diagnostics"][1]["labels"], json!([]));
    }
}
