//! A value whose name is nearly that of a parameter without one: another case, a stage's name on it, a slip.

use std::collections::{HashMap, HashSet};

use super::StageInput;
use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::ParameterName;
use crate::values::{ContractParameter, Origin};

/// More pairs than this are not compared letter by letter: it is no slip, the whole file is another one.
const MOST_PAIRS: usize = 250_000;

/// A given name that was meant for a parameter.
pub(super) struct Slip<'a> {
    pub(super) parameter: &'a ContractParameter,
    pub(super) given: &'a ParameterName,
    because: Because,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Because {
    Case,
    Stage(String),
    Spelling,
}

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        for slip in slips(view, stage) {
            let place = view.name_span(stage, slip.given);
            let place = place.map(|place| if slip.parameter.secret { place.withheld() } else { place });
            shared.add(&stage.name, slip.given, place.as_ref(), (slip, stage, place.clone()));
        }
    }
    shared
        .into_found()
        .into_iter()
        .filter_map(|((slip, stage, place), stages)| {
            let Slip {
                parameter,
                given,
                because,
            } = slip;
            let value = stage.values.get(given)?;
            let wanted = &parameter.name;
            let (why, label) = match &because {
                Because::Case => ("differs only in case from", format!("`{wanted}` is asked for")),
                Because::Stage(name) => (
                    "carries a stage's name beside",
                    format!("`{name}` is the stage, not the name"),
                ),
                Because::Spelling => ("is nearly", format!("`{wanted}` is asked for")),
            };
            let message = format!(
                "`{given}` of {} {why} `{wanted}`, which has no value there",
                listed(stages.iter().copied())
            );
            let place_name = match &value.origin {
                Origin::File(span) => span.source.path().to_string(),
                Origin::Source(source) => source.clone(),
            };
            let diagnostic = Diagnostic::new(Code::ParameterMisspelt, message);
            let diagnostic = View::about(diagnostic, wanted, stages.iter().copied());
            let diagnostic = view.at_value(diagnostic, &stage.name, value, place, &label);
            Some(diagnostic.help(format!("rename `{given}` to `{wanted}` in `{place_name}`")))
        })
        .collect()
}

/// A stage's slips: each parameter and each name at most once, the surest kind first.
pub(super) fn slips<'a>(view: &View<'a>, stage: &'a StageInput) -> Vec<Slip<'a>> {
    let missing: Vec<_> = view.without_value(stage).collect();
    let unasked: Vec<_> = view.unasked(stage).map(|(name, _)| name).collect();
    if missing.is_empty() || unasked.is_empty() {
        return Vec::new();
    }
    let by_lower: HashMap<String, &ParameterName> = unasked
        .iter()
        .map(|name| (name.as_str().to_lowercase(), *name))
        .collect();
    let mut slips: Vec<Slip<'a>> = Vec::new();
    let mut taken: HashSet<&str> = HashSet::new();
    let mut settled: HashSet<&str> = HashSet::new();
    for parameter in &missing {
        let lower = parameter.name.as_str().to_lowercase();
        let same = by_lower.get(&lower).map(|given| (*given, Because::Case));
        let found = same.or_else(|| with_stage(view, &lower, &by_lower));
        if let Some((given, because)) = found.filter(|(given, _)| taken.insert(given.as_str())) {
            settled.insert(parameter.name.as_str());
            slips.push(Slip {
                parameter,
                given,
                because,
            });
        }
    }
    if missing.len() * unasked.len() <= MOST_PAIRS {
        let wanted: Vec<_> = missing
            .iter()
            .map(|parameter| (*parameter, Word::of(parameter.name.as_str())))
            .collect();
        let given: Vec<_> = unasked.iter().map(|name| (*name, Word::of(name.as_str()))).collect();
        let mut near = Vec::new();
        for (parameter, word) in &wanted {
            let distances = given
                .iter()
                .filter_map(|(name, other)| Some((word.distance(other)?, *parameter, *name)));
            near.extend(distances);
        }
        near.sort_by_key(|(distance, parameter, given)| (*distance, &parameter.name, *given));
        for (_, parameter, given) in near {
            if !settled.contains(parameter.name.as_str()) && taken.insert(given.as_str()) {
                settled.insert(parameter.name.as_str());
                let because = Because::Spelling;
                slips.push(Slip {
                    parameter,
                    given,
                    because,
                });
            }
        }
    }
    slips
}

