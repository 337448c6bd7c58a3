//! A secret in a plain values file, which lies in git and is read by everyone who can read the project.

use super::StageInput;
use super::view::{Shared, View, listed};
use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::profile::{ParameterName, ParameterType};
use crate::project::StageName;
use crate::values::{Origin, Value, check_type, is_secret_name, secret_by_pattern};

/// Looks at all plain values, also at those that a later file or a secret source takes the place of.
///
/// An error: what the contract calls secret, and what is a private key, a token or a password by its looks. A warning:
/// what only its name says of a value that nothing asks for, a secret that the server's own key encrypts (good as
/// long as that key is not the well-known default), and a plain value behind which a secret source has another one.
pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        let overridden = stage.values.overridden().iter().map(|(name, value)| (name, value));
        for (name, value) in stage.values.iter().chain(overridden) {
            let Origin::File(span) = &value.origin else { continue };
            if let Some(reason) = reason(view, stage, name, value) {
                // Withheld whatever the reason: it was told because it may be a secret.
                shared.add(&stage.name, name, Some(span), (stage, name, span.withheld(), reason));
            }
        }
    }
    let finding = |((stage, name, place, reason), stages): ((&StageInput, &_, _, _), Vec<_>)| {
        finding(view, stage, name, place, reason, &stages)
    };
    shared.into_found().into_iter().map(finding).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Secret,
    Looks(&'static str),
    Name,
    Encrypted,
    TwoOrigins,
}

fn reason(view: &View<'_>, stage: &StageInput, name: &ParameterName, value: &Value) -> Option<Reason> {
    if value.expose().trim().is_empty() {
        return None;
    }
    let parameter = view.contract.get(name.as_str());
    let said_plain = view.project.parameters.get(name).and_then(|said| said.secret) == Some(false);
    if parameter.is_some_and(|parameter| parameter.secret) {
        let encrypted = check_type(ParameterType::Encrypted, value.expose()).is_ok();
        return Some(if encrypted { Reason::Encrypted } else { Reason::Secret });
    }
    if let Some(looks) = secret_by_pattern(value.expose()).filter(|_| !said_plain) {
        return Some(Reason::Looks(looks));
    }
    if parameter.is_none() && !said_plain && is_secret_name(name.as_str()) {
        return Some(Reason::Name);
    }
    let winner = stage.values.get(name)?;
    winner.is_secret().then_some(Reason::TwoOrigins)
}

fn finding(
    view: &View<'_>,
    stage: &StageInput,
    name: &ParameterName,
    place: Span,
    reason: Reason,
    stages: &[&StageName],
) -> Diagnostic {
    let file = place.source.path().to_owned();
    let names = listed(stages.iter().copied());
    let message = match reason {
        Reason::Secret => format!("`{name}` is a secret and stands in `{file}`, a plain file of {names}"),
        Reason::Looks(what) => format!("`{name}` in `{file}`, a plain file of {names}, looks like {what}"),
        Reason::Name => format!("`{name}` in `{file}`, a plain file of {names}, is a secret by its name"),
        Reason::Encrypted => {
            format!(
                "`{name}` in `{file}`, a plain file of {names}, is as safe as the key that the server encrypted it with"
            )
        }
        Reason::TwoOrigins => {
            let winner = match stage.values.get(name).map(|value| &value.origin) {
                Some(Origin::Source(source)) => source.as_str(),
                _ => "a secret source",
            };
            format!("`{name}` stands in `{file}` and in `{winner}`, which wins in {names}")
        }
    };
    let diagnostic = View::about(
        Diagnostic::new(Code::SecretInValues, message),
        name,
        stages.iter().copied(),
    );
    let mut diagnostic = diagnostic.at(place, "it stands here");
    if matches!(reason, Reason::Name | Reason::Encrypted | Reason::TwoOrigins) {
        diagnostic.severity = Severity::Warning;
    }
    let source = view.stage(&stage.name).and_then(|stage| stage.secrets.first());
    let moved = match source {
        Some(source) => format!("move it to `{source}`"),
        None => format!(
            "give `{}` a secret source (`secrets = […]`) and move it there",
            stage.name
        ),
    };
    match reason {
        Reason::TwoOrigins => diagnostic.help("take one of the two out"),
        Reason::Encrypted => diagnostic.help(moved).help(
            "check that `CONFIG_ENCRYPTION_KEY` is set where it was encrypted: the server's default key is public",
        ),
        _ => diagnostic
            .help(format!("{moved}, and change it at its origin: git keeps the old one"))
            .help(format!(
                "if it is no secret: `{name} = {{ secret = false }}` under `[parameters]`"
            )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn finds_secrets_by_contract_looks_name_and_never_shows_them() {
        let encrypted = format!(
            "data:text/plain;aes,v:S.{0}.{0}.QUJD.{1}=",
            "A".repeat(22) + "==",
            "z".repeat(43)
        );
        let text = format!(
            "PASSWORD=hunter2\nURL=https://u:hunter2@db/\nOLD_SECRET=hunter2\nCRYPTED='{encrypted}'\nPLAIN=hunter2\nEMPTY=\nFINE=ok\n"
        );
        let parameters = ["!PASSWORD", "URL:url", "!CRYPTED", "PLAIN", "!EMPTY", "FINE"];
        let fixture = Fixture::new(&parameters, &[("prod", &text)])
            .secret("prod", "PLAIN", "x")
            .secret("prod", "PASSWORD", "y");
        assert_eq!(
            fixture.told(find),
            [
                "warning: `CRYPTED` in `env/prod.env`, a plain file of `prod`, is as safe as the key that the server \
                 encrypted it with",
                "warning: `OLD_SECRET` in `env/prod.env`, a plain file of `prod`, is a secret by its name",
                "error: `URL` in `env/prod.env`, a plain file of `prod`, looks like a password in an address",
                "warning: `PLAIN` stands in `env/prod.env` and in `env:PROD_`, which wins in `prod`",
                "error: `PASSWORD` is a secret and stands in `env/prod.env`, a plain file of `prod`",
            ]
        );
        let drawn = fixture.drawn(find);
        assert!(!drawn.contains("hunter2") && !drawn.contains("QUJD"), "{drawn}");
        assert!(drawn.contains("move it to `env:PROD_`"), "{drawn}");
    }
}
