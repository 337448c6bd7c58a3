//! `iamship parameters`
//!
//! What can't be read is told beside what can; then the answer is not whole, which is exit code 1.

use serde_json::{Map, Value, json};

use super::Outcome;
use super::arguments::{Format, Parameters as Arguments};
use super::connect::yes_no_or_unanswered;
use super::shell::{Paint, Shell};
use super::table::Table;
use crate::checks::{Cell, Mark, Matrix, Row};
use crate::diagnostic::Severity;
use crate::ops::check::{Parameters, Scope};
use crate::ops::{Context, check};
use crate::report;
use crate::values::{ContractParameter, Coverage};

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>, shell: &Shell) -> Outcome {
    let scope = match arguments.stages.as_slice() {
        [] => Scope::AllStages,
        stages => Scope::Stages(stages),
    };
    let parameters = check::parameters(context, scope).await?;
    let matrix = &parameters.matrix;
    match shell.format() {
        Format::Json => shell.json(&whole_document(&parameters)),
        Format::Markdown => shell.answer(markdown(matrix)),
        _ => {
            if !matrix.rows.is_empty() {
                shell.answer(table(matrix, shell));
                tell_marks(matrix, shell);
            } else if parameters.diagnostics.is_empty() {
                shell.answer("the configuration asks for no parameters");
            }
        }
    }
    if shell.format() != Format::Json {
        for stage in &parameters.unread {
            shell.aside(format!(
                "the secrets of `{stage}` may not be read here: their names are known, and nothing compares them"
            ));
        }
        if !parameters.diagnostics.is_empty() {
            shell.aside(report::text(&parameters.diagnostics, super::check::color(shell)));
        }
    }
    let world_failed = check::world_failed(&parameters.diagnostics);
    yes_no_or_unanswered(parameters.diagnostics.is_empty(), world_failed)
}

fn table(matrix: &Matrix, shell: &Shell) -> String {
    let mut table = Table::new(head(matrix));
    for row in &matrix.rows {
        let cells = row.cells.iter().map(|cell| painted(row, cell, shell));
        table.row(around(row, cells.collect()));
    }
    table.to_string()
}

fn head(matrix: &Matrix) -> impl Iterator<Item = String> {
    let stages = matrix.stages.iter().map(ToString::to_string);
    let before = ["PARAMETER".to_owned(), "TYPE".to_owned()].into_iter();
    before.chain(stages).chain(["USED".to_owned()])
}

fn around(row: &Row, cells: Vec<String>) -> Vec<String> {
    let parameter = &row.parameter;
    let kind = match parameter.secret {
        true => format!("{}, secret", parameter.kind),
        false => parameter.kind.to_string(),
    };
    let mut all = vec![parameter.name.to_string(), kind];
    all.extend(cells);
    all.push(used(parameter));
    all
}

fn painted(row: &Row, cell: &Cell, shell: &Shell) -> String {
    let worst = cell.marks.iter().map(|mark| mark.severity).max();
    let paint = match (cell.coverage, worst) {
        (Coverage::Missing, _) | (_, Some(Severity::Error)) => Paint::Bad,
        (Coverage::Default, _) | (_, Some(Severity::Warning)) => Paint::Warning,
        (Coverage::Given | Coverage::Secret, None) => Paint::Good,
    };
    shell.paint(said(row, cell), paint)
}

/// `secret =A !`: with a letter where another stage of the row has the same, and a sign where something is suspicious.
fn said(row: &Row, cell: &Cell) -> String {
    let mut said = word(cell.coverage).to_owned();
    let same = |other: &&Cell| other.group.is_some() && other.group == cell.group;
    if let Some(group) = cell.group.filter(|_| row.cells.iter().filter(same).count() > 1) {
        said += &format!(" ={group}");
    }
    if !cell.marks.is_empty() {
        said += " !";
    }
    said
}

fn tell_marks(matrix: &Matrix, shell: &Shell) {
    let told = marks(matrix);
    if told.is_empty() {
        return;
    }
    let line = |mark: &&Mark| format!("{}[{}]: {}", mark.severity.as_str(), mark.code, mark.message);
    let lines: Vec<_> = told.iter().map(line).collect();
    shell.aside(format!("suspicious (`!`):\n{}", lines.join("\n")));
}

/// Every mark once, though it may be about several stages.
fn marks(matrix: &Matrix) -> Vec<&Mark> {
    let mut told: Vec<&Mark> = Vec::new();
    for mark in matrix
        .rows
        .iter()
        .flat_map(|row| &row.cells)
        .flat_map(|cell| &cell.marks)
    {
        if !told.contains(&mark) {
            told.push(mark);
        }
    }
    told
}

fn markdown(matrix: &Matrix) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head(matrix).collect());
    text += &line(head(matrix).map(|_| "---".to_owned()).collect());
    for row in &matrix.rows {
        let mut cells = around(row, row.cells.iter().map(|cell| said(row, cell)).collect());
        cells[0] = format!("`{}`", cells[0]);
        text += &line(cells.iter().map(|cell| cell.replace('|', "\\|")).collect());
    }
    let told = marks(matrix);
    if !told.is_empty() {
        text.push('\n');
    }
    for mark in told {
        text += &format!("- **{}** `{}`: {}\n", mark.severity.as_str(), mark.code, mark.message);
    }
    text.trim_end().to_owned()
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

fn whole_document(parameters: &Parameters) -> Value {
    let matrix = &parameters.matrix;
    let documents: Vec<Value> = matrix.rows.iter().map(|row| document(matrix, row)).collect();
    json!({
        "schema": "iamship.parameters/v1",
        "parameters": documents,
        "unread": parameters.unread.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "diagnostics": report::json_value(&parameters.diagnostics)["diagnostics"],
    })
}

fn document(matrix: &Matrix, row: &Row) -> Value {
    let parameter = &row.parameter;
    let cells = || matrix.stages.iter().zip(&row.cells);
    let of_stages = |value: fn(&Cell) -> Value| -> Map<String, Value> {
        cells().map(|(stage, cell)| (stage.to_string(), value(cell))).collect()
    };
    let note = |stage: &crate::project::StageName, mark: &Mark| {
        json!({
            "stage": stage.to_string(),
            "code": mark.code.as_str(),
            "severity": mark.severity.as_str(),
            "message": mark.message,
        })
    };
    let notes: Vec<_> = cells()
        .flat_map(|(stage, cell)| cell.marks.iter().map(move |mark| note(stage, mark)))
        .collect();
    json!({
        "name": parameter.name,
        "type": parameter.kind,
        "secret": parameter.secret,
        "default": parameter.default,
        "uses": parameter.uses,
        "used": parameter.used,
        "stages": of_stages(|cell| word(cell.coverage).into()),
        "groups": of_stages(|cell| cell.group.map(|group| group.to_string()).into()),
        "notes": notes,
    })
}
