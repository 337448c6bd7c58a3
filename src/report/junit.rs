//! JUnit reports, as the servers of pipelines read them: findings, and what a test looked at.
//!
//! There is no one standard. What is written here is what GitLab, Jenkins and GitHub's reporters all read: suites of
//! test cases with at most one `failure` each, and counts at every suite.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::diagnostic::{Code, Diagnostic, Severity};

/// Test cases that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JunitSuite {
    /// Its name.
    pub name: String,
    /// In order. A suite without one proves nothing: write one that says why.
    pub cases: Vec<JunitCase>,
    /// What was written beside the results; may be empty.
    pub log: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JunitCase {
    /// What it belongs to: servers show it as a folder.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file and line that it is about.
    pub place: Option<(String, usize)>,
    /// The kind of failure, its first line, and all of it; none: it passed.
    pub failure: Option<JunitFailure>,
    /// What there is to say where it passed; may be empty.
    pub remark: String,
}

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JunitFailure {
    /// A word for the kind: a code.
    pub kind: String,
    /// One sentence.
    pub message: String,
    /// Everything there is to say.
    pub text: String,
}

/// Findings as a report: each rule that found nothing is a case that passed, each finding one of its own. Warnings fail
/// where they count as errors, and are remarks elsewhere.
pub fn junit_findings(diagnostics: &[Diagnostic], deny_warnings: bool) -> String {
    let found: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    let quiet = Code::ALL.iter().filter(|code| !found.contains(code.as_str()));
    let quiet = quiet.map(|code| JunitCase {
        class: "iamship check".to_owned(),
        name: code.as_str().to_owned(),
        ..JunitCase::default()
    });
    let findings = diagnostics.iter().map(|diagnostic| finding(diagnostic, deny_warnings));
    junit(&[JunitSuite {
        name: "iamship check".to_owned(),
        cases: findings.chain(quiet).collect(),
        log: String::new(),
    }])
}

fn finding(diagnostic: &Diagnostic, deny_warnings: bool) -> JunitCase {
    let mut text = String::new();
    for label in &diagnostic.labels {
        let colon = if label.text.is_empty() { "" } else { ": " };
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "{}{colon}{}", label.span, label.text);
    }
    for help in &diagnostic.help {
        let _ = writeln!(text, "help: {help}");
    }
    let place = diagnostic.labels.first().map(|label| {
        let line = label.span.position().line;
        (label.span.source.path().to_string(), line)
    });
    let at = place.as_ref().map(|(file, line)| format!("{file}:{line}: "));
    let whole = format!("{}\n{text}", diagnostic.message);
    let fails = diagnostic.severity == Severity::Error || deny_warnings;
    JunitCase {
        class: format!("iamship check.{}", diagnostic.code),
        name: format!("{}{}", at.unwrap_or_default(), diagnostic.message),
        place,
        remark: if fails {
            String::new()
        } else {
            format!("warning: {whole}")
        },
        failure: fails.then(|| JunitFailure {
            kind: diagnostic.code.as_str().to_owned(),
            message: diagnostic.message.clone(),
            text: whole,
        }),
    }
}

/// The report of some suites.
pub fn junit(suites: &[JunitSuite]) -> String {
    let failures = |suite: &JunitSuite| suite.cases.iter().filter(|case| case.failure.is_some()).count();
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let all: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    let failed: usize = suites.iter().map(failures).sum();
    let _ = writeln!(
        xml,
        "<testsuites name=\"iamship\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">"
    );
    for suite in suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">",
            escaped(&suite.name),
            suite.cases.len(),
            failures(suite)
        );
        for case in &suite.cases {
            write_case(&mut xml, case);
        }
        if !suite.log.is_empty() {
            let _ = writeln!(xml, "    <system-err>{}</system-err>", escaped(&suite.log));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, case: &JunitCase) {
    let (class, name) = (escaped(&case.class), escaped(&case.name));
    let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\"");
    if let Some((file, line)) = &case.place {
        let _ = write!(xml, " file=\"{}\" line=\"{line}\"", escaped(file));
    }
    if case.failure.is_none() && case.remark.is_empty() {
        xml.push_str("/>\n");
        return;
    }
    xml.push_str(">\n");
    if let Some(JunitFailure { kind, message, text }) = &case.failure {
        let (kind, message, text) = (escaped(kind), escaped(message), escaped(text));
        let _ = writeln!(
            xml,
            "      <failure type=\"{kind}\" message=\"{message}\">{text}</failure>"
        );
    }
    if !case.remark.is_empty() {
        let _ = writeln!(xml, "      <system-out>{}</system-out>", escaped(&case.remark));
    }
    xml.push_str("    </testcase>\n");
}

