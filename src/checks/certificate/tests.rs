use super::*;
use crate::checks::fixture::Fixture;
use crate::values::material::testing::{Day, authority, made};

const TODAY: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    TODAY.parse().expect("time")
}

fn rule(view: &View<'_>) -> Vec<Diagnostic> {
    find(view, &in_values(view.stages), now())
}

fn told(text: &str) -> Vec<String> {
    Fixture::new(&["CERT"], &[("prod", "")])
        .secret("prod", "CERT", text)
        .told(rule)
}

fn one(from: Day, to: Day) -> Vec<String> {
    told(&made("a.net", from, to).certificate)
}

#[test]
fn the_days_that_are_left_tell_how_bad_it_is() {
    let expires = |severity: &str, day: &str| {
        vec![format!(
            "{severity}: the certificate `a.net` in `CERT` of `prod` expires on {day}"
        )]
    };
    let from = (2026, 1, 1);
    assert_eq!(one(from, (2027, 1, 1)), Vec::<String>::new());
    assert_eq!(one(from, (2026, 7, 2)), Vec::<String>::new());
    assert_eq!(one(from, (2026, 7, 1)), expires("warning", "2026-07-01"));
    assert_eq!(one(from, (2026, 6, 15)), expires("warning", "2026-06-15"));
    assert_eq!(one(from, (2026, 6, 9)), expires("warning", "2026-06-09"));
    assert_eq!(one(from, (2026, 6, 8)), expires("error", "2026-06-08"));
    assert_eq!(
        one(from, (2026, 5, 31)),
        ["error: the certificate `a.net` in `CERT` of `prod` expired on 2026-05-31"]
    );
    assert_eq!(
        one((2026, 6, 2), (2027, 1, 1)),
        ["error: the certificate `a.net` in `CERT` of `prod` is not valid before 2026-06-02"]
    );
}

#[test]
fn a_short_life_has_short_notices() {
    assert_eq!(one((2026, 5, 30), (2026, 6, 5)), Vec::<String>::new());
    assert_eq!(one((2026, 5, 24), (2026, 6, 3)).len(), 1);
}

#[test]
fn an_old_authority_among_others_is_a_warning() {
    let old = authority("Old", (2010, 1, 1), (2020, 1, 1)).certificate;
    let older = authority("Older", (2010, 1, 1), (2019, 1, 1)).certificate;
    let new = authority("New", (2020, 1, 1), (2040, 1, 1)).certificate;
    assert_eq!(
        told(&[old.as_str(), &older, &new].concat()),
        ["warning: the certificate `Older` (and one other) in `CERT` of `prod` expired on 2019-01-01"]
    );
    assert!(told(&old)[0].starts_with("error: "));
}

#[test]
fn says_where_and_how_long_ago_and_never_shows_a_key() {
    let made = made("a.net", (2026, 1, 1), (2026, 5, 1));
    let line = format!("CERT=\"{}\"\n", made.certificate.trim());
    let fixture = Fixture::new(&["CERT", "!BOTH"], &[("dev", &line), ("prod", "")]).secret(
        "prod",
        "BOTH",
        &format!("{}{}", made.key, made.certificate),
    );
    let drawn = fixture.drawn(rule);
    assert!(
        drawn.contains("env/dev.env:1:") && drawn.contains("31 days ago"),
        "{drawn}"
    );
    assert!(drawn.contains("from `env:PROD_`: 31 days ago"), "{drawn}");
    assert!(
        drawn.contains("help: renew it, and give `BOTH` of `prod` the new one"),
        "{drawn}"
    );
    let secret = made.key.lines().nth(1).expect("a line");
    assert!(!drawn.contains(secret), "{drawn}");
}

#[test]
fn the_configuration_s_own_certificates_count_and_all_are_on_the_line_of_time() {
    let here = authority("Ours", (2020, 1, 1), (2026, 1, 1)).certificate;
    let there = made("a.net", (2026, 1, 1), (2027, 1, 1)).certificate;
    let xml = format!("<facilities><crypto><id>a</id><keystore>\n{here}</keystore></crypto></facilities>");
    let (bundle, _) = crate::bundle::testing::read_contents(&[&xml]);
    let fixture = Fixture::new(&["CERT"], &[("dev", "")]).secret("dev", "CERT", &there);
    let context = Context {
        project: &fixture.project,
        bundle: &bundle,
        contract: &fixture.contract,
        stages: &fixture.stages,
        all_stages: &fixture.stages,
        now: now(),
    };
    let found = super::super::carried::find(&context);
    let messages: Vec<_> = found.iter().map(|found| found.message.as_str()).collect();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert!(
        message.starts_with("the certificate `Ours` in `/facilities"),
        "{message}"
    );
    let line: Vec<_> = expiries(&context)
        .into_iter()
        .map(|expiry| {
            (
                expiry.stage.map(|stage| stage.to_string()),
                expiry.subject,
                expiry.standing.as_str(),
            )
        })
        .collect();
    assert_eq!(
        line,
        [
            (None, "Ours".to_owned(), "expired"),
            (Some("dev".to_owned()), "a.net".to_owned(), "fine"),
        ]
    );
}
