//! An `http://` address in a stage's values. Usual in the first stage (silent), a warning in between, an error in the
//! last one; only a warning where the host can be reached from inside a cluster alone.

use std::ops::Range;

use super::hosts::{hosts, is_local};
use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::profile::ParameterType;

/// Names that look like addresses and are never called: XML namespaces and claim types.
const IDENTIFIERS: [&str; 5] = [
    "schemas.xmlsoap.org",
    "schemas.microsoft.com",
    "www.w3.org",
    "docs.oasis-open.org",
    "schemas.openid.net",
];
/// Endings of names that only a cluster or a private network knows.
const INSIDE: [&str; 4] = [".svc", ".svc.cluster.local", ".internal", ".local"];

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        let Some(severity) = view.rank(&stage.name).rising_severity() else {
            continue;
        };
        for (name, value) in stage.values.iter() {
            if let Some((piece, reach)) = plain_http(value.expose()) {
                let severity = if reach == Reach::Inside {
                    Severity::Warning
                } else {
                    severity
                };
                let place = view.piece_span(name, value, piece);
                shared.add(
                    &stage.name,
                    name,
                    place.as_ref(),
                    (name, value, place.clone(), severity),
                );
            }
        }
    }
    let finding = |((name, value, place, severity), stages): ((&_, &_, _, _), Vec<_>)| {
        let first = stages[0];
        let message = format!("`{name}` of {} is an `http://` address", listed(stages.iter().copied()));
        let mut diagnostic = View::about(
            Diagnostic::new(Code::StagePlainHttp, message),
            name,
            stages.iter().copied(),
        );
        diagnostic.severity = severity;
        view.at_value(
            diagnostic,
            first,
            value,
            place,
            "tokens and passwords would travel in the clear",
        )
        .help("write `https://`")
    };
    shared.into_found().into_iter().map(finding).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Inside,
    Outside,
}

/// The first `http://` that is an address, and from where its host can be reached. The local machine is another rule's.
fn plain_http(value: &str) -> Option<(Range<usize>, Reach)> {
    const SCHEME: &str = "http://";
    let lower = value.to_ascii_lowercase();
    lower.match_indices(SCHEME).find_map(|(at, _)| {
        let host = hosts(ParameterType::Url, &value[at..]).into_iter().next()?.name;
        if is_local(&host) || IDENTIFIERS.contains(&host.as_str()) {
            return None;
        }
        let inside = !host.contains(['.', ':']) || INSIDE.iter().any(|ending| host.ends_with(ending));
        Some((
            at..at + SCHEME.len(),
            if inside { Reach::Inside } else { Reach::Outside },
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn silent_then_a_warning_then_an_error() {
        let text = "A=HTTP://a.example\nB='https://b.example http://b.example'\nC=http://vault:8200\nD=http://localhost\n\
                    E=http://schemas.xmlsoap.org/ws\nF=https://f.example\n";
        let parameters = ["A:url", "B", "C:url", "D:url", "E", "F:url"];
        let fixture = Fixture::new(&parameters, &[("dev", text), ("staging", text), ("prod", text)]);
        assert_eq!(
            fixture.told(find),
            [
                "warning: `A` of `staging` is an `http://` address",
                "warning: `B` of `staging` is an `http://` address",
                "warning: `C` of `staging` is an `http://` address",
                "error: `A` of `prod` is an `http://` address",
                "error: `B` of `prod` is an `http://` address",
                "warning: `C` of `prod` is an `http://` address",
            ]
        );
        assert!(fixture.drawn(find).contains("env/prod.env:2:22"));
    }
}
