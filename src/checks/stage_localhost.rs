//! The local machine's name in a stage's values. Usual in the first stage (silent), doubtful in between (a warning),
//! an outage in the last one (an error).

use std::ops::Range;

use super::hosts::{hosts, is_local, words};
use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::ParameterType;

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        let Some(severity) = view.rank(&stage.name).rising_severity() else {
            continue;
        };
        for (name, value) in stage.values.iter() {
            let kind = view
                .contract
                .get(name.as_str())
                .map_or(ParameterType::Text, |parameter| parameter.kind);
            if let Some(piece) = local_piece(kind, value.expose()) {
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
        let message = format!("`{name}` of {} names the local machine", listed(stages.iter().copied()));
        let mut diagnostic = View::about(
            Diagnostic::new(Code::StageLocalhost, message),
            name,
            stages.iter().copied(),
        );
        diagnostic.severity = severity;
        view.at_value(
            diagnostic,
            first,
            value,
            place,
            "in a container this is the container itself",
        )
        .help(format!(
            "give `{name}` the address under which the others reach it in `{first}`"
        ))
    };
    shared.into_found().into_iter().map(finding).collect()
}

/// Also where no address stands: `SMTP=localhost:25`.
fn local_piece(kind: ParameterType, value: &str) -> Option<Range<usize>> {
    let found = hosts(kind, value).into_iter().find(|host| is_local(&host.name));
    found
        .or_else(|| words(value).find(|word| is_local(&word.name)))
        .map(|host| host.range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn silent_then_a_warning_then_an_error() {
        let text = "A=http://localhost:8443\nB=127.0.0.1:25\nC=https://localhost.example.com\nD=0.0.0.0\n";
        let fixture = Fixture::new(
            &["A:url", "B", "C:url", "D"],
            &[("dev", text), ("staging", text), ("prod", text)],
        );
        assert_eq!(
            fixture.told(find),
            [
                "warning: `A` of `staging` names the local machine",
                "warning: `B` of `staging` names the local machine",
                "error: `A` of `prod` names the local machine",
                "error: `B` of `prod` names the local machine",
            ]
        );
        assert!(fixture.drawn(find).contains("env/prod.env:1:10"));
    }

    #[test]
    fn a_project_s_only_stage_is_warned() {
        let fixture = Fixture::new(&["A:url"], &[("only", "A=https://[::1]/\n")]);
        assert_eq!(fixture.told(find), ["warning: `A` of `only` names the local machine"]);
    }
}
