//! `[oidc]`: what the server is as an OpenID provider, and the clients that tests act as.

use super::read::{Table, Value, listed};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::profile::{ParameterName, ServerProfile};

/// The grant of clients that act for themselves.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
const AUTHORIZATION_CODE: &str = "authorization_code";
const REFRESH_TOKEN: &str = "refresh_token";
/// Grants that have short names; others are URNs.
const GRANTS: &[&str] = &[
    CLIENT_CREDENTIALS,
    AUTHORIZATION_CODE,
    REFRESH_TOKEN,
    "implicit",
    "password",
];

/// What the server is as an OpenID provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// `issuer`, as clients see it.
    pub issuer: Template,
    /// The port in the container that the issuer's proxy stands before.
    pub port: u16,
    /// `[[oidc.client]]`
    pub clients: Vec<OidcClient>,
}

/// A client that tests act as.
#[derive(Clone, Debug)]
pub struct OidcClient {
    /// `id`
    pub id: Template,
    /// `secret`: the parameter that holds it.
    pub secret: Option<(ParameterName, Span)>,
    /// `grants`
    pub grants: Vec<String>,
    /// `scope`: what tokens are asked for; the server's default when absent.
    pub scope: Option<String>,
    /// `authentication`
    pub authentication: Authentication,
    /// `redirect-uris`
    pub redirect_uris: Vec<Template>,
    /// `introspect`: whether it may ask what a token is; where nothing is said it is tried.
    pub introspect: Option<bool>,
}

impl OidcClient {
    /// Whether a test can find out that the server knows it: by a token, a code that was made up, an address to send
    /// people back to, or a question about a token.
    pub fn can_be_tried(&self) -> bool {
        let tried = [CLIENT_CREDENTIALS, AUTHORIZATION_CODE, REFRESH_TOKEN];
        let has_grant = tried.iter().any(|grant| self.has_grant(grant));
        has_grant || !self.redirect_uris.is_empty() || self.introspect == Some(true)
    }

    /// Whether it uses a grant.
    pub fn has_grant(&self, grant: &str) -> bool {
        self.grants.iter().any(|own| own == grant)
    }
}

/// A text with the profile's placeholders; each stage fills it with its own values.
#[derive(Clone, Debug)]
pub struct Template {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// In the `Authorization` header.
    Basic,
    /// In the form.
    Post,
    /// Not at all: a public client.
    None,
}

pub(super) fn read(file: &Table<'_>, server: Option<&ServerProfile>) -> Option<OidcSettings> {
    let is_there = file.get("oidc").is_some();
    let table = file.table("oidc", "`[oidc]`");
    let issuer = table.need("issuer", "\"https://login.example.com\"");
    let issuer = issuer.and_then(|value| template(&value));
    let port_value = table.get("port");
    let port = match (&port_value, server) {
        (Some(value), Some(server)) => port(value, server),
        (None, Some(server)) => match server.ports.first() {
            Some(port) => Some(port.port),
            None if is_there => {
                let message = format!("the profile `{}` has no port to speak OpenID Connect on", server.name);
                table
                    .problems()
                    .missing(message, table.span(), "give the profile a `[[ports]]`");
                None
            }
            None => None,
        },
        (_, None) => None,
    };
    let items = table.get("client").and_then(|value| value.list()).unwrap_or_default();
    let mut clients: Vec<OidcClient> = Vec::new();
    for item in &items {
        let client = item.table("`[[oidc.client]]`").and_then(client);
        let twin = client.as_ref().and_then(|client: &OidcClient| {
            let mut before = clients.iter();
            before.find(|other| other.id.text == client.id.text)
        });
        if let (Some(twin), Some(client)) = (twin, &client) {
            let message = format!("two clients have the id `{}`", client.id.text);
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(client.id.span.clone(), "again here");
            table.problems().push(diagnostic.at(twin.id.span.clone(), "first here"));
        }
        clients.extend(client);
    }
    table.finish();
    Some(OidcSettings {
        issuer: issuer?,
        port: port?,
        clients,
    })
}