/// A text that XML can hold, in an attribute or an element: what it can't hold at all (control characters) is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // An attribute would have a space in their place.
            '\n' | '\r' | '\t' => {
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;
    use crate::report::example;

    #[test]
    fn each_finding_is_a_case_and_so_is_each_rule_that_found_nothing() {
        let diagnostics = example::diagnostics();
        let report = junit_findings(&diagnostics, false);
        let document = Document::parse(&report).unwrap();
        let cases: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("testcase"))
            .collect();
        assert_eq!(cases.len(), Code::ALL.len());
        let suite = document
            .descendants()
            .find(|node| node.has_tag_name("testsuite"))
            .unwrap();
        assert_eq!(suite.attribute("tests"), Some(cases.len().to_string().as_str()));
        assert_eq!(suite.attribute("failures"), Some("2"));
        let first = cases[0];
        assert_eq!(first.attribute("classname"), Some("iamship check.stage-host"));
        assert_eq!(
            first.attribute("name"),
            Some("env/prod.env:2: `BASE` of `prod` names another host")
        );
        assert_eq!(
            (first.attribute("file"), first.attribute("line")),
            (Some("env/prod.env"), Some("2"))
        );
        let failure = first.first_element_child().unwrap();
        assert_eq!(failure.attribute("type"), Some("stage-host"));
        assert_eq!(
            failure.text(),
            Some(
                "`BASE` of `prod` names another host\nenv/prod.env:2:6: the address\nenv/prod.env:1:1: compare: 50%, a,b\n\
                 help: change it\nnow\nhelp: or run `iamship check`\n"
            )
        );
        let warning = cases[1].first_element_child().unwrap();
        assert!(warning.has_tag_name("system-out"), "a warning is no failure");
        let denied = junit_findings(&diagnostics, true);
        assert!(denied.contains("failures=\"3\""), "{denied}");
        let quiet = junit_findings(&[], true);
        assert!(
            quiet.contains("failures=\"0\"") && quiet.contains("name=\"stage-host\"/>"),
            "{quiet}"
        );
    }

    #[test]
    fn nothing_breaks_out_of_the_report() {
        let hostile = "a\"b<c>&d'\n\u{1b}[31m\0]]>\u{ffff}\t";
        let report = junit(&[JunitSuite {
            name: hostile.to_owned(),
            cases: vec![JunitCase {
                class: hostile.to_owned(),
                name: hostile.to_owned(),
                place: Some((hostile.to_owned(), 7)),
                failure: Some(JunitFailure {
                    kind: hostile.to_owned(),
                    message: hostile.to_owned(),
                    text: hostile.to_owned(),
                }),
                remark: hostile.to_owned(),
            }],
            log: hostile.to_owned(),
        }]);
        let document = Document::parse(&report).unwrap();
        let kept = "a\"b<c>&d'\n\u{fffd}[31m\u{fffd}]]>\u{fffd}\t";
        let mut texts = 0;
        for node in document.descendants() {
            for name in ["name", "classname", "file", "type", "message"] {
                if let Some(value) = node.attribute(name).filter(|value| *value != "iamship") {
                    assert_eq!(value, kept, "{name}");
                    texts += 1;
                }
            }
            if ["failure", "system-out", "system-err"]
                .iter()
                .any(|name| node.has_tag_name(*name))
            {
                assert_eq!(node.text(), Some(kept));
                texts += 1;
            }
        }
        assert_eq!(texts, 9);
    }
}
