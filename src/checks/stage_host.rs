//! Another stage's host in a stage's values: production's redirect goes to staging.
//!
//! Hosts are learned, not configured. A host belongs to stage `a` and not to `b` when one parameter has it in `a` and
//! another host in `b`; then no value of `b` may name it. A host that a parameter has in both is shared, and fine.
//! Where the other stage's own value for the parameter in question has a host that differs too, nobody knows who of the
//! two is wrong: then it is a warning, unless the host has the other stage's name in it.
//! Only plain values teach, so that no message can tell a piece of a secret. A host that merely has another stage's
//! name in it (`web.example-staging.com` in `prod`) is a warning, and so is everything in the first stage.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::StageInput;
use super::hosts::{Host, hosts, is_local, words};
use super::view::{Rank, Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::profile::{ParameterName, ParameterType};
use crate::project::StageName;
use crate::values::Value;

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        let foreign = foreign_hosts(view, stage);
        for (name, value) in stage.values.iter() {
            if let Some((host, owner)) = foreign_host(view, stage, &foreign, name, value) {
                let place = view.piece_span(name, value, host.range.clone());
                shared.add(
                    &stage.name,
                    name,
                    place.as_ref(),
                    (name, value, place.clone(), host, owner),
                );
            }
        }
    }
    let findings = shared.into_found().into_iter();
    findings
        .map(|((name, value, place, host, owner), stages)| {
            let first = stages[0];
            let (of, host, other) = (listed(stages.iter().copied()), &host.name, owner.stage);
            let message = match owner.evidence {
                Some(_) => format!("`{name}` of {of} names `{host}`, which is `{other}`'s host"),
                None => format!("`{name}` of {of} names `{host}`, which has `{other}`'s name in it"),
            };
            let mut diagnostic = View::about(Diagnostic::new(Code::StageHost, message), name, stages.iter().copied());
            let doubtful = owner.evidence.is_none() || is_contested(view, first, owner, name, host);
            if doubtful || view.rank(first) == Rank::First {
                diagnostic.severity = Severity::Warning;
            }
            diagnostic = view.at_value(diagnostic, first, value, place, &format!("`{other}`'s host"));
            diagnostic = with_evidence(view, diagnostic, owner, name);
            diagnostic.help(format!("give `{name}` the host that belongs to `{first}`"))
        })
        .collect()
}

/// Whose host it is.
#[derive(Clone, Copy)]
struct Owner<'a> {
    stage: &'a StageName,
    /// Where it was learned; none when only the host's name tells.
    evidence: Option<Evidence<'a>>,
}

/// The parameter that has the host there, and another one here.
#[derive(Clone, Copy)]
struct Evidence<'a> {
    input: &'a StageInput,
    name: &'a ParameterName,
    value: &'a Value,
}

/// Whether the same reasoning would make the host this stage's: the other one gives the parameter another host.
fn is_contested(view: &View<'_>, stage: &StageName, owner: Owner<'_>, name: &ParameterName, host: &str) -> bool {
    let Some(evidence) = owner.evidence else { return false };
    let there = evidence.input.values.get(name);
    let there = there.map(|value| public_hosts(view, name, value)).unwrap_or_default();
    !there.is_empty() && !there.contains(host) && stage_in_name(view, host, stage) != Some(owner.stage)
}

fn with_evidence(view: &View<'_>, diagnostic: Diagnostic, owner: Owner<'_>, name: &ParameterName) -> Diagnostic {
    let place = owner.evidence.filter(|evidence| evidence.name != name);
    let place = place.and_then(|evidence| Some((evidence, view.value_span(evidence.name, evidence.value)?)));
    match place {
        Some((evidence, span)) => diagnostic.at(span, format!("`{}` has it here", evidence.input.name)),
        None => diagnostic,
    }
}

/// The hosts that other stages have and this one has not, by the evidence of one parameter each.
fn foreign_hosts<'a>(view: &View<'a>, stage: &'a StageInput) -> BTreeMap<String, Owner<'a>> {
    let mut foreign = BTreeMap::new();
    for (name, value) in stage.values.iter() {
        let own = public_hosts(view, name, value);
        if own.is_empty() {
            continue;
        }
        for input in view.all_stages.iter().filter(|input| input.name != stage.name) {
            let Some(value) = input.values.get(name) else { continue };
            for host in public_hosts(view, name, value)
                .difference(&own)
                .filter(|host| !is_local(host))
            {
                let evidence = Some(Evidence { input, name, value });
                let stage = &input.name;
                foreign.entry(host.clone()).or_insert(Owner { stage, evidence });
            }
        }
    }
    foreign
}

fn public_hosts(view: &View<'_>, name: &ParameterName, value: &Value) -> BTreeSet<String> {
    if view.is_hidden(name, value) {
        return BTreeSet::new();
    }
    hosts(kind(view, name), value.expose())
        .into_iter()
        .map(|host| host.name)
        .collect()
}

fn kind(view: &View<'_>, name: &ParameterName) -> ParameterType {
    view.contract
        .get(name.as_str())
        .map_or(ParameterType::Text, |parameter| parameter.kind)
}

