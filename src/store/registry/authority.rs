//! Answers a registry's challenges: finds the credential once, fetches tokens, keeps them until they expire.
//!
//! A credential goes to the registry's own origin and to the token server that it names, if that is as secure.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::challenge::{self, Challenge};
use super::credentials::{Credential, Found};
use super::envelope;
use super::retry::Failure;
use super::scope::Scope;
use super::wire::{Outgoing, Wire};
use crate::image::Location;
use crate::store::StoreError;

/// The largest answer of a token server.
const MAX_TOKEN_BYTES: usize = 1 << 20;

/// How one registry is authenticated to.
#[derive(Default)]
pub(super) struct Authority {
    known: Mutex<Known>,
    /// Held while a token is fetched, so that parallel calls fetch one between them.
    fetching: tokio::sync::Mutex<()>,
    found: tokio::sync::OnceCell<Found>,
}

#[derive(Default)]
struct Known {
    challenge: Option<Challenge>,
    tokens: Vec<Token>,
}

struct Token {
    scope: Scope,
    header: HeaderValue,
    until: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Authority {
    /// The `Authorization` for a call, as far as is known what the registry wants; `None` before it has asked.
    pub(super) async fn authorization(
        &self,
        wire: &Wire,
        location: &Location,
        base: &Url,
        scope: &Scope,
    ) -> Result<Option<HeaderValue>, Failure> {
        let challenge = match self.cached(scope) {
            Cached::Header(header) => return Ok(Some(header)),
            Cached::Nothing => return Ok(None),
            Cached::Challenge(challenge) => challenge,
        };
        let found = self.found(wire, location).await?;
        match challenge {
            Challenge::Basic => match &found.credential {
                Credential::Basic { username, password } => Ok(Some(basic(username, password, location)?)),
                _ => Ok(None),
            },
            Challenge::Bearer { realm, service, .. } => {
                let _one = self.fetching.lock().await;
                if let Cached::Header(header) = self.cached(scope) {
                    return Ok(Some(header));
                }
                let request = TokenRequest {
                    realm: &realm,
                    service: service.as_deref(),
                    scope,
                };
                let token = request.send(wire, location, base, found).await?;
                let header = token.header.clone();
                self.known().tokens.push(token);
                Ok(Some(header))
            }
        }
    }

    /// Takes note of a 401. Returns the scope to ask for, or `None` if the registry does not say what it wants.
    pub(super) fn challenged(&self, headers: &HeaderMap, used: Option<&HeaderValue>, wanted: Scope) -> Option<Scope> {
        let challenge = challenge::from_headers(headers)?;
        let mut known = self.known();
        known.tokens.retain(|token| Some(&token.header) != used);
        let scope = match &challenge {
            Challenge::Bearer { scope: Some(asked), .. } => wanted.union(Scope::parse(asked)),
            _ => wanted,
        };
        known.challenge = Some(challenge);
        Some(scope)
    }

    /// In which words to speak of the credential that was tried.
    pub(super) fn told(&self) -> String {
        self.found
            .get()
            .map_or_else(|| "anonymously".to_owned(), |found| found.told.clone())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, scope: &Scope) -> Cached {
        let mut known = self.known();
        let now = Instant::now();
        known.tokens.retain(|token| token.until > now);
        if let Some(token) = known.tokens.iter().find(|token| token.scope.covers(scope)) {
            return Cached::Header(token.header.clone());
        }
        known.challenge.clone().map_or(Cached::Nothing, Cached::Challenge)
    }

    async fn found(&self, wire: &Wire, location: &Location) -> Result<&Found, StoreError> {
        let find = || async {
            let credentials = wire.options.credentials.clone();
            let registry = match location {
                Location::Registry { registry, .. } => registry.clone(),
                Location::Layout(_) => String::new(),
            };
            let found = tokio::task::spawn_blocking(move || credentials.find(&registry)).await;
            found.unwrap_or_else(|_| Err("the credential helper failed".to_owned()))
        };
        self.found
            .get_or_try_init(find)
            .await
            .map_err(|reason| StoreError::Denied {
                location: location.clone(),
                reason,
            })
    }
}

enum Cached {
    Header(HeaderValue),
    Challenge(Challenge),
    Nothing,
}

struct TokenRequest<'a> {
    realm: &'a str,
    service: Option<&'a str>,
    scope: &'a Scope,
}

impl TokenRequest<'_> {
    async fn send(&self, wire: &Wire, location: &Location, base: &Url, found: &Found) -> Result<Token, Failure> {
        let denied = |reason: String| StoreError::Denied {
            location: location.clone(),
            reason,
        };
        let realm: Url = self.realm.parse().map_err(|_| {
            denied(format!(
                "its token server `{}` is no address",
                envelope::one_line(self.realm)
            ))
        })?;
        let secure_enough = realm.scheme() == "https" || (realm.scheme() == "http" && base.scheme() == "http");
        if !secure_enough || !realm.username().is_empty() {
            let host = super::origin::authority(&realm);
            return Err(denied(format!("its token server `{host}` is not spoken to over https")).into());
        }
        let outgoing = self.outgoing(realm, location, found)?;
        let answer = wire.send(location, outgoing).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes(MAX_TOKEN_BYTES).await?;
        if !status.is_success() {
            let words = envelope::words(status, &body).replace("the registry", "the token server");
            let help = super::exchange::credentials_help(location);
            let error = denied(format!("{words}; tried {}; {help}", found.told));
            return Err(super::exchange::judged(&Method::GET, status, &headers, error));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| denied("its token server gave no token that can be read".to_owned()))?;
        let token = answer.token.or(answer.access_token).map(SecretString::from);
        let token = token.ok_or_else(|| denied("its token server gave no token".to_owned()))?;
        // 60 s where nothing is said (Docker's *Token Authentication*); a little less, so that none expires on the way.
        let lives = answer.expires_in.unwrap_or(60).clamp(10, 86_400) - 5;
        Ok(Token {
            scope: self.scope.clone(),
            header: sensitive(format!("Bearer {}", token.expose_secret()), location)?,
            until: Instant::now() + Duration::from_secs(lives),
        })
    }

    fn outgoing(&self, realm: Url, location: &Location, found: &Found) -> Result<Outgoing, StoreError> {
        if let Credential::IdentityToken(token) = &found.credential {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", "iamship");
            form.append_pair("service", self.service.unwrap_or_default());
            form.append_pair("scope", &self.scope.to_string());
            form.append_pair("refresh_token", token.expose_secret());
            let mut outgoing = Outgoing::new(Method::POST, realm);
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            outgoing.headers.insert(CONTENT_TYPE, form_type);
            outgoing.body = Some(form.finish().into());
            return Ok(outgoing);
        }
        let mut url = realm;
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = self.service {
                query.append_pair("service", service);
            }
            for scope in self.scope.each() {
                query.append_pair("scope", &scope);
            }
        }
        let mut outgoing = Outgoing::new(Method::GET, url);
        if let Credential::Basic { username, password } = &found.credential {
            outgoing
                .headers
                .insert(AUTHORIZATION, basic(username, password, location)?);
        }
        Ok(outgoing)
    }
}

fn basic(username: &str, password: &SecretString, location: &Location) -> Result<HeaderValue, StoreError> {
    let pair = format!("{username}:{}", password.expose_secret());
    sensitive(format!("Basic {}", STANDARD.encode(pair)), location)
}

fn sensitive(text: String, location: &Location) -> Result<HeaderValue, StoreError> {
    let mut header = HeaderValue::try_from(text).map_err(|_| StoreError::Denied {
        location: location.clone(),
        reason: "the token has characters that no header can carry".to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(header)
}
