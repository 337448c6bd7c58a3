//! Whose applications a change touches: clients, by their own settings and by what they use.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Bundle, Change, Impact, Node};
use crate::profile::ServerProfile;
use crate::project::Project;
use crate::report::changes::Application;

/// What an application is in the words of a profile's components.
const APPLICATION: &str = "client";

/// The applications that changes touch, the gravest first.
pub(super) fn applications(project: &Project, before: &Bundle, after: &Bundle, changes: &[Change]) -> Vec<Application> {
    let server = &project.server;
    let mut touched: BTreeMap<String, Touched> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.subject.what == APPLICATION) {
        touched.entry(change.subject.id.clone()).or_default().add(change, None);
    }
    let users = [users(server, before), users(server, after)];
    for change in changes.iter().filter(|change| change.subject.what != APPLICATION) {
        let (what, id) = (change.subject.what.as_str(), change.subject.id.as_str());
        let clients: BTreeSet<&String> = users
            .iter()
            .filter_map(|users| users.get(what)?.get(id))
            .flatten()
            .collect();
        for client in clients {
            let through = change.subject.to_string();
            touched.entry(client.clone()).or_default().add(change, Some(through));
        }
    }
    let mut told = owners_told(server, before);
    told.extend(owners_told(server, after));
    let owners = |client: &str| {
        let by_file = project.owners.of(&format!("{APPLICATION}:{client}"));
        by_file.map_or_else(|| told.get(client).cloned().unwrap_or_default(), <[String]>::to_vec)
    };
    let mut applications: Vec<_> = touched
        .into_iter()
        .map(|(client, touched)| Application {
            owners: owners(&client),
            client,
            changes: touched.changes,
            severity: touched.severity.unwrap_or(Impact::Cosmetic),
            through: touched.through.into_iter().collect(),
        })
        .collect();
    applications.sort_by_key(|application| std::cmp::Reverse(application.severity));
    applications
}

#[derive(Default)]
struct Touched {
    changes: usize,
    severity: Option<Impact>,
    through: BTreeSet<String>,
}

impl Touched {
    fn add(&mut self, change: &Change, through: Option<String>) {
        self.changes += 1;
        self.severity = self.severity.max(Some(change.severity));
        self.through.extend(through);
    }
}

/// The clients that name a thing, by what it is and its id.
fn users<'p>(server: &'p ServerProfile, bundle: &Bundle) -> BTreeMap<&'p str, BTreeMap<String, BTreeSet<String>>> {
    let mut users: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for rule in &server.references {
        for leaf in bundle.tree().find_any(&rule.used_by) {
            if let Some(client) = application_of(server, &leaf) {
                let things = users.entry(rule.what.as_str()).or_default();
                things.entry(leaf.value().into_owned()).or_default().insert(client);
            }
        }
    }
    users
}

/// Who owns each client, as its own settings say.
fn owners_told(server: &ServerProfile, bundle: &Bundle) -> BTreeMap<String, Vec<String>> {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in &server.owners {
        for leaf in bundle.tree().find(&rule.path) {
            let is_meant = rule
                .key
                .as_deref()
                .is_none_or(|key| leaf.parent().and_then(|entry| entry.key()).as_deref() == Some(key));
            let value = leaf.value();
            if let (true, false, Some(client)) = (is_meant, value.is_empty(), application_of(server, &leaf)) {
                owners.entry(client).or_default().push(value.into_owned());
            }
        }
    }
    owners
}

/// The client that an element is below.
fn application_of(server: &ServerProfile, node: &Node<'_>) -> Option<String> {
    let is_application = |node: &Node<'_>| {
        let names = node.local_path();
        server
            .components
            .iter()
            .any(|rule| rule.what == APPLICATION && rule.path.matches(&names))
    };
    std::iter::successors(Some(*node), Node::parent)
        .find(is_application)
        .and_then(|node| node.key().map(std::borrow::Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::diff;
    use crate::diagnostic::Source;
    use crate::project::Owners;

    const SERVER: &str = "profiles/profile/settings/authorization-server";

    fn configuration(clients: &str, scopes: &str) -> String {
        let inner =
            format!("<client-store><config-backed>{clients}</config-backed></client-store><scopes>{scopes}</scopes>");
        let element = |inner: String, name: &str| match name {
            "profile" => format!("<profile><id>oauth</id><type>t</type>{inner}</profile>"),
            name => format!("<{name}>{inner}</{name}>"),
        };
        let tree = SERVER.rsplit('/').fold(inner, element);
        format!("<config xmlns=\"http://tail-f.com/ns/config/1.0\">{tree}</config>")
    }

    fn told(before: (&str, &str), after: (&str, &str), owners: &str) -> Vec<String> {
        let mut project = crate::ops::fixture::project("curity");
        project.owners = Owners::read(&Source::new("OWNERS", owners)).0;
        let read = |(clients, scopes): (&str, &str)| {
            let (bundle, found) = Bundle::read(
                vec![Source::new("a.xml", configuration(clients, scopes))],
                &project.server,
            );
            assert!(found.is_empty(), "{found:?}");
            bundle
        };
        let (before, after) = (read(before), read(after));
        let changes = diff(&before, &after);
        applications(&project, &before, &after, &changes)
            .iter()
            .map(|found| {
                let (client, owners, through) = (&found.client, found.owners.join(" "), found.through.join(", "));
                format!("{client} [{owners}] {} {through}", found.changes)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn clients_are_touched_by_their_own_settings_and_by_what_they_use() {
        let owned = "<properties><property><key>owner</key><value>@web</value></property>\
                     <property><key>tier</key><value>1</value></property></properties>";
        let web = format!("<client><id>web</id>{owned}<scope>read</scope></client>");
        let after = format!("<client><id>web</id>{owned}<scope>read</scope><description>x</description></client>");
        let app = "<client><id>app</id><scope>read</scope></client>";
        let other = "<client><id>other</id></client>";
        let scope = |lifetime: u32| format!("<scope><id>read</id><required>{lifetime}</required></scope>");
        assert_eq!(
            told(
                (&format!("{web}{app}{other}"), &scope(1)),
                (&format!("{after}{app}{other}"), &scope(2)),
                "client:app @apps\n"
            ),
            ["app [@apps] 1 scope `read`", "web [@web] 2 scope `read`"]
        );
    }

    #[test]
    fn the_file_wins_and_who_is_gone_has_an_owner_still() {
        let owned = "<properties><property><key>owner</key><value>@web</value></property></properties>";
        let gone = format!("<client><id>gone</id>{owned}</client>");
        let stays = "<client><id>stays</id></client>";
        let both = format!("{gone}{stays}");
        assert_eq!(told((&both, ""), (stays, ""), ""), ["gone [@web] 1"]);
        assert_eq!(told((&both, ""), (stays, ""), "client:* @iam\n"), ["gone [@iam] 1"]);
        assert_eq!(told((&both, ""), (stays, ""), "client:*\n"), ["gone [] 1"]);
    }
}
