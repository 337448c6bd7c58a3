//! The JSON document of `iamship check` (`iamship.check/v1`).

use serde_json::{Value, json};

use super::Counts;
use crate::diagnostic::{Diagnostic, Label};

/// The document as text, indented, with a line break at its end.
pub fn json(diagnostics: &[Diagnostic]) -> String {
    format!("{:#}\n", json_value(diagnostics))
}

/// The document: `diagnostics[] {code, severity, message, help[], labels[] {file, line, column, text}}`, `errors`,
/// `warnings`.
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
        "labels": diagnostic.labels.iter().map(place).collect::<Vec<_>>(),
    })
}

fn place(label: &Label) -> Value {
    let position = label.span.position();
    json!({
        "file": label.span.source.path().as_str(),
        "line": position.line,
        "column": position.column,
        "text": label.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn has_the_documented_shape() {
        let document: Value = serde_json::from_str(&json(&example::diagnostics())).expect("JSON");
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
            })
        );
        assert_eq!(document["diagnostics"][1]["labels"], json!([]));
    }
}
