//! One private key in two stages: who can read the first stage's secrets signs in the last one's name.

use std::collections::BTreeMap;

use super::carried::{Carried, Carrier};
use super::view::{Rank, View, listed};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::profile::ParameterName;
use crate::project::StageName;
use crate::values::Value;
use crate::values::material::KeyFingerprint;

/// An error where the last stage is one of them, else a warning. `carried`: of all stages.
pub(super) fn find(view: &View<'_>, carried: &[Carried<'_>]) -> Vec<Diagnostic> {
    let mut holders: BTreeMap<KeyFingerprint, Vec<Holder<'_>>> = BTreeMap::new();
    for each in carried {
        let Carrier::Value { stage, name, value } = &each.by else {
            continue;
        };
        for key in &each.material.private_keys {
            let holder = (&stage.name, *name, *value);
            let known = holders.entry(key.fingerprint).or_default();
            if known.iter().all(|(stage, ..)| *stage != holder.0) {
                known.push(holder);
            }
        }
    }
    let is_checked = |(stage, ..): &Holder<'_>| view.stages.iter().any(|checked| checked.name == **stage);
    let mut shared: Vec<_> = holders.into_values().collect();
    shared.retain(|holders| holders.len() > 1 && holders.iter().any(is_checked));
    // Fingerprints are in no order that a reader knows.
    shared.sort_by_key(|holders| (view.project.position(holders[0].0), holders[0].1));
    shared.iter().map(|holders| finding(view, holders)).collect()
}

type Holder<'a> = (&'a StageName, &'a ParameterName, &'a Value);

fn finding(view: &View<'_>, holders: &[Holder<'_>]) -> Diagnostic {
    let name = holders[0].1;
    let one_name = holders.iter().all(|holder| holder.1 == name);
    let stages = listed(holders.iter().map(|(stage, ..)| *stage));
    let message = match one_name {
        true => format!("`{name}` is one and the same private key in {stages}"),
        false => {
            let each: Vec<_> = holders
                .iter()
                .map(|(stage, name, _)| format!("`{name}` of `{stage}`"))
                .collect();
            format!("{} are one and the same private key", each.join(" and "))
        }
    };
    let mut diagnostic = Diagnostic::new(Code::KeyShared, message);
    if holders.iter().all(|(stage, ..)| view.rank(stage) != Rank::Last) {
        diagnostic.severity = Severity::Warning;
    }
    for (stage, name, value) in holders {
        let place = view.value_span(name, value);
        diagnostic = view.at_value(diagnostic.about(stage, name), stage, value, place, "");
    }
    let last = holders
        .iter()
        .map(|holder| holder.0)
        .max_by_key(|stage| view.project.position(stage));
    diagnostic.help(format!("have a new key made for `{}`", last.unwrap_or(holders[0].0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::carried::in_values;
    use crate::checks::fixture::Fixture;
    use crate::values::material::testing::made;

    fn rule(view: &View<'_>) -> Vec<Diagnostic> {
        find(view, &in_values(view.all_stages))
    }

    #[test]
    fn one_key_in_two_forms_is_one_key() {
        let (one, other) = (
            made("a.net", (2026, 1, 1), (2027, 1, 1)),
            made("b.net", (2026, 1, 1), (2027, 1, 1)),
        );
        let fixture = Fixture::new(&["!KEY", "!OLD", "TRUST"], &[("dev", ""), ("qa", ""), ("prod", "")])
            .secret("dev", "KEY", &one.key)
            .secret("qa", "KEY", &(one.certificate.clone() + &one.key))
            .secret("prod", "KEY", &other.key)
            .secret("dev", "TRUST", &one.certificate)
            .secret("prod", "TRUST", &one.certificate);
        assert_eq!(
            fixture.told(rule),
            ["warning: `KEY` is one and the same private key in `dev` and `qa`"]
        );
        let fixture = fixture.secret("prod", "OLD", &one.key);
        assert_eq!(
            fixture.told(rule),
            ["error: `KEY` of `dev` and `KEY` of `qa` and `OLD` of `prod` are one and the same private key"]
        );
        let drawn = fixture.drawn(rule);
        assert!(drawn.contains("help: have a new key made for `prod`"), "{drawn}");
        assert!(!drawn.contains(one.key.lines().nth(1).expect("a line")), "{drawn}");
    }
}
