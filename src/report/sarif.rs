//! SARIF 2.1.0, as code scanning services read it.

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Label, Severity};

/// One log with one run. A finding without a place is laid at the project file: services drop results with none.
pub fn sarif(diagnostics: &[Diagnostic]) -> String {
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
            "results": diagnostics.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.summary() },
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

fn message(diagnostic: &Diagnostic) -> String {
    let helps = diagnostic.help.iter().map(|help| format!("help: {help}"));
    std::iter::once(diagnostic.message.clone())
        .chain(helps)
        .collect::<Vec<_>>()
        .join("\n")
}

fn location(label: &Label) -> Value {
    let (start, end) = (label.span.position(), label.span.end());
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(label.span.source.path().as_str()) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
    });
    if !label.text.is_empty() {
        location["message"] = json!({ "text": label.text });
    }
    location
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
        let log: Value = serde_json::from_str(&sarif(&example::diagnostics())).expect("JSON");
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
    }

    #[test]
    fn uris_are_percent_encoded() {
        assert_eq!(uri("env/a b:ä%.env"), "env/a%20b%3A%C3%A4%25.env");
        assert_eq!(uri("/tmp/x"), "file:///tmp/x");
    }
}
