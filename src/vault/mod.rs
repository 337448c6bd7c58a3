//! A thin client of HashiCorp Vault and OpenBao: logging in, KV engines, transit keys. HTTP API, version 1.
//!
//! Every answer is bounded and waited for within a deadline. Values go from the wire into [`SecretString`]; no error,
//! no trace and no `Debug` holds one. A crate for this exists (`vaultrs`); it reads answers of any size, keeps secrets as
//! plain texts, and knows neither `sys/internal/ui/mounts` nor batches of signatures.
//!
//! One [`Vault`] serves a whole run: it logs in once, and asks for each path once.
//!
//! [`SecretString`]: secrecy::SecretString

mod connection;
mod entries;
mod error;
mod kv;
mod session;
mod transit;
mod transport;
mod wire;

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;
use tokio::sync::OnceCell;

pub use entries::{Entries, Skipped};
pub use error::VaultError;
pub use transit::{TransitAlgorithm, TransitPublicKey};

use crate::project::VaultSettings;
use session::Session;

/// A Vault that is spoken to when it is first needed. Makes no request by itself.
pub struct Vault {
    settings: VaultSettings,
    root: Utf8PathBuf,
    variables: Vec<(OsString, OsString)>,
    session: OnceCell<Result<Session, VaultError>>,
    paths: Mutex<HashMap<String, Asked>>,
}

/// What was asked of one path, and its answer.
#[derive(Clone, Default)]
struct Asked {
    entries: Arc<OnceCell<Result<Arc<Entries>, VaultError>>>,
    names: Arc<OnceCell<Result<Arc<Vec<String>>, VaultError>>>,
}

impl Vault {
    /// `root` is the project's folder; `variables` are the process's.
    pub fn new(settings: VaultSettings, root: Utf8PathBuf, variables: Vec<(OsString, OsString)>) -> Self {
        Self {
            settings,
            root,
            variables,
            session: OnceCell::new(),
            paths: Mutex::default(),
        }
    }

    /// All that is stored at a path of a KV engine: `secret/iam/staging`, as `vault kv get` takes it.
    pub async fn entries(&self, path: &str) -> Result<Arc<Entries>, VaultError> {
        let cell = self.asked(path).entries;
        let read = || async { self.session().await?.entries(path).await.map(Arc::new) };
        cell.get_or_init(read).await.clone()
    }

    /// The names at a path, without the values where the engine can do that: KV version 2, and a policy that lets the
    /// token read `MOUNT/subkeys/PATH`. Else the values are read.
    pub async fn names(&self, path: &str) -> Result<Arc<Vec<String>>, VaultError> {
        let asked = self.asked(path);
        if let Some(Ok(entries)) = asked.entries.get() {
            return Ok(Arc::new(entries.names()));
        }
        let read = || async {
            match self.session().await?.subkeys(path).await? {
                Some(names) => Ok(Arc::new(names)),
                None => Ok(Arc::new(self.entries(path).await?.names())),
            }
        };
        asked.names.get_or_init(read).await.clone()
    }

    /// How many requests were sent so far, logins and second tries included.
    pub fn requests(&self) -> usize {
        match self.session.get() {
            Some(Ok(session)) => session.requests(),
            _ => 0,
        }
    }

    async fn session(&self) -> Result<&Session, VaultError> {
        let open = || async { Session::open(&self.settings, &self.root, &self.variables) };
        self.session.get_or_init(open).await.as_ref().map_err(Clone::clone)
    }

    fn asked(&self, path: &str) -> Asked {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.entry(path.to_owned()).or_default().clone()
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Vault")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
