//! `[oidc]` names a parameter that the configuration does not ask for: a test would act as a client that no stage has.

use super::view::View;
use crate::bundle::Template;
use crate::diagnostic::{Code, Diagnostic, Span, nearest};

pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let Some(oidc) = &view.project.oidc else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let syntax = &view.project.server.placeholder;
    let of_clients = oidc
        .clients
        .iter()
        .flat_map(|client| std::iter::once(&client.id).chain(&client.redirect_uris));
    for written in std::iter::once(&oidc.issuer).chain(of_clients) {
        match Template::read(&written.text, syntax) {
            Ok(template) => {
                let names = template.parameters().filter(|(_, has_default)| !has_default);
                found.extend(names.filter_map(|(name, _)| unknown(view, name.as_str(), &written.span)));
            }
            Err(problem) => {
                found.push(Diagnostic::new(Code::OidcParameter, problem).at(written.span.clone(), ""));
            }
        }
    }
    let secrets = oidc.clients.iter().filter_map(|client| client.secret.as_ref());
    found.extend(secrets.filter_map(|(name, span)| unknown(view, name.as_str(), span)));
    found
}

fn unknown(view: &View<'_>, name: &str, span: &Span) -> Option<Diagnostic> {
    if view.contract.get(name).is_some() {
        return None;
    }
    let known = view.contract.parameters.iter().map(|parameter| parameter.name.as_str());
    let message = format!("the configuration does not ask for `{name}`");
    let diagnostic = Diagnostic::new(Code::OidcParameter, message).at(span.clone(), "a test would need it");
    Some(match nearest(name, known) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help("`iamship parameters` lists all that it asks for"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;
    use crate::diagnostic::Source;
    use crate::project::{Authentication, OidcClient, OidcSettings};

    fn written(text: &str) -> crate::project::Template {
        crate::project::Template {
            text: text.to_owned(),
            span: Source::new("iamship.toml", text).span(0..text.len()),
        }
    }

    #[test]
    fn what_no_stage_gives_is_told_wherever_it_stands() {
        let mut fixture = Fixture::new(&["BASE_URL", "WEB_SECRET"], &[("dev", "")]);
        let secret = written("WEB_SECRT");
        let client = OidcClient {
            id: written("web"),
            secret: Some((secret.text.parse().expect("name"), secret.span)),
            grants: Vec::new(),
            scope: None,
            authentication: Authentication::Basic,
            redirect_uris: vec![written("#{WEB_URL}/cb"), written("#{WEB_URL | https://x}/cb")],
            introspect: None,
        };
        fixture.project.oidc = Some(OidcSettings {
            issuer: written("#{BASE_URL}/#{"),
            port: 1,
            clients: vec![client],
        });
        let told = fixture.told(find);
        assert_eq!(
            told,
            [
                "error: the placeholder is not closed",
                "error: the configuration does not ask for `WEB_URL`",
                "error: the configuration does not ask for `WEB_SECRT`",
            ]
        );
        assert!(fixture.drawn(find).contains("did you mean `WEB_SECRET`?"));
        fixture.project.oidc = None;
        assert!(fixture.told(find).is_empty());
    }
}
