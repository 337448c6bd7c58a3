//! `iamship parameters`
//!
//! What can't be read is told beside what can; then the answer is not whole, which is exit code 1.

use serde_json::{Map, Value, json};

use super::Outcome;
use super::arguments::Format;
use super::connect::yes_no_or_unanswered;
use super::shell::{Paint, Shell};
use super::table::Table;
use crate::ops::{Context, check};
use crate::report;
use crate::values::{ContractParameter, Coverage};

pub(super) async fn run(context: &Context<'_>, shell: &Shell) -> Outcome {
    let parameters = check::parameters(context).await?;
    if shell.format() == Format::Json {
        shell.json(&whole_document(&parameters));
    } else {
        if !parameters.contract.parameters.is_empty() {
            shell.answer(table(&parameters, shell));
        } else if parameters.diagnostics.is_empty() {
            shell.answer("the configuration asks for no parameters");
        }
        if !parameters.diagnostics.is_empty() {
            shell.aside(report::text(&parameters.diagnostics, super::check::color(shell)));
        }
    }
    let world_failed = check::world_failed(&parameters.diagnostics);
    yes_no_or_unanswered(parameters.diagnostics.is_empty(), world_failed)
}

fn table(parameters: &check::Parameters, shell: &Shell) -> String {
    let stages = parameters.stages.iter().map(|(name, _)| name.to_string());
    let mut table = Table::new(
        ["PARAMETER".to_owned(), "TYPE".to_owned()]
            .into_iter()
            .chain(stages)
            .chain(["USED".to_owned()]),
    );
    for (index, parameter) in parameters.contract.parameters.iter().enumerate() {
        let kind = if parameter.secret {
            format!("{}, secret", parameter.kind)
        } else {
            parameter.kind.to_string()
        };
        let mut row = vec![parameter.name.to_string(), kind];
        row.extend(
            parameters
                .stages
                .iter()
                .map(|(_, coverage)| painted(coverage[index], shell)),
        );
        row.push(used(parameter));
        table.row(row);
    }
    table.to_string()
}

fn painted(coverage: Coverage, shell: &Shell) -> String {
    let paint = match coverage {
        Coverage::Missing => Paint::Bad,
        Coverage::Default => Paint::Warning,
        Coverage::Given | Coverage::Secret => Paint::Good,
    };
    shell.paint(word(coverage), paint)
}

fn word(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Given => "given",
        Coverage::Secret => "secret",
        Coverage::Default => "default",
        Coverage::Missing => "missing",
    }
}

fn used(parameter: &ContractParameter) -> String {
    let first = parameter
        .used
        .first()
        .map(|place| format!("{}:{}", place.file, place.line));
    match (first, parameter.uses) {
        (Some(first), 0 | 1) => first,
        (Some(first), uses) => format!("{first} and {} more", uses - 1),
        (None, uses) => format!("{uses} times"),
    }
}

fn whole_document(parameters: &check::Parameters) -> Value {
    let each = parameters.contract.parameters.iter().enumerate();
    let documents: Vec<Value> = each
        .map(|(index, parameter)| document(parameters, index, parameter))
        .collect();
    json!({
        "schema": "iamship.parameters/v1",
        "parameters": documents,
        "diagnostics": report::json_value(&parameters.diagnostics)["diagnostics"],
    })
}

fn document(parameters: &check::Parameters, index: usize, parameter: &ContractParameter) -> Value {
    let stages: Map<String, Value> = parameters
        .stages
        .iter()
        .map(|(name, coverage)| (name.to_string(), word(coverage[index]).into()))
        .collect();
    json!({
        "name": parameter.name,
        "type": parameter.kind,
        "secret": parameter.secret,
        "default": parameter.default,
        "uses": parameter.uses,
        "used": parameter.used,
        "stages": stages,
    })
}
