//! `[stage.run]`: what a stage's containers get beside their values.

use std::collections::BTreeMap;

use super::RunSettings;
use super::quantity::Memory;
use super::read::Table;
use super::signing::is_variable;

pub(super) fn read(table: &Table<'_>) -> RunSettings {
    let run = table.table("run", "`[stage.run]`");
    let memory = run.get("memory").and_then(|value| value.parse::<Memory>());
    let table = run.table("environment", "`[stage.run.environment]`");
    let mut environment = BTreeMap::new();
    for (name, span, value) in table.entries() {
        if !is_variable(name) {
            let message = format!("`{name}` can't name an environment variable");
            run.problems().push(
                crate::diagnostic::Diagnostic::new(crate::diagnostic::Code::ProjectInvalid, message).at(span, ""),
            );
        } else if let Some(text) = value.text() {
            environment.insert(name.to_owned(), text.to_owned());
        }
    }
    run.finish();
    RunSettings {
        memory: memory.map(|Memory(bytes)| bytes),
        environment,
    }
}
