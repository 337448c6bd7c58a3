//! One secret in two stages: whoever knows the first stage's knows the last one's. Compared by keyed hashes.
//!
//! Only what the contract calls a secret, and no private key, which another rule tells. What the profile says to be
//! one for all stages (a licence) is quiet, and so is an address without a password.

use std::collections::BTreeMap;

use super::StageInput;
use super::likeness::{Comparison, Likeness};
use super::view::{View, listed};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::ParameterType;
use crate::values::material::Material;
use crate::values::{ContractParameter, Value, secret_by_pattern};

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let comparison = Comparison::new();
    let parameters = view.contract.parameters.iter();
    let parameters = parameters.filter(|parameter| parameter.secret && !is_meant(view, parameter));
    parameters
        .flat_map(|parameter| of_parameter(view, parameter, &comparison))
        .collect()
}

/// Whether the project or the server's profile says that all stages may have one.
fn is_meant(view: &View<'_>, parameter: &ContractParameter) -> bool {
    let said = view
        .project
        .parameters
        .get(&parameter.name)
        .and_then(|settings| settings.shared);
    let used = parameter.used.iter().map(|place| place.path.as_str());
    said.unwrap_or_else(|| view.project.server.may_be_shared(used))
}

fn of_parameter(view: &View<'_>, parameter: &ContractParameter, comparison: &Comparison) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<Likeness, Vec<(&StageInput, &Value)>> = BTreeMap::new();
    for stage in view.all_stages {
        let value = stage
            .values
            .get(&parameter.name)
            .filter(|value| counts(parameter.kind, value.expose()));
        if let Some(value) = value {
            let likeness = comparison.likeness(value.expose());
            groups.entry(likeness).or_default().push((stage, value));
        }
    }
    let is_checked = |(stage, _): &(&StageInput, &Value)| view.stages.iter().any(|each| each.name == stage.name);
    let mut shared: Vec<_> = groups.into_values().collect();
    shared.retain(|group| group.len() > 1 && group.iter().any(is_checked));
    shared.sort_by_key(|group| view.project.position(&group[0].0.name));
    shared.iter().map(|group| finding(view, parameter, group)).collect()
}

/// Whether a value can be a secret of its own at all.
fn counts(kind: ParameterType, value: &str) -> bool {
    use ParameterType as Type;
    let is_address = value.contains("://") || value.starts_with("jdbc:");
    let may_be = matches!(
        kind,
        Type::Text | Type::PasswordHash | Type::Encrypted | Type::Pem | Type::Url
    );
    let is_secret = !is_address || secret_by_pattern(value).is_some();
    may_be && is_secret && !value.trim().is_empty() && Material::read(value, &[]).is_empty()
}

fn finding(view: &View<'_>, parameter: &ContractParameter, group: &[(&StageInput, &Value)]) -> Diagnostic {
    let name = &parameter.name;
    let stages = || group.iter().map(|(stage, _)| &stage.name);
    let message = format!("`{name}` is one and the same secret in {}", listed(stages()));
    let mut diagnostic = View::about(Diagnostic::new(Code::SecretShared, message), name, stages());
    for (stage, value) in group {
        let place = view.value_span(name, value);
        diagnostic = view.at_value(diagnostic, &stage.name, value, place, "");
    }
    let last = group.last().map_or("the last stage", |(stage, _)| stage.name.as_str());
    diagnostic
        .help(format!("give `{last}` a secret of its own"))
        .help(format!(
            "if one for all is meant: `{name} = {{ shared = true }}` under `[parameters]`"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;
    use crate::project::ParameterSettings;

    #[test]
    fn equal_secrets_are_told_by_their_stages_and_never_shown() {
        let mut fixture = Fixture::new(
            &["!DB_PASSWORD", "!API_KEY", "!DB_URL:url", "USER", "!LICENSE"],
            &[("dev", "USER=sa\n"), ("qa", "USER=sa\n"), ("prod", "USER=sa\n")],
        );
        fixture.contract.parameters[3].used[0].path = "/processing/license-key".to_owned();
        for (stage, password, key) in [
            ("dev", "hunter2", "a"),
            ("qa", "hunter3", "b"),
            ("prod", "hunter2", "c"),
        ] {
            fixture = fixture
                .secret(stage, "DB_PASSWORD", password)
                .secret(stage, "API_KEY", key)
                .secret(stage, "DB_URL", "jdbc:hsqldb:mem:x")
                .secret(stage, "LICENSE", "one-for-all");
        }
        assert_eq!(fixture.contract.parameters[3].name.as_str(), "LICENSE");
        assert_eq!(
            fixture.told(find),
            ["warning: `DB_PASSWORD` is one and the same secret in `dev` and `prod`"]
        );
        let drawn = fixture.drawn(find);
        assert!(drawn.contains("help: give `prod` a secret of its own"), "{drawn}");
        assert!(!drawn.contains("hunter"), "{drawn}");
        let settings = ParameterSettings {
            shared: Some(true),
            ..ParameterSettings::default()
        };
        fixture
            .project
            .parameters
            .insert("DB_PASSWORD".parse().expect("name"), settings);
        assert_eq!(fixture.told(find), Vec::<String>::new());
    }
}
