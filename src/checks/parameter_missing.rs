//! A stage gives a parameter no value, and the parameter has no default: the server would not start.

use std::collections::{BTreeMap, BTreeSet};

use super::StageInput;
use super::parameter_misspelt::slips;
use super::view::{View, listed, mends};
use crate::diagnostic::{Code, Diagnostic};
use crate::values::ContractParameter;

/// One finding a parameter, with all the stages that lack it. What a misspelt name explains is told by that rule.
pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut lacking: BTreeMap<&str, (&ContractParameter, Vec<&StageInput>)> = BTreeMap::new();
    for stage in view.stages {
        let misspelt: BTreeSet<_> = slips(view, stage).iter().map(|slip| &slip.parameter.name).collect();
        for parameter in view.without_value(stage) {
            if parameter.default.is_none() && !misspelt.contains(&parameter.name) {
                let entry = lacking
                    .entry(parameter.name.as_str())
                    .or_insert((parameter, Vec::new()));
                entry.1.push(stage);
            }
        }
    }
    let unasked: BTreeSet<&str> = view
        .stages
        .iter()
        .flat_map(|stage| view.unasked(stage).map(|(name, _)| name.as_str()))
        .collect();
    lacking
        .into_values()
        .map(|(parameter, stages)| finding(view, parameter, &stages, &unasked))
        .collect()
}

fn finding(
    view: &View<'_>,
    parameter: &ContractParameter,
    stages: &[&StageInput],
    unasked: &BTreeSet<&str>,
) -> Diagnostic {
    let name = &parameter.name;
    let names = listed(stages.iter().map(|stage| &stage.name));
    let diagnostic = Diagnostic::new(Code::ParameterMissing, format!("`{name}` has no value in {names}"));
    let mut diagnostic = View::about(diagnostic, name, stages.iter().map(|stage| &stage.name));
    let place = view.first_use(parameter);
    let asked = parameter.used.first().filter(|_| place.is_none());
    if let Some(place) = place {
        diagnostic = diagnostic.at(place, "asked for here");
    }
    for (index, stage) in stages.iter().enumerate() {
        let text = match asked.filter(|_| index == 0) {
            Some(asked) => format!("gives none; {}:{}:{} asks for it", asked.file, asked.line, asked.column),
            None => "gives none".to_owned(),
        };
        diagnostic = view.at_stage(diagnostic, &stage.name, text);
    }
    let giver = view
        .all_stages
        .iter()
        .find_map(|stage| Some((stage, view.name_span(stage, name)?)));
    if let Some((stage, span)) = giver {
        diagnostic = diagnostic.at(span, format!("`{}` gives it", stage.name));
    }
    let lacking: Vec<_> = stages.iter().filter_map(|stage| view.stage(&stage.name)).collect();
    for mend in mends(&lacking, parameter) {
        diagnostic = diagnostic.help(mend);
    }
    match longer_name(name.as_str(), unasked) {
        Some(given) => diagnostic.help(format!("`{given}` is given and nothing asks for it: is it meant?")),
        None => diagnostic,
    }
}

/// `DB_PASSWORD_RAW` where `DB_PASSWORD` is asked for.
fn longer_name<'a>(name: &str, unasked: &BTreeSet<&'a str>) -> Option<&'a str> {
    let (head, tail) = (format!("{name}_"), format!("_{name}"));
    let found = unasked
        .iter()
        .find(|given| given.starts_with(&head) || given.ends_with(&tail));
    found.copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn names_the_stages_the_places_and_the_mends() {
        let fixture = Fixture::new(
            &["BASE_URL", "!DB_PASSWORD", "X?default"],
            &[
                ("dev", "BASE_URL=a\n"),
                ("staging", "BASE_URL=b\n"),
                ("prod", "DB_PASSWORD_RAW=x\n"),
            ],
        )
        .secret("dev", "DB_PASSWORD", "hunter2");
        insta::assert_snapshot!(fixture.drawn(find), @r#"
        error: `BASE_URL` has no value in `prod`
          iamship.toml:18:8 | name = "prod" | gives none; config/base.xml:12:20 asks for it
          env/dev.env:1:1 | BASE_URL=a | `dev` gives it
          help: add `BASE_URL=…` to `env/prod.env`
        error: `DB_PASSWORD` has no value in `staging` and `prod`
          iamship.toml:14:8 | name = "staging" | gives none; config/base.xml:12:20 asks for it
          iamship.toml:18:8 | name = "prod" | gives none
          help: set `STAGING_DB_PASSWORD` and `PROD_DB_PASSWORD` in the environment: it is a secret
          help: `DB_PASSWORD_RAW` is given and nothing asks for it: is it meant?
        "#);
    }

    #[test]
    fn stages_that_are_mended_alike_are_told_together() {
        let fixture = Fixture::new(&["A", "!B"], &[("dev", ""), ("qa", ""), ("prod", "")]);
        assert_eq!(
            find(&fixture.view())[0].help,
            ["add `A=…` to `env/dev.env`, `env/qa.env` and `env/prod.env`"]
        );
        let mut fixture = fixture;
        for stage in &mut fixture.project.stages {
            stage.secrets.clear();
        }
        assert_eq!(
            find(&fixture.view())[1].help,
            [
                "it is a secret: give `dev` a source, `secrets = [\"env:DEV_\"]`, and set `DEV_B`; likewise `qa` and `prod`"
            ]
        );
    }

    #[test]
    fn what_a_misspelt_name_explains_is_told_once() {
        let fixture = Fixture::new(&["BASE_URL"], &[("dev", "base_url=a\n"), ("prod", "")]);
        assert_eq!(fixture.told(find), ["error: `BASE_URL` has no value in `prod`"]);
    }
}
