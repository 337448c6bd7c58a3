//! JUnit reports of suites that ran elsewhere.

use roxmltree::{Document, Node, ParsingOptions};

/// The most tests that are named in a statement; the counts are always whole.
const MAX_NAMED: usize = 500;

/// The most characters of a name: the statement of a thousand tests fits a record.
const MAX_NAME: usize = 200;

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Names of tests that passed (at most 500).
    pub(crate) passed: Vec<String>,
    /// Names of tests that failed or broke (at most 500).
    pub(crate) failed: Vec<String>,
    /// Whole numbers.
    pub(crate) counts: Counts,
}

/// How many tests there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// Reads a JUnit report: `<testsuites>` or `<testsuite>` with `<testcase>`s at any depth.
///
/// A report without any test is an error: it proves nothing, and a runner that found no test must
/// not look like one that passed. So is one whose suites count failures that no test case has.
pub(crate) fn read(text: &str) -> Result<Report, String> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: 4_000_000,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    let root = document.root_element();
    if !matches!(root.tag_name().name(), "testsuites" | "testsuite") {
        return Err(format!(
            "the root element is `{}`, not `testsuites`",
            root.tag_name().name()
        ));
    }
    let mut report = Report::default();
    for case in root.descendants().filter(|node| node.has_tag_name("testcase")) {
        report.add(case);
    }
    let counted = claimed_failures(root);
    if report.counts.failed == 0 && counted > 0 {
        return Err(format!("a suite counts {counted} failures that no test case shows"));
    }
    if report.counts.passed + report.counts.failed == 0 {
        return Err("it has no test that ran".to_owned());
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, case: Node<'_, '_>) {
        let name = match (case.attribute("classname"), case.attribute("name")) {
            (Some(class), Some(name)) => format!("{class}.{name}"),
            (_, name) => name.unwrap_or("(no name)").to_owned(),
        };
        let has = |tag: &str| case.children().any(|child| child.has_tag_name(tag));
        if has("failure") || has("error") {
            self.counts.failed += 1;
            push_bounded(&mut self.failed, name);
        } else if has("skipped") {
            self.counts.skipped += 1;
        } else {
            self.counts.passed += 1;
            push_bounded(&mut self.passed, name);
        }
    }
}

fn push_bounded(names: &mut Vec<String>, name: String) {
    if names.len() < MAX_NAMED {
        names.push(name.chars().take(MAX_NAME).collect());
    }
}

/// Failures and errors that the suites' own attributes count.
fn claimed_failures(root: Node<'_, '_>) -> u64 {
    root.descendants()
        .filter(|node| matches!(node.tag_name().name(), "testsuites" | "testsuite"))
        .flat_map(|suite| [suite.attribute("failures"), suite.attribute("errors")])
        .flatten()
        .filter_map(|text| text.parse::<u64>().ok())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_names() {
        let report = read(
            r#"<testsuites><testsuite name="s" failures="1"><testcase classname="a" name="x"/>
            <testcase name="y"><failure>no</failure></testcase><testcase name="z"><skipped/></testcase></testsuite></testsuites>"#,
        )
        .expect("valid");
        assert_eq!(report.passed, ["a.x"]);
        assert_eq!(report.failed, ["y"]);
        assert_eq!(
            report.counts,
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
    }

    #[test]
    fn refuses_what_proves_nothing() {
        for text in [
            "<testsuites/>",
            "<testsuite><testcase name='a'><skipped/></testcase></testsuite>",
            "<testsuite failures='2'><testcase name='a'/></testsuite>",
            "<html/>",
            "not xml",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite><testcase name='&a;'/></testsuite>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
