//! `iamship test`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Format, Test};
use super::connect::yes_or_no;
use super::shell::{Paint, Shell};
use crate::attest::predicate::Outcome as Ended;
use crate::image::Digest;
use crate::ops::Context;
use crate::ops::test::{self, Check, Report, SuiteReport, Tail, Wish};
use crate::report::{JunitCase, JunitFailure, JunitSuite, junit};

pub(super) async fn run(arguments: &Test, context: &Context<'_>, shell: &Shell) -> Outcome {
    let wish = Wish {
        digest: arguments.digest.clone(),
        suites: arguments.suites.clone(),
        is_recorded: !arguments.dry_run,
    };
    let report = test::run(context, &arguments.stage, &wish).await?;
    let record = if arguments.dry_run {
        None
    } else {
        Some(test::record(context, &arguments.stage, &report).await?)
    };
    tell("iamship.test/v1", &arguments.stage, &report, record, shell)
}

/// The answer of `test` and of `attest tested`.
pub(super) fn tell(schema: &str, stage: &str, report: &Report, record: Option<Digest>, shell: &Shell) -> Outcome {
    if shell.format() == Format::Json {
        shell.json(&document(schema, stage, report, record));
        return yes_or_no(report.passed());
    }
    if shell.format() == Format::Junit {
        shell.answer(junit(&suites(stage, report)));
        return yes_or_no(report.passed());
    }
    shell.answer(format!(
        "{}  {} of {} in `{stage}`",
        shell.paint(word(report.passed()), paint(report.passed())),
        headline(report),
        report.digest
    ));
    let several = report.suites.len() > 1;
    let common = report.suites.iter().take(1).flat_map(|suite| &suite.checks);
    for check in common.filter(|check| check.is_common) {
        line(check, "  ", shell);
    }
    for suite in &report.suites {
        let own: Vec<_> = suite.checks.iter().filter(|check| !check.is_common).collect();
        if several && !own.is_empty() {
            shell.answer(format!(
                "  {}  {}",
                shell.paint(self::word(suite.passed()), paint(suite.passed())),
                suite.name
            ));
        }
        for check in own {
            line(check, if several { "    " } else { "  " }, shell);
        }
    }
    tell_tails(&report.tails, shell);
    match record {
        Some(record) => shell.note(format!("recorded as {record}")),
        None => shell.note("not recorded"),
    }
    if !report.passed() && schema == "iamship.test/v1" {
        shell.help(format!(
            "mend it, then `iamship build`, or test again: iamship test {stage} --digest {}",
            report.digest
        ));
    }
    yes_or_no(report.passed())
}

