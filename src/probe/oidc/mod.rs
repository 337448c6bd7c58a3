//! OpenID Connect as clients see it: discovery, keys, tokens, and where people are sent.
//!
//! Servers look at a client only when it comes, so that a mistake in one shows at its first request: every client is
//! tried, not one of them.

mod authorize;
mod client;
mod discovery;
mod introspection;
mod jwks;
mod token;

use futures::future::join_all;
use secrecy::SecretString;

use super::{Door, Finding, Miss, Prober};
use crate::project::{Authentication, CLIENT_CREDENTIALS};

pub(in crate::probe) use discovery::Metadata;

/// An OpenID provider that runs.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer, filled with the stage's values.
    pub issuer: String,
    /// Where it is reached.
    pub door: Door,
    /// The clients that are tried.
    pub clients: Vec<Client>,
}

/// A client to act as.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Option<SecretString>,
    /// What it may do.
    pub grants: Vec<String>,
    /// What tokens are asked for.
    pub scope: Option<String>,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Where people may be sent back to.
    pub redirect_uris: Vec<String>,
    /// Whether it may ask what a token is.
    pub introspect: Option<bool>,
}

impl Client {
    fn has_grant(&self, grant: &str) -> bool {
        self.grants.iter().any(|own| own == grant)
    }
}

/// Tries everything. Where discovery fails nothing else is asked.
pub async fn oidc(prober: &Prober, provider: &Provider) -> Vec<Finding> {
    let metadata = match discovery::read(prober, provider).await {
        Ok(metadata) => metadata,
        Err(miss) => return vec![Finding::new("discovery", Err(miss))],
    };
    let mut findings = vec![Finding::new("discovery", Ok(format!("issuer `{}`", provider.issuer)))];
    findings.push(discovery::endpoints(prober, provider, &metadata).await);
    let (keys, finding) = jwks::read(prober, provider, &metadata).await;
    findings.push(finding);
    let asked = Asked {
        prober,
        provider,
        metadata: &metadata,
        keys: &keys,
    };
    let clients = provider.clients.iter().map(|client| asked.client(client));
    findings.extend(join_all(clients).await.into_iter().flatten());
    findings
}

/// What the questions about clients have in common.
#[derive(Clone, Copy)]
pub(in crate::probe) struct Asked<'a> {
    prober: &'a Prober,
    provider: &'a Provider,
    metadata: &'a Metadata,
    keys: &'a [jwks::Key],
}

impl Asked<'_> {
    async fn client(&self, client: &Client) -> Vec<Finding> {
        let mut findings = Vec::new();
        if client.has_grant(CLIENT_CREDENTIALS) {
            findings.extend(token::client_credentials(self, client).await);
        }
        if ["authorization_code", "refresh_token"]
            .iter()
            .any(|grant| client.has_grant(grant))
        {
            findings.push(token::recognised(self, client).await);
        }
        // That a wrong secret is refused says something only of a client that the right one lets in: one that nobody
        // knows is refused in the same words.
        let is_let_in = !findings.is_empty() || client.introspect == Some(true);
        if client.secret.is_some() && !client.grants.is_empty() && is_let_in {
            findings.push(token::wrong_secret(self, client).await);
        }
        if client.introspect == Some(true) && !client.has_grant(CLIENT_CREDENTIALS) {
            findings.push(introspection::recognised(self, client).await);
        }
        for uri in &client.redirect_uris {
            findings.push(authorize::accepted(self, client, uri).await);
        }
        if let Some(uri) = client.redirect_uris.first() {
            findings.push(authorize::foreign_refused(self, client, uri).await);
        }
        if findings.is_empty() {
            let miss = Miss {
                asked: "nothing".to_owned(),
                came: "no answer about this client".to_owned(),
                expected: "a grant that a program can use, `redirect-uris`, or `introspect = true`".to_owned(),
            };
            findings.push(Finding::new(format!("client:{}", client.id), Err(miss)));
        }
        findings
    }
}
