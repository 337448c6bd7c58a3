//! A login and what is known after it: the token, and which engine is where.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::VaultError;
use super::connection::{Connection, Login};
use super::kv::Mount;
use super::wire::{Ask, Reply, Wire};
use crate::project::VaultSettings;

pub(super) struct Session {
    pub(super) wire: Wire,
    token: Mutex<Option<Result<Token, VaultError>>>,
    /// Held while one is looked for, so that parallel paths of one engine ask once.
    pub(super) mounts: Mutex<Vec<Mount>>,
}

#[derive(Clone)]
struct Token {
    text: SecretString,
    /// None: it was given to us, or does not end.
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct LoginAnswer {
    auth: Option<LoginAuth>,
}

#[derive(Deserialize)]
struct LoginAuth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
}

impl Session {
    /// Makes no request yet.
    pub(super) fn open(
        settings: &VaultSettings,
        root: &Utf8Path,
        variables: &[(OsString, OsString)],
    ) -> Result<Self, VaultError> {
        Self::over(Connection::read(settings, root, variables)?)
    }

    pub(super) fn over(connection: Connection) -> Result<Self, VaultError> {
        Ok(Self {
            wire: Wire::new(connection)?,
            token: Mutex::default(),
            mounts: Mutex::default(),
        })
    }

    pub(super) fn requests(&self) -> usize {
        self.wire.requests()
    }

    /// Sends a request with the token.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, VaultError> {
        let token = self.token().await?;
        self.wire.ask(ask, token.as_ref()).await
    }

    async fn token(&self) -> Result<Option<SecretString>, VaultError> {
        let (mount, fields) = match &self.wire.connection.login {
            Login::Agent => return Ok(None),
            Login::Token(token) => return Ok(Some(token.clone())),
            Login::Method { mount, fields } => (mount, fields),
        };
        let mut held = self.token.lock().await;
        let ended = |token: &Token| token.until.is_some_and(|until| until <= Instant::now());
        match &*held {
            Some(Ok(token)) if !ended(token) => return Ok(Some(token.text.clone())),
            Some(Err(error)) => return Err(error.clone()),
            _ => {}
        }
        let token = self.log_in(mount, fields).await;
        *held = Some(token.clone());
        Ok(Some(token?.text))
    }

    async fn log_in(&self, mount: &str, fields: &[(&'static str, SecretString)]) -> Result<Token, VaultError> {
        let path = format!("auth/{mount}/login");
        // The name of a role is no secret.
        let secrets = fields.iter().filter(|(name, _)| *name != "role");
        let secrets = secrets.map(|(_, text)| text.clone());
        let ask = Ask::post(&path, body(fields)).secrets(secrets.collect());
        let reply = self.wire.ask(&ask, None).await?;
        if !reply.status.is_success() {
            let because = self.wire.words(&reply, reply.status);
            return Err(VaultError::Login { path, because });
        }
        let answer: LoginAnswer = reply.read(&self.wire)?;
        let auth = answer
            .auth
            .ok_or_else(|| self.wire.malformed("the login gives no token"))?;
        // A little less, so that none ends on the way.
        let lives = Duration::from_secs(auth.lease_duration.saturating_sub(5).max(1));
        Ok(Token {
            text: auth.client_token.into(),
            until: (auth.lease_duration > 0).then(|| Instant::now() + lives),
        })
    }
}

fn body(fields: &[(&'static str, SecretString)]) -> Zeroizing<Vec<u8>> {
    let fields = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::from(text.expose_secret())));
    Zeroizing::new(Value::Object(fields.collect::<Map<_, _>>()).to_string().into_bytes())
}