fn foreign_host<'a>(
    view: &View<'a>,
    stage: &StageInput,
    foreign: &BTreeMap<String, Owner<'a>>,
    name: &ParameterName,
    value: &Value,
) -> Option<(Host, Owner<'a>)> {
    let text = value.expose();
    let found = hosts(kind(view, name), text);
    let known = found
        .iter()
        .find_map(|host| Some((host.clone(), *foreign.get(&host.name)?)));
    // A name without a dot may be any word.
    let in_text = || {
        let words = words(text).filter(|word| word.name.contains('.'));
        words
            .filter_map(|word| foreign.get(&word.name).map(|owner| (word, *owner)))
            .next()
    };
    let by_word = || {
        // Its own place in a URL only, and not the host of a secret: the message would tell it.
        let shown = found.iter().filter(|_| !view.is_hidden(name, value));
        shown.cloned().find_map(|host| {
            let owner = stage_in_name(view, &host.name, &stage.name)?;
            Some((
                host,
                Owner {
                    stage: owner,
                    evidence: None,
                },
            ))
        })
    };
    known.or_else(in_text).or_else(by_word)
}

/// The other stage whose name is a word of a host's name, unless this stage's is one too.
fn stage_in_name<'a>(view: &View<'a>, host: &str, own: &StageName) -> Option<&'a StageName> {
    let words: HashSet<&str> = host.split(['.', '-', '_']).map(family).collect();
    if words.contains(family(own.as_str())) {
        return None;
    }
    let stages = view.project.stages.iter().map(|stage| &stage.name);
    stages
        .filter(|stage| *stage != own)
        .find(|stage| words.contains(family(stage.as_str())))
}

/// One word for all the ways to write a usual stage's name.
fn family(word: &str) -> &str {
    match word {
        "dev" | "develop" | "development" => "dev",
        "test" | "tst" | "testing" => "test",
        "stage" | "staging" | "stg" => "staging",
        "prod" | "production" | "prd" => "prod",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    const PARAMETERS: [&str; 4] = ["BASE_URL:url", "WEB_URL:url", "MAIL", "!DB_URL:url"];

    fn told(stages: &[(&str, &str)]) -> Vec<String> {
        Fixture::new(&PARAMETERS, stages).told(find)
    }

    #[test]
    fn a_host_that_differs_elsewhere_is_another_stage_s() {
        let fixture = Fixture::new(
            &PARAMETERS,
            &[
                ("dev", "BASE_URL=http://localhost:8443\nWEB_URL=http://localhost\n"),
                ("qa", "BASE_URL=https://id.one.net\nWEB_URL=https://id.one.net/web\n"),
                (
                    "live",
                    "BASE_URL=https://id.two.net\nWEB_URL='https://id.one.net/web'\nMAIL=admin@id.one.net\n",
                ),
            ],
        )
        .secret("live", "DB_URL", "jdbc:x://id.one.net/?password=hunter2");
        assert_eq!(
            fixture.told(find),
            [
                "error: `DB_URL` of `live` names `id.one.net`, which is `qa`'s host",
                "error: `MAIL` of `live` names `id.one.net`, which is `qa`'s host",
                "error: `WEB_URL` of `live` names `id.one.net`, which is `qa`'s host",
            ]
        );
        let drawn = fixture.drawn(find);
        assert!(
            drawn.contains("env/live.env:2:18") && drawn.contains("`qa` has it here"),
            "{drawn}"
        );
        assert!(!drawn.contains("hunter2"), "{drawn}");
    }

    #[test]
    fn shared_hosts_subdomains_and_own_hosts_are_fine() {
        let stages = [
            ("dev", "BASE_URL=https://qa.two.net\nWEB_URL=https://cdn.net\n"),
            (
                "live",
                "BASE_URL=https://two.net\nWEB_URL=https://cdn.net\nMAIL=a@two.net\n",
            ),
        ];
        assert_eq!(told(&stages), Vec::<String>::new());
    }

    #[test]
    fn a_stage_s_name_in_a_host_is_a_warning_and_so_is_the_first_stage() {
        let stages = [
            ("dev", "BASE_URL=https://a.net\nMAIL=a@b.net"),
            (
                "staging",
                "BASE_URL=https://b.net\nWEB_URL=https://web.example-staging.com",
            ),
            (
                "production",
                "BASE_URL=https://c.net\nWEB_URL=https://web.example-staging.com",
            ),
        ];
        assert_eq!(
            told(&stages),
            [
                "warning: `MAIL` of `dev` names `b.net`, which is `staging`'s host",
                "warning: `WEB_URL` of `production` names `web.example-staging.com`, which has `staging`'s name in it",
            ]
        );
    }

    #[test]
    fn two_stages_with_each_other_s_hosts_are_both_warned_unless_a_name_decides() {
        let stages = [
            ("dev", ""),
            ("staging", "BASE_URL=https://a.net\nWEB_URL=https://b.net"),
            ("prod", "BASE_URL=https://c.net\nWEB_URL=https://a.net"),
        ];
        assert_eq!(
            told(&stages),
            [
                "warning: `BASE_URL` of `staging` names `a.net`, which is `prod`'s host",
                "warning: `WEB_URL` of `prod` names `a.net`, which is `staging`'s host",
            ]
        );
        let stages = stages.map(|(name, text)| (name, text.replace("a.net", "a.staging.net")));
        let stages = stages.each_ref().map(|(name, text)| (*name, text.as_str()));
        let told = told(&stages);
        assert!(
            told.contains(&"error: `WEB_URL` of `prod` names `a.staging.net`, which is `staging`'s host".to_owned())
        );
        assert!(told[0].starts_with("warning: `BASE_URL` of `staging`"));
    }

    #[test]
    fn secrets_teach_nothing() {
        let fixture = Fixture::new(&PARAMETERS, &[("dev", ""), ("prod", "MAIL=x@one.net\n")])
            .secret("dev", "DB_URL", "https://one.net")
            .secret("prod", "DB_URL", "https://two.net");
        assert_eq!(fixture.told(find), Vec::<String>::new());
    }
}
