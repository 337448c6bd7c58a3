//! Each rule of a built-in profile has an example on which it fires and one on which it stays quiet; a rule without
//! fails.

use std::collections::BTreeSet;

use super::super::testing::{ROOT, read_as};
use super::*;
use crate::profile::{Format, Root, ServerProfile, XmlShape};

const FIXTURES: [(&str, &str); 3] = [
    ("curity", include_str!("fixtures/curity.txt")),
    ("keycloak", include_str!("fixtures/keycloak.txt")),
    ("generic", include_str!("fixtures/generic.txt")),
];

/// One line of a file of fixtures.
struct Fixture {
    line: usize,
    because: String,
    fires: bool,
    path: String,
    before: String,
    after: String,
}

fn fixtures(text: &str) -> Vec<Fixture> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut because = String::new();
    let mut fixtures = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let (sign, rest) = line.split_once(' ').expect("a sign");
        match sign {
            "#" => {}
            "let" => {
                let (name, path) = rest.split_once(" = ").expect("a name");
                names.push((format!("{{{name}}}"), path.to_owned()));
            }
            "=" => rest.clone_into(&mut because),
            "+" | "." => {
                let columns: Vec<_> = rest.split(" ~ ").map(str::trim).collect();
                let [path, before, after] = columns[..] else {
                    panic!("line {}: path ~ before ~ after", index + 1)
                };
                let path = names
                    .iter()
                    .fold(path.to_owned(), |path, (name, is)| path.replace(name, is));
                fixtures.push(Fixture {
                    line: index + 1,
                    because: because.clone(),
                    fires: sign == "+",
                    path,
                    before: before.to_owned(),
                    after: after.to_owned(),
                });
            }
            other => panic!("line {}: `{other}` is no sign", index + 1),
        }
    }
    fixtures
}

