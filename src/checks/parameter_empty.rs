//! A stage gives a parameter an empty value, or blanks: the server would take it, and fail later or never.

use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        for (name, value) in stage.values.iter() {
            let meant = view
                .contract
                .get(name.as_str())
                .is_none_or(|parameter| parameter.may_be_empty);
            if !meant && value.expose().trim().is_empty() {
                let place = view.value_span(name, value);
                shared.add(&stage.name, name, place.as_ref(), (name, value, place.clone()));
            }
        }
    }
    let finding = |((name, value, place), stages): ((&_, &_, _), Vec<_>)| {
        let first = stages[0];
        let message = format!("`{name}` is empty in {}", listed(stages.iter().copied()));
        view.at_value(
            View::about(
                Diagnostic::new(Code::ParameterEmpty, message),
                name,
                stages.iter().copied(),
            ),
            first,
            value,
            place,
            "no value here",
        )
        .help(format!(
            "give `{name}` a value, or take the line out where its default is meant"
        ))
        .help(format!(
            "if an empty value is meant: `{name} = {{ optional = true }}` under `[parameters]`"
        ))
    };
    shared.into_found().into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn empty_and_blank_values_are_told_where_they_stand() {
        let mut fixture = Fixture::new(
            &["A", "B", "!C", "D"],
            &[("dev", "A=\nB='  '\nD=\nUNUSED=\n"), ("prod", "A=x\nB=y\nC=\nD=z\n")],
        )
        .secret("dev", "C", "");
        fixture.contract.parameters[3].may_be_empty = true;
        assert_eq!(
            fixture.told(find),
            [
                "error: `A` is empty in `dev`",
                "error: `B` is empty in `dev`",
                "error: `C` is empty in `dev`",
                "error: `C` is empty in `prod`",
            ]
        );
        let drawn = fixture.drawn(find);
        assert!(drawn.contains("env/dev.env:1:3"), "{drawn}");
        assert!(drawn.contains("from `env:DEV_`: no value here"), "{drawn}");
    }
}
