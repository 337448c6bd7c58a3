//! A host that is only an example (RFC 2606, RFC 6761) in a stage's values: somebody has not filled it in. Silent in the
//! first stage. A warning and no error, for a project begins with such values.

use std::ops::Range;

use super::hosts::{hosts, words};
use super::view::{Rank, Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::ParameterType;

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages.iter().filter(|stage| view.rank(&stage.name) != Rank::First) {
        for (name, value) in stage.values.iter() {
            let kind = view
                .contract
                .get(name.as_str())
                .map_or(ParameterType::Text, |parameter| parameter.kind);
            if let Some((host, piece)) = example(kind, value.expose()) {
                let place = view.piece_span(name, value, piece);
                shared.add(&stage.name, name, place.as_ref(), (name, value, place.clone(), host));
            }
        }
    }
    let finding = |((name, value, place, host), stages): ((&_, &_, _, String), Vec<_>)| {
        let first = stages[0];
        let host = match view.is_hidden(name, value) {
            true => "a host".to_owned(),
            false => format!("`{host}`"),
        };
        let message = format!(
            "`{name}` of {} names {host}, which is an example only",
            listed(stages.iter().copied())
        );
        let diagnostic = View::about(
            Diagnostic::new(Code::StageExampleDomain, message),
            name,
            stages.iter().copied(),
        );
        view.at_value(diagnostic, first, value, place, "nobody answers there")
            .help(format!("give `{name}` the host that `{first}` has"))
    };
    shared.into_found().into_iter().map(finding).collect()
}

/// Also where no address stands: `MAIL=admin@example.com`.
fn example(kind: ParameterType, value: &str) -> Option<(String, Range<usize>)> {
    let found = hosts(kind, value).into_iter().find(|host| is_example(&host.name));
    let found = found.or_else(|| words(value).find(|word| is_example(&word.name)));
    found.map(|host| (host.name, host.range))
}

fn is_example(host: &str) -> bool {
    let within = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let reserved = ["test", "example", "invalid"];
    ["example.com", "example.org", "example.net"].into_iter().any(within)
        || reserved
            .iter()
            .any(|ending| host.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn silent_in_the_first_stage_then_a_warning() {
        let text = "A=https://login.example.com/x\nB=a@my.test\nC=https://myexample.com\nD=test\nE=a.example.de\n";
        let fixture = Fixture::new(&["A:url", "B", "C:url", "D", "E"], &[("dev", text), ("prod", text)]).secret(
            "prod",
            "F",
            "jdbc:x://db.invalid/?password=hunter2",
        );
        assert_eq!(
            fixture.told(find),
            [
                "warning: `A` of `prod` names `login.example.com`, which is an example only",
                "warning: `B` of `prod` names `my.test`, which is an example only",
                "warning: `F` of `prod` names a host, which is an example only",
            ]
        );
        let drawn = fixture.drawn(find);
        assert!(
            drawn.contains("env/prod.env:1:11") && !drawn.contains("hunter2"),
            "{drawn}"
        );
    }
}
