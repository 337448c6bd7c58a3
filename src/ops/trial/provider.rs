//! `[oidc]` with a stage's values in it.

use super::Trial;
use super::health::{Ports, door};
use crate::bundle::Template as Text;
use crate::probe::{Client, Door, Forwarded, Provider};
use crate::profile::ParameterName;
use crate::project::{OidcClient, OidcSettings, Template};

/// The provider as this stage's clients know it.
///
/// # Errors
/// Something that it needs has no value; in words.
pub(super) fn provider(trial: &Trial<'_>, ports: &Ports) -> Result<Provider, String> {
    let oidc = settings(trial)?;
    let issuer = fill(trial, &oidc.issuer)?;
    let door = door(trial, ports, oidc.port).map_err(|miss| miss.to_string())?;
    let clients = oidc.clients.iter().map(|client| self::client(trial, client));
    Ok(Provider {
        door: Door {
            forwarded: address(&issuer),
            ..door
        },
        issuer,
        clients: clients.collect::<Result<_, _>>()?,
    })
}

/// The issuer, if the project says one.
pub(super) fn issuer(trial: &Trial<'_>) -> Option<String> {
    fill(trial, &settings(trial).ok()?.issuer).ok()
}

/// What the proxy in front of a port says; nothing in front of others than the issuer's.
pub(super) fn forwarded(trial: &Trial<'_>, port: u16) -> Option<Forwarded> {
    let oidc = settings(trial).ok().filter(|oidc| oidc.port == port)?;
    address(&fill(trial, &oidc.issuer).ok()?)
}

fn settings<'a>(trial: &Trial<'a>) -> Result<&'a OidcSettings, String> {
    let oidc = trial.context.project.oidc.as_ref();
    oidc.ok_or_else(|| "the project has no `[oidc]`".to_owned())
}

fn address(issuer: &str) -> Option<Forwarded> {
    Forwarded::of(&issuer.parse().ok()?)
}

fn client(trial: &Trial<'_>, client: &OidcClient) -> Result<Client, String> {
    let secret = match &client.secret {
        Some((name, _)) => {
            let value = value(trial, name);
            Some(value.ok_or_else(|| lacks(trial, name))?.into())
        }
        None => None,
    };
    let redirect_uris = client.redirect_uris.iter().map(|uri| fill(trial, uri));
    Ok(Client {
        id: fill(trial, &client.id)?,
        secret,
        grants: client.grants.clone(),
        scope: client.scope.clone(),
        authentication: client.authentication,
        redirect_uris: redirect_uris.collect::<Result<_, _>>()?,
        introspect: client.introspect,
    })
}

fn fill(trial: &Trial<'_>, template: &Template) -> Result<String, String> {
    let text = Text::read(&template.text, &trial.profile().placeholder)
        .map_err(|problem| format!("`{}`: {problem}", template.text))?;
    text.fill(|name| value(trial, name)).map_err(|name| lacks(trial, &name))
}

/// What the server itself sees: the stage's value, else the configuration's own default.
fn value<'a>(trial: &Trial<'a>, name: &ParameterName) -> Option<&'a str> {
    let given = trial.values.get(name).map(crate::values::Value::expose);
    given.or_else(|| trial.contract.get(name.as_str())?.default.as_deref())
}

fn lacks(trial: &Trial<'_>, name: &ParameterName) -> String {
    format!("`{name}` has no value in `{}`", trial.stage.name)
}
