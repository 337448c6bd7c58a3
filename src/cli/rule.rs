//! `iamship rule`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Format, Rule};
use super::failure::Failure;
use super::shell::Shell;
use crate::diagnostic::{Code, nearest};

pub(super) fn run(arguments: &Rule, shell: &Shell) -> Outcome {
    match arguments.code.as_deref() {
        None => all(shell),
        Some(name) => one(named(name)?, shell),
    }
    Ok(())
}

fn named(name: &str) -> Result<Code, Failure> {
    Code::named(name).ok_or_else(|| {
        let failure = Failure::input(format!("no check has the code `{name}`"));
        let known = Code::ALL.iter().map(|code| code.as_str());
        match nearest(name, known) {
            Some(meant) => failure.help(format!("is `{meant}` meant?")),
            None => failure.help("`iamship rule` lists all"),
        }
    })
}

fn all(shell: &Shell) {
    if shell.format() == Format::Json {
        let rules: Vec<_> = Code::ALL.iter().copied().map(rule).collect();
        return shell.json(&json!({ "schema": "iamship.rule/v1", "rules": rules }));
    }
    let width = Code::ALL
        .iter()
        .map(|code| code.as_str().len())
        .max()
        .unwrap_or_default();
    let row = |code: &Code| {
        let severity = code.severity().as_str();
        format!("{:width$}  {severity:7}  {}", code.as_str(), code.summary())
    };
    shell.answer(Code::ALL.iter().map(row).collect::<Vec<_>>().join("\n"));
}

fn one(code: Code, shell: &Shell) {
    if shell.format() == Format::Json {
        let document = json!({ "schema": "iamship.rule/v1", "rules": [rule(code)], "page": code.page() });
        return shell.json(&document);
    }
    let page = code.page();
    let (title, text) = page.split_once('\n').unwrap_or((page, ""));
    let allow = match code.can_be_allowed() {
        true => "can be allowed",
        false => "can't be allowed",
    };
    shell.answer(format!(
        "{title}\n\n{} ({}, {allow})\n{text}",
        code.summary(),
        code.severity().as_str()
    ));
}

fn rule(code: Code) -> Value {
    json!({
        "code": code.as_str(),
        "severity": code.severity().as_str(),
        "summary": code.summary(),
        "allowable": code.can_be_allowed(),
    })
}
