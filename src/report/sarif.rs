//! SARIF 2.1.0, as code scanning services read it.

use serde_json::{Value, json};

use crate::diagnostic::{Allowed, Code, Diagnostic, Label, Severity, Span};

/// One log with one run. A finding without a place is laid at the project file: services drop results with none.
/// What is allowed is a result that is suppressed (§3.35).
pub fn sarif(diagnostics: &[Diagnostic], allowed: &[Allowed]) -> String {
    let results = diagnostics.iter().map(result).chain(allowed.iter().map(suppressed));
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "iamship",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": Code::ALL.iter().copied().map(rule).collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.summary() },
        "fullDescription": { "text": code.explanation() },
        "help": { "text": code.page(), "markdown": code.page() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(diagnostic: &Diagnostic) -> Value {
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.severity),
        "message": { "text": message(diagnostic) },
        "locations": [diagnostic.labels.first().map_or_else(project_file, location)],
    });
    let related: Vec<_> = diagnostic.labels.iter().skip(1).map(location).collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

fn suppressed(allowed: &Allowed) -> Value {
    let mut result = result(&allowed.diagnostic);
    let kind = if allowed.in_source { "inSource" } else { "external" };
    result["suppressions"] = json!([{
        "kind": kind,
        "justification": allowed.reason,
        "location": place(&allowed.span),
    }]);
    result
}

fn message(diagnostic: &Diagnostic) -> String {
    let helps = diagnostic.help.iter().map(|help| format!("help: {help}"));
    std::iter::once(diagnostic.message.clone())
        .chain(helps)
        .collect::<Vec<_>>()
        .join("\n")
}

fn location(label: &Label) -> Value {
    let mut location = place(&label.span);
    if !label.text.is_empty() {
        location["message"] = json!({ "text": label.text });
    }
    location
}

fn place(span: &Span) -> Value {
    let (start, end) = (span.position(), span.end());
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(span.source.path().as_str()) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
    })
}

fn project_file() -> Value {
    json!({ "physicalLocation": { "artifactLocation": { "uri": "iamship.toml" }, "region": { "startLine": 1 } } })
}

/// A relative reference (RFC 3986 §4.2), or a `file:` URI for an absolute path.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn results_have_rules_levels_and_regions() {
        let log: Value = serde_json::from_str(&sarif(&example::diagnostics(), &example::allowed())).expect("JSON");
        let run = &log["runs"][0];
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(
            run["tool"]["driver"]["rules"].as_array().map(Vec::len),
            Some(Code::ALL.len())
        );
        for result in run["results"].as_array().expect("results") {
            let index = result["ruleIndex"].as_u64().expect("index") as usize;
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
        let first = &run["results"][0];
        assert_eq!(first["level"], "error");
        assert_eq!(
            first["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": {"uri": "env/prod.env"},
                "region": {"startLine": 2, "startColumn": 6, "endLine": 2, "endColumn": 27},
            })
        );
        assert_eq!(first["relatedLocations"][0]["message"]["text"], "compare: 50%, a,b");
        assert_eq!(
            run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "iamship.toml"
        );
        assert_eq!(run["results"][1]["level"], "warning");
        let suppression = &run["results"][3]["suppressions"][0];
        assert_eq!(
            (&suppression["kind"], &suppression["justification"]),
            (&json!("inSource"), &json!("a demo account"))
        );
        assert_eq!(run["results"][0].get("suppressions"), None);
        let rule = &run["tool"]["driver"]["rules"][0];
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .is_some_and(|page| page.starts_with("# project-syntax\n"))
        );
        assert!(
            rule["fullDescription"]["text"]
                .as_str()
                .is_some_and(|text| !text.contains('\n'))
        );
    }

    #[test]
    fn uris_are_percent_encoded() {
        assert_eq!(uri("env/a b:ä%.env"), "env/a%20b%3A%C3%A4%25.env");
        assert_eq!(uri("/tmp/x"), "file:///tmp/x");
    }
}