/// `X_STAGING`, `STAGING_X`: people who keep all stages in one file name values so.
fn with_stage<'a>(
    view: &View<'a>,
    lower: &str,
    by_lower: &HashMap<String, &'a ParameterName>,
) -> Option<(&'a ParameterName, Because)> {
    view.project.stages.iter().find_map(|stage| {
        let word = stage.name.as_str().replace('-', "_");
        let found = [format!("{lower}_{word}"), format!("{word}_{lower}")];
        let given = found.iter().find_map(|name| by_lower.get(name))?;
        Some((*given, Because::Stage(stage.name.to_string())))
    })
}

/// A name, made ready for many comparisons.
struct Word {
    lower: String,
    digits: String,
}

impl Word {
    fn of(name: &str) -> Self {
        let lower = name.to_lowercase();
        let digits = lower.chars().filter(char::is_ascii_digit).collect();
        Self { lower, digits }
    }

    /// How many letters differ, when so few do that it must be a slip; names that differ in a number are two names.
    fn distance(&self, given: &Self) -> Option<usize> {
        let (wanted, other) = (self.lower.as_str(), given.lower.as_str());
        let most = match wanted.len().min(other.len()) {
            0..=4 => return None,
            5..=9 => 1,
            _ => 2,
        };
        let alike = wanted.len().abs_diff(other.len()) <= most
            && wanted.as_bytes().first() == other.as_bytes().first()
            && self.digits == given.digits;
        alike
            .then(|| strsim::damerau_levenshtein(wanted, other))
            .filter(|distance| *distance <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn finds_case_stage_and_spelling() {
        let fixture = Fixture::new(
            &["BASE_URL", "DB_USER", "RUNTIME_BASE_URL", "WEB_URL?x"],
            &[
                ("dev", "base_url=a\nDB_USER_PROD=b\nRUNTME_BASE_URL=c\nWEB_UR=d\n"),
                ("prod", ""),
            ],
        );
        let told = fixture.told(find);
        assert_eq!(
            told,
            [
                "error: `base_url` of `dev` differs only in case from `BASE_URL`, which has no value there",
                "error: `DB_USER_PROD` of `dev` carries a stage's name beside `DB_USER`, which has no value there",
                "error: `RUNTME_BASE_URL` of `dev` is nearly `RUNTIME_BASE_URL`, which has no value there",
                "error: `WEB_UR` of `dev` is nearly `WEB_URL`, which has no value there",
            ]
        );
    }

    #[test]
    fn names_that_are_two_names_stay_quiet() {
        let fixture = Fixture::new(
            &["ADMIN_BASE_URL", "KEY_1_ALIAS", "DB_HOST", "PORT"],
            &[
                ("dev", "LOGIN_BASE_URL=a\nKEY_2_ALIAS=b\nDB_PORT=c\nPOR=d\n"),
                ("prod", ""),
            ],
        );
        assert_eq!(fixture.told(find), Vec::<String>::new());
    }

    #[test]
    fn one_name_is_meant_for_one_parameter_and_a_name_in_use_for_none() {
        let fixture = Fixture::new(
            &["SERVER_A_KEY", "SERVER_B_KEY", "SERVER_C_KEY"],
            &[("dev", "SERVER_C_KEY=a\nSERVER_D_KEY=b\n")],
        );
        assert_eq!(fixture.told(find).len(), 1);
    }

    #[test]
    fn a_secret_s_line_is_not_shown() {
        let fixture = Fixture::new(&["!DB_PASSWORD"], &[("dev", "DB_PASWORD=hunter2\n"), ("prod", "")]).secret(
            "prod",
            "DB_PASSWORT",
            "hunter2",
        );
        let drawn = fixture.drawn(find);
        assert!(!drawn.contains("hunter2"), "{drawn}");
        assert!(
            drawn.contains("from `env:PROD_`: `DB_PASSWORD` is asked for"),
            "{drawn}"
        );
    }
}
