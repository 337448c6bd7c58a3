//! A stage relies on a default while others give a value: perhaps it was forgotten there.

use std::collections::BTreeSet;

use super::StageInput;
use super::parameter_misspelt::slips;
use super::view::{View, listed};
use crate::diagnostic::{Code, Diagnostic};
use crate::values::ContractParameter;

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let misspelt: BTreeSet<_> = view
        .stages
        .iter()
        .flat_map(|stage| {
            slips(view, stage)
                .into_iter()
                .map(|slip| (&stage.name, &slip.parameter.name))
        })
        .collect();
    let parameters = view
        .contract
        .parameters
        .iter()
        .filter(|parameter| parameter.default.is_some());
    parameters
        .filter_map(|parameter| {
            let gives = |stage: &&StageInput| stage.values.get(&parameter.name).is_some();
            let relies = |stage: &&StageInput| !gives(stage) && !misspelt.contains(&(&stage.name, &parameter.name));
            let relying: Vec<_> = view.stages.iter().filter(relies).collect();
            let giving: Vec<_> = view.all_stages.iter().filter(gives).collect();
            (!relying.is_empty() && !giving.is_empty()).then(|| finding(view, parameter, &relying, &giving))
        })
        .collect()
}

fn finding(
    view: &View<'_>,
    parameter: &ContractParameter,
    relying: &[&StageInput],
    giving: &[&StageInput],
) -> Diagnostic {
    let names = |stages: &[&StageInput]| listed(stages.iter().map(|stage| &stage.name));
    let name = &parameter.name;
    let message = format!(
        "`{name}` falls back to its default in {}, while {} give it a value",
        names(relying),
        names(giving)
    );
    let message = if giving.len() == 1 {
        message.replace(" give it a value", " gives it a value")
    } else {
        message
    };
    let diagnostic = Diagnostic::new(Code::ParameterDefaulted, message);
    let mut diagnostic = View::about(diagnostic, name, relying.iter().map(|stage| &stage.name));
    for stage in relying {
        let text = match &parameter.default {
            Some(default) if !parameter.secret => format!("uses `{default}`"),
            _ => "uses the default".to_owned(),
        };
        diagnostic = view.at_stage(diagnostic, &stage.name, text);
    }
    for stage in giving {
        if let Some(span) = view.name_span(stage, name) {
            diagnostic = diagnostic.at(span, format!("the value of `{}`", stage.name));
        }
    }
    diagnostic.help(format!(
        "write `{name}=…` there too, also where the default is meant: then it is a decision"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn some_give_it_and_some_do_not() {
        let fixture = Fixture::new(
            &["A?1", "B?2", "C?3", "!D?hunter2"],
            &[("dev", "A=x\nC=x\n"), ("staging", "A=x\nC=x\n"), ("prod", "C=x\n")],
        )
        .secret("dev", "D", "y");
        assert_eq!(
            fixture.told(find),
            [
                "warning: `A` falls back to its default in `prod`, while `dev` and `staging` give it a value",
                "warning: `D` falls back to its default in `staging` and `prod`, while `dev` gives it a value",
            ]
        );
        assert!(fixture.drawn(find).contains("uses `1`"));
        assert!(!fixture.drawn(find).contains("hunter2"));
    }
}