/// A file with elements of these contents at the path.
fn document(path: &str, contents: &str) -> String {
    let (parents, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut document = ROOT.to_owned();
    let parents = || parents.split('/').filter(|name| !name.is_empty());
    document.extend(parents().map(|name| format!("<{name}>")));
    for content in contents.split(" ; ").filter(|content| *content != "-") {
        let content = if content == "()" { "" } else { content };
        document += &format!("<{last}>{content}</{last}>");
    }
    document.extend(parents().rev().map(|name| format!("</{name}>")));
    document + "</config>"
}

/// The profile, reading XML whatever its server reads: rules are about names and values.
fn profile(name: &str) -> ServerProfile {
    let mut profile = ServerProfile::built_in(name).expect("built in");
    profile.format = Format::Xml;
    profile.xml = Some(XmlShape {
        root: Root {
            name: "config".to_owned(),
            namespace: "http://tail-f.com/ns/config/1.0".to_owned(),
        },
        rejected_roots: Vec::new(),
    });
    profile
}

#[test]
fn each_rule_fires_where_it_must_and_stays_quiet_where_it_must() {
    for (name, text) in FIXTURES {
        let profile = profile(name);
        let mut proven = BTreeSet::new();
        for fixture in fixtures(text) {
            let because = fixture.because.as_str();
            let rule = profile.changes.iter().find(|rule| rule.because == because);
            let rule = rule.unwrap_or_else(|| panic!("{name}.txt:{}: no rule says `{because}`", fixture.line));
            let read = |contents| read_as(&[&document(&fixture.path, contents)], &profile).0;
            let changes = diff(&read(&fixture.before), &read(&fixture.after));
            let place = format!("{name}.txt:{}: {changes:#?}", fixture.line);
            assert!(!changes.is_empty(), "{place}");
            let said = |change: &&Change| change.because.as_deref().is_some_and(|words| words.ends_with(because));
            let fired = changes.iter().find(said);
            assert_eq!(fired.is_some(), fixture.fires, "{place}");
            assert!(fired.is_none_or(|change| change.severity == rule.severity), "{place}");
            proven.insert((because.to_owned(), fixture.fires));
        }
        let rules: BTreeSet<_> = profile.changes.iter().map(|rule| rule.because.as_str()).collect();
        assert_eq!(rules.len(), profile.changes.len(), "{name}: two rules say the same");
        for because in rules {
            for fires in [true, false] {
                assert!(
                    proven.contains(&(because.to_owned(), fires)),
                    "{name}: `{because}` has no fixture, {fires}"
                );
            }
        }
    }
}

#[test]
fn what_holds_a_promotion() {
    let held = |path: &str, before: &str, after: &str| {
        let profile = profile("curity");
        let read = |contents| read_as(&[&document(path, contents)], &profile).0;
        let changes = diff(&read(before), &read(after));
        let named = changes.iter().filter(|change| change.must_be_named());
        named.map(|change| change.subject.argument()).collect::<Vec<_>>()
    };
    let store = "profiles/profile/settings/authorization-server/client-store/config-backed";
    assert_eq!(held(&format!("{store}/client"), "<id>web</id>", "-"), ["client:web"]);
    assert_eq!(
        held("facilities/data-sources/data-source", "<id>a</id>", "-"),
        ["data-source:a"]
    );
    // A thing of which no rule speaks.
    assert_eq!(held("facilities/http/client", "<id>a</id>", "-"), ["HTTP-client:a"]);
    let client = |rest: &str| format!("<id>web</id>{rest}");
    let logo = client("<logo>data:a</logo><id-token-ttl>300</id-token-ttl>");
    assert_eq!(held(&format!("{store}/client"), &logo, &client("")), [""; 0]);
    assert_eq!(
        held("environments/environment/base-url", "a", "b"),
        ["setting:environment/base-url"]
    );
}

#[test]
fn arrays_of_a_realm_are_lists() {
    let profile = ServerProfile::built_in("keycloak").expect("built in");
    let told = |before: &str, after: &str| {
        let read = |text: &str| {
            let source = crate::diagnostic::Source::new("shop-realm.json", format!("{{\"realm\": \"shop\", {text}}}"));
            let (bundle, diagnostics) = Bundle::read(vec![source], &profile);
            assert!(diagnostics.is_empty(), "{diagnostics:?}");
            bundle
        };
        let changes = diff(&read(before), &read(after));
        let line = |change: &Change| {
            let (kind, severity) = (change.kind.as_str(), change.severity.as_str());
            format!("{severity} {kind} {} {}", change.subject, change.path)
        };
        changes.iter().map(line).collect::<Vec<_>>()
    };
    let clients = |of_web: &str, rest: &str| format!("\"clients\": [{{\"clientId\": \"web\"{of_web}}}{rest}]");
    assert_eq!(
        told(
            &clients(", \"redirectUris\": []", ", {\"clientId\": \"old\"}"),
            &clients(
                ", \"redirectUris\": [\"https://a.example/*\"], \"publicClient\": true",
                ", {\"clientId\": \"new\", \"implicitFlowEnabled\": true}"
            ),
        ),
        [
            "security added client `web` /realm[shop]/clients[web]/redirectUris",
            "security added client `web` /realm[shop]/clients[web]/publicClient",
            "security added client `new` /realm[shop]/clients[new]",
            "breaking removed client `old` /realm[shop]/clients[old]",
        ]
    );
    assert_eq!(
        told(
            &clients(", \"redirectUris\": [\"a\", \"b\"]", ""),
            &clients(", \"redirectUris\": [\"b\", \"a\"]", "")
        ),
        [""; 0]
    );
    assert_eq!(
        told(
            &clients(", \"redirectUris\": [\"a\"]", ""),
            &clients(", \"redirectUris\": []", "")
        ),
        ["breaking removed client `web` /realm[shop]/clients[web]/redirectUris"]
    );
    // No items is something else than no word about it.
    assert_eq!(
        told(&clients("", ""), &clients(", \"redirectUris\": []", "")),
        ["behaviour added client `web` /realm[shop]/clients[web]/redirectUris"]
    );
    // Objects in an array without a known key.
    let executions = |list: &str| format!("\"x\": [{list}]");
    assert_eq!(
        told(&executions("{\"a\": 1}"), &executions("{\"a\": 2}, {\"a\": 1}")),
        ["behaviour added realm `shop` /realm[shop]/x"]
    );
}