/// A port by its name in the profile, or its number.
pub(super) fn port(value: &Value<'_>, server: &ServerProfile) -> Option<u16> {
    if value.is_number() {
        let number = value.count(u32::from(u16::MAX))?;
        return u16::try_from(number).ok().filter(|port| *port > 0).or_else(|| {
            let message = "0 is no port".to_owned();
            value.refuse(message, None)
        });
    }
    let text = value.text()?;
    if let Some(port) = server.ports.iter().find(|port| port.name == text) {
        return Some(port.port);
    }
    let names: Vec<_> = server.ports.iter().map(|port| port.name.as_str()).collect();
    let help = match nearest(text, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("its ports: {}; or write a number", listed(&names)),
    };
    value.refuse(format!("the profile `{}` has no port `{text}`", server.name), help)
}

fn template(value: &Value<'_>) -> Option<Template> {
    let text = value.text()?;
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return value.refuse(format!("`{text}` is empty or has blanks in it"), None);
    }
    Some(Template {
        text: text.to_owned(),
        span: value.span(),
    })
}

fn client(table: Table<'_>) -> Option<OidcClient> {
    let id = table.need("id", "\"web\"").and_then(|value| template(&value));
    let secret = table.get("secret").and_then(|value| {
        let name = value.parse::<ParameterName>()?;
        Some((name, value.span()))
    });
    let choices = [
        ("basic", Authentication::Basic),
        ("post", Authentication::Post),
        ("none", Authentication::None),
    ];
    let said = table.get("authentication").and_then(|value| value.choice(&choices));
    let authentication = said.unwrap_or(match secret {
        Some(_) => Authentication::Basic,
        None => Authentication::None,
    });
    let redirects = table.get("redirect-uris").map(Value::one_or_list).unwrap_or_default();
    let redirect_uris: Vec<_> = redirects.iter().filter_map(template).collect();
    let grants = match table.get("grants") {
        Some(value) => value.one_or_list().iter().filter_map(grant).collect(),
        None if redirect_uris.is_empty() => vec![CLIENT_CREDENTIALS.to_owned()],
        None => vec![AUTHORIZATION_CODE.to_owned()],
    };
    let scope = table.get("scope").and_then(|value| value.text());
    let introspect = table.get("introspect").and_then(|value| value.flag());
    let client = OidcClient {
        id: id?,
        secret,
        grants,
        scope: scope.map(str::to_owned),
        authentication,
        redirect_uris,
        introspect,
    };
    check(&table, &client);
    table.finish();
    Some(client)
}

fn grant(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if GRANTS.contains(&text) || text.starts_with("urn:") {
        return Some(text.to_owned());
    }
    let help = match nearest(text, GRANTS.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("one of {}, or a URN", listed(GRANTS)),
    };
    value.refuse(format!("`{text}` is no grant"), help)
}

/// What does not go together.
fn check(table: &Table<'_>, client: &OidcClient) {
    let id = &client.id.text;
    let (message, help) = match (&client.secret, client.authentication) {
        (None, Authentication::Basic | Authentication::Post) => (
            format!("client `{id}` has no `secret` to authenticate with"),
            "name the parameter that holds it: `secret = \"WEB_CLIENT_SECRET\"`",
        ),
        (Some(_), Authentication::None) => (
            format!("client `{id}` has a secret and does not authenticate"),
            "leave out `secret`, or write `authentication = \"basic\"`",
        ),
        (None, Authentication::None) if client.has_grant(CLIENT_CREDENTIALS) => (
            format!("client `{id}` has no `secret`, and `{CLIENT_CREDENTIALS}` needs one"),
            "name the parameter that holds it: `secret = \"WEB_CLIENT_SECRET\"`; a public client has `redirect-uris`",
        ),
        _ if !client.can_be_tried() => (
            format!("nothing of client `{id}` can be tried"),
            "give it `redirect-uris`, a grant that needs no person, or `introspect = true`; a client that no test acts as \
             is left out here",
        ),
        _ => return,
    };
    let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(client.id.span.clone(), "");
    table.problems().push(diagnostic.help(help));
}