/// The suites; where some failed, those, and the others behind them.
fn headline(report: &Report) -> String {
    let names = |passed: bool| {
        let suites = report.suites.iter().filter(|suite| suite.passed() == passed);
        suites.map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match (names(false), names(true)) {
        (failed, passed) if !failed.is_empty() && !passed.is_empty() => format!("{failed} (not {passed})"),
        (failed, passed) => failed + &passed,
    }
}

/// What was written last, beside the answer.
pub(super) fn tell_tails(tails: &[Tail], shell: &Shell) {
    for tail in tails {
        shell.aside(format!("\nthe last lines of {}:", tail.of));
        for line in &tail.lines {
            shell.aside(format!("  {line}"));
        }
        if tail.lines.is_empty() {
            shell.aside("  (it wrote nothing)");
        }
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "failed" }
}

fn paint(passed: bool) -> Paint {
    if passed { Paint::Good } else { Paint::Bad }
}

pub(super) fn line(check: &Check, indent: &str, shell: &Shell) {
    let (mark, shade) = match check.result {
        Ended::Passed => (shell.paint("ok", Paint::Good), Paint::Faint),
        Ended::Warned => (shell.paint("ok?", Paint::Warning), Paint::Faint),
        Ended::Failed => (shell.paint("FAILED", Paint::Bad), Paint::Strong),
    };
    let Some(miss) = &check.miss else {
        let detail = check.detail.as_deref().unwrap_or_default();
        shell.answer(format!(
            "{indent}{mark}  {}  {}",
            check.name,
            shell.paint(detail, shade)
        ));
        return;
    };
    // What the detail says before it, if anything: how long it was waited for.
    let whole = miss.to_string();
    let before = check
        .detail
        .as_deref()
        .and_then(|detail| detail.strip_suffix(whole.as_str()));
    let before = before.unwrap_or_default().trim_end_matches(": ");
    shell.answer(format!("{indent}{mark}  {}  {}", check.name, shell.paint(before, shade)).trim_end());
    for (word, text) in [
        ("asked", &miss.asked),
        ("came", &miss.came),
        ("expected", &miss.expected),
    ] {
        shell.answer(format!("{indent}    {word:<8}  {}", shell.paint(text, shade)));
    }
}

/// As the servers of pipelines read it. What all suites share is told in the first one only.
fn suites(stage: &str, report: &Report) -> Vec<JunitSuite> {
    let each = report.suites.iter().enumerate().map(|(index, suite)| {
        let class = format!("{stage}.{}", suite.name);
        let checks = suite.checks.iter().filter(|check| index == 0 || !check.is_common);
        let mut cases: Vec<_> = checks.map(|check| case(&class, check)).collect();
        // What broke off before it looked at anything, or shares all with the first, still ended somehow.
        if cases.is_empty() {
            cases.push(JunitCase {
                class,
                name: suite.name.clone(),
                failure: (!suite.passed()).then(|| JunitFailure {
                    kind: "failed".to_owned(),
                    message: format!("the suite `{}` failed", suite.name),
                    text: String::new(),
                }),
                ..JunitCase::default()
            });
        }
        let tails = report.tails.iter().filter(|_| index == 0);
        let tails = tails.map(|tail| format!("the last lines of {}:\n{}\n", tail.of, tail.lines.join("\n")));
        JunitSuite {
            name: format!("{} ({stage})", suite.name),
            cases,
            log: tails.collect(),
        }
    });
    each.collect()
}

fn case(class: &str, check: &Check) -> JunitCase {
    let detail = check.detail.clone().unwrap_or_default();
    JunitCase {
        class: class.to_owned(),
        name: check.name.clone(),
        place: None,
        failure: check.has_failed().then(|| JunitFailure {
            kind: "failed".to_owned(),
            message: detail.lines().next().unwrap_or_default().to_owned(),
            text: match &check.miss {
                Some(miss) => format!(
                    "{detail}\nasked     {}\ncame      {}\nexpected  {}\n",
                    miss.asked, miss.came, miss.expected
                ),
                None => detail.clone(),
            },
        }),
        remark: match check.result {
            Ended::Failed => String::new(),
            Ended::Warned => format!("doubtful: {detail}"),
            Ended::Passed => detail,
        },
    }
}

fn document(schema: &str, stage: &str, report: &Report, record: Option<Digest>) -> Value {
    let checks = report.suites.iter().flat_map(|suite| {
        let checks = suite.checks.iter();
        checks.map(|check| check_document(suite, check))
    });
    let suites = report.suites.iter().map(|suite| {
        json!({
            "suite": suite.name,
            "result": word(suite.passed()),
        })
    });
    let logs = report
        .tails
        .iter()
        .map(|tail| json!({ "of": tail.of, "lines": tail.lines }));
    json!({
        "schema": schema,
        "stage": stage,
        "digest": report.digest,
        "suite": report.suite_names(),
        "result": word(report.passed()),
        "checks": checks.collect::<Vec<_>>(),
        "suites": suites.collect::<Vec<_>>(),
        "logs": logs.collect::<Vec<_>>(),
        "url": report.url,
        "record": record,
    })
}

fn check_document(suite: &SuiteReport, check: &Check) -> Value {
    let mut document = json!({
        "suite": suite.name,
        "name": check.name,
        "result": word(!check.has_failed()),
        "detail": check.detail,
    });
    if check.result == Ended::Warned {
        document["doubtful"] = json!(true);
    }
    if let Some(miss) = &check.miss {
        document["asked"] = json!(miss.asked);
        document["came"] = json!(miss.came);
        document["expected"] = json!(miss.expected);
    }
    document
}
