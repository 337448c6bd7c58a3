//! Hosts in values: of addresses (`https://h:1/`, `jdbc:x://h;a=b`), and plain ones.

use std::ops::Range;

use crate::profile::ParameterType;

/// A host in lower case, without port and brackets, and where it stands in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) range: Range<usize>,
}

/// The hosts of a value: those of all addresses in it, and the value itself where the type says that it is one.
pub(super) fn hosts(kind: ParameterType, value: &str) -> Vec<Host> {
    let mut found: Vec<_> = value
        .match_indices("//")
        .filter(|(at, _)| value[..*at].ends_with([':', '@']))
        .filter_map(|(at, _)| authority_host(value, at + 2))
        .collect();
    if kind == ParameterType::Host && found.is_empty() && !value.trim().is_empty() {
        let start = value.len() - value.trim_start().len();
        found.extend(bare_host(value, start..start + value.trim().len()));
    }
    found
}

/// The host of the authority that begins at `start` (RFC 3986 §3.2).
pub(super) fn authority_host(value: &str, start: usize) -> Option<Host> {
    let border =
        |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | ';' | ',' | '"' | '\'' | '\\' | '<' | '>' | '|');
    let authority = value[start..].split(border).next().unwrap_or_default();
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    bare_host(value, start + user..start + authority.len())
}

/// A range without its port and brackets.
fn bare_host(value: &str, range: Range<usize>) -> Option<Host> {
    let text = &value[range.clone()];
    let range = match text.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(length) => range.start + 1..range.start + 1 + length,
        // More than one colon: an IPv6 address without brackets.
        None if text.matches(':').count() == 1 => range.start..range.start + text.find(':').unwrap_or(text.len()),
        None => range,
    };
    let name = value[range.clone()].trim_end_matches('.').to_lowercase();
    (!name.is_empty()).then_some(Host { name, range })
}

/// Whether a host is the machine itself, seen from where it stands.
pub(super) fn is_local(host: &str) -> bool {
    let loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    loopback
        || matches!(host, "localhost" | "localhost.localdomain" | "host.docker.internal")
        || host.ends_with(".localhost")
}

/// All runs of characters of which names of hosts are made: for hosts in free text, where no address stands.
pub(super) fn words(text: &str) -> impl Iterator<Item = Host> + '_ {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut at = 0;
    text.split(move |c| !part(c)).map(move |run| {
        let start = text[at..].find(run).map_or(at, |offset| at + offset);
        at = start + run.len();
        let name = run.trim_matches('.');
        let start = start + run.len() - run.trim_start_matches('.').len();
        Host {
            name: name.to_lowercase(),
            range: start..start + name.len(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kind: ParameterType, value: &str) -> Vec<String> {
        let found = hosts(kind, value);
        for host in &found {
            assert!(value[host.range.clone()].to_lowercase().starts_with(&host.name));
        }
        found.into_iter().map(|host| host.name).collect()
    }

    #[test]
    fn hosts_come_out_of_addresses_and_host_values() {
        use ParameterType::{Host, Text, Url};
        for (kind, value, expected) in [
            (Url, "https://Login.Example.com:8443/a//b", vec!["login.example.com"]),
            (Url, "https://user:p@[::1]:1/", vec!["::1"]),
            (Text, "jdbc:sqlserver://db.x;database=a", vec!["db.x"]),
            (Text, "jdbc:oracle:thin:@//ora.x:1521/s", vec!["ora.x"]),
            (Text, "https://a.x, https://b.x", vec!["a.x", "b.x"]),
            (Host, " smtp.x ", vec!["smtp.x"]),
            (Host, "smtp.x:25", vec!["smtp.x"]),
            (Text, "smtp.x", vec![]),
            (Text, "a//b", vec![]),
            (Url, "https://", vec![]),
            (Host, "", vec![]),
        ] {
            assert_eq!(names(kind, value), expected, "{value}");
        }
    }

    #[test]
    fn words_are_whole_names() {
        let text = "mail to a@Staging.X, now .b.c. ä…d";
        let found: Vec<_> = words(text).filter(|word| !word.name.is_empty()).collect();
        let names: Vec<_> = found.iter().map(|word| word.name.as_str()).collect();
        assert_eq!(names, ["mail", "to", "a", "staging.x", "now", "b.c", "ä", "d"]);
        for word in found {
            assert_eq!(text[word.range.clone()].to_lowercase(), word.name);
        }
    }

    #[test]
    fn local_machines() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "app.localhost",
            "host.docker.internal",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in ["0.0.0.0", "localhost.example.com", "mylocalhost", "10.0.0.1"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
