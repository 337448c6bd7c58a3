//! The last stage runs with a log that tells too much: tokens, codes and personal data stand in it.
//!
//! Which variables make the log talk is the profile's to say (`[[run.debug]]`).

use super::Context;
use super::view::{Rank, View};
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn find(context: &Context<'_>) -> Vec<Diagnostic> {
    let view = View::of(context);
    let last = context
        .stages
        .iter()
        .filter(|stage| view.rank(&stage.name) == Rank::Last);
    let judge = |input: &super::StageInput| {
        let stage = view.stage(&input.name)?;
        let server = &context.project.server;
        let talks = |name: &str, value: &str| {
            let level = |levels: &Vec<String>| levels.iter().any(|level| names_level(value, level));
            server.run.debug.get(name).is_some_and(level)
        };
        let environment = stage.environment(server);
        let own = environment.iter().find(|(name, value)| talks(name, value));
        let (name, value, place) = match own {
            Some((name, value)) => (name.as_str(), value.as_str(), None),
            None => {
                let (name, value) = input
                    .values
                    .iter()
                    .find(|(name, value)| talks(name.as_str(), value.expose()))?;
                (name.as_str(), value.expose(), view.value_span(name, value))
            }
        };
        let message = format!(
            "`{name}` of `{}` is `{value}`: tokens and personal data stand in the log",
            input.name
        );
        let found = Diagnostic::new(Code::DebugLogging, message).stage(&input.name);
        let found = match place {
            Some(place) => found.at(place, ""),
            None => view.at_stage(found, &input.name, ""),
        };
        Some(found.help(format!("set `{name}` to a level like `INFO` there")))
    };
    last.filter_map(judge).collect()
}

/// `debug`, and `info,org.keycloak.events:debug`.
fn names_level(value: &str, level: &str) -> bool {
    let mut words = value.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word.eq_ignore_ascii_case(level))
}
