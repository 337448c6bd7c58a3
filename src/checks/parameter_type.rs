//! A value, or a default, that is not of its parameter's type.
//!
//! Where the type is inferred and the server's rule for such values is not documented, an unusual value is a warning.

use super::StageInput;
use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::profile::ParameterType;
use crate::values::{Certainty, ContractParameter, TypeMismatch, Value, check_type};

/// Empty values belong to another rule.
pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        for (name, value) in stage
            .values
            .iter()
            .filter(|(_, value)| !value.expose().trim().is_empty())
        {
            let Some(parameter) = view.contract.get(name.as_str()) else {
                continue;
            };
            if let Err(mismatch) = check(view, stage, parameter, value) {
                let place = view.value_span(name, value);
                shared.add(
                    &stage.name,
                    name,
                    place.as_ref(),
                    (parameter, value, place.clone(), mismatch),
                );
            }
        }
    }
    let found = shared
        .into_found()
        .into_iter()
        .map(|((parameter, value, place, mismatch), stages)| {
            let first = stages[0];
            let (name, expected, because) = (&parameter.name, mismatch.expected, &mismatch.because);
            let message = format!(
                "`{name}` of {} should be {expected}: {because}",
                listed(stages.iter().copied())
            );
            let diagnostic = Diagnostic::new(Code::ParameterType, message);
            let mut diagnostic = View::about(diagnostic, name, stages.iter().copied());
            diagnostic.severity = severity(view, parameter, &mismatch);
            diagnostic = view.at_value(diagnostic, first, value, place, "");
            if parameter.kind == ParameterType::PasswordHash {
                diagnostic = diagnostic.help("`openssl passwd -5` makes one from a password");
            }
            diagnostic.help(format!(
                "if it is another type: `{name} = {{ type = \"text\" }}` under `[parameters]`"
            ))
        });
    found.chain(defaults(view)).collect()
}

/// Where the stage protects a parameter's values, a plain one is fine, and a protected one has the profile's form.
fn check(
    view: &View<'_>,
    stage: &StageInput,
    parameter: &ContractParameter,
    value: &Value,
) -> Result<(), TypeMismatch> {
    let kind = parameter.kind;
    let text = value.expose();
    let protects = view.stage(&stage.name).is_some_and(|stage| stage.protect.is_some());
    match view.project.server.protect.as_ref().filter(|_| protects) {
        Some(protect) if parameter.is_protected_by(protect) => match protect.is_protected(text) {
            true if protect.has_form(text) => Ok(()),
            true => Err(TypeMismatch {
                expected: "a protected value",
                because: "it does not have the form that the server's profile tells".to_owned(),
                certainty: Certainty::Sure,
            }),
            false if kind == ParameterType::Encrypted => Ok(()),
            false => check_type(kind, text),
        },
        _ => check_type(kind, text),
    }
}

fn severity(view: &View<'_>, parameter: &ContractParameter, mismatch: &TypeMismatch) -> Severity {
    let settings = view.project.parameters.get(&parameter.name);
    let declared = settings.is_some_and(|settings| settings.kind.is_some());
    match mismatch.certainty {
        Certainty::Unusual if !declared => Severity::Warning,
        _ => Severity::Error,
    }
}

fn defaults<'a>(view: &'a View<'_>) -> impl Iterator<Item = Diagnostic> + 'a {
    view.contract.parameters.iter().filter_map(|parameter| {
        let default = parameter
            .default
            .as_deref()
            .filter(|default| !default.trim().is_empty())?;
        let mismatch = check_type(parameter.kind, default).err()?;
        let (name, because) = (&parameter.name, mismatch.because.clone());
        let message = format!("the default of `{name}` should be {}: {because}", mismatch.expected);
        let mut diagnostic = Diagnostic::new(Code::ParameterType, message);
        diagnostic.severity = severity(view, parameter, &mismatch);
        Some(match (view.first_use(parameter), parameter.used.first()) {
            (Some(place), _) => diagnostic.at(place, because),
            (None, Some(place)) => {
                diagnostic.help(format!("it stands at {}:{}:{}", place.file, place.line, place.column))
            }
            (None, None) => diagnostic,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn an_unusual_value_of_an_inferred_type_is_a_warning() {
        let fixture =
            Fixture::new(&["!KEY:encrypted"], &[("dev", "")]).secret("dev", "KEY", "data:application/p12;aes,v:S.a.b");
        assert!(fixture.told(find)[0].starts_with("warning: `KEY` of `dev`"));
    }

    #[test]
    fn a_stage_that_protects_takes_plain_values_and_protected_ones_of_the_right_form() {
        let form = format!(
            "data:text/plain;aes,v:S.{0}.{0}.AAAA.{1}",
            "A".repeat(24),
            "B".repeat(44)
        );
        let parameters = &["!PLAIN:encrypted", "!WHOLE:encrypted", "!BROKEN:encrypted"];
        let values = |mut fixture: Fixture| {
            let whole = form.as_str();
            let given = [
                ("PLAIN", "hunter2"),
                ("WHOLE", whole),
                ("BROKEN", "data:text/plain;aes,v:S.A.B"),
            ];
            for (name, value) in given {
                fixture = fixture.secret("dev", name, value);
            }
            fixture
        };
        let mut fixture = values(Fixture::new(parameters, &[("dev", "")]));
        let refused = |fixture: &Fixture| {
            let told = fixture.told(find);
            let name = |text: &String| text.split('`').nth(1).map(str::to_owned);
            told.iter().filter_map(name).collect::<Vec<_>>()
        };
        assert_eq!(refused(&fixture), ["BROKEN", "PLAIN"]);
        let settings = crate::project::ProtectSettings {
            command: vec!["/bin/seal".to_owned()],
            environment: Vec::new(),
            span: fixture.project.stages[0].span.clone(),
        };
        fixture.project.stages[0].protect = Some(settings);
        assert_eq!(refused(&fixture), ["BROKEN"]);
    }

    #[test]
    fn wrong_types_are_told_without_the_secret() {
        let fixture = Fixture::new(
            &["PORT:port", "BASE:url", "!HASH:password-hash", "LIMIT:integer?many"],
            &[
                ("dev", "PORT=\nBASE=https://a.example\n"),
                ("prod", "PORT=84430\nBASE='login example'\nLIMIT=3\n"),
            ],
        )
        .secret("prod", "HASH", "hunter2");
        assert_eq!(
            fixture.told(find),
            [
                "error: `BASE` of `prod` should be an absolute URL with a host: it has a blank or a line break in it",
                "error: `HASH` of `prod` should be a password hash, `$5$…` or `$6$…`: it begins with neither `$5$` nor \
                 `$6$` (in an env file it needs single quotes)",
                "error: `PORT` of `prod` should be a port (1 to 65535): it is out of range",
                "error: the default of `LIMIT` should be a whole number: only digits, with `-` before them, make a number",
            ]
        );
        let drawn = fixture.drawn(find);
        assert!(drawn.contains("PORT=84430") && !drawn.contains("hunter2"), "{drawn}");
    }
}
