//! What a caller may choose about registries: security, credentials, patience, and who watches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

/// How registries are spoken to. Cheap to clone.
#[derive(Clone, Default)]
pub struct RegistryOptions {
    /// Speak http to every registry, not only to those on a loopback address.
    pub insecure: bool,
    /// Certificates (PEM, one or more) to trust beside those of the system.
    pub ca: Option<Vec<u8>>,
    /// Who we are.
    pub credentials: Credentials,
    /// How often and how long.
    pub patience: Patience,
    /// Is told of every request after it ended.
    pub observer: Option<Observer>,
}

impl fmt::Debug for RegistryOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegistryOptions")
            .field("insecure", &self.insecure)
            .field("ca", &self.ca.as_ref().map(Vec::len))
            .field("credentials", &self.credentials)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Where the credentials for a registry come from; looked up when a registry first asks for some.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// None.
    #[default]
    Anonymous,
    /// A user name and a password.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: SecretString,
        /// The only registry (`registry.example.com`) that may see it; `None`: any that asks.
        registry: Option<String>,
    },
    /// Docker's `config.json` files or podman's `auth.json` files: the first one with an entry for the registry counts.
    FromDockerConfig {
        /// Files; one that does not exist is passed over. See [`docker_config_paths`](super::docker_config_paths).
        paths: Vec<std::path::PathBuf>,
    },
    /// The first of these that has something for the registry.
    FirstOf(Vec<Credentials>),
}

/// How often a call is tried and how long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one call, the first one included.
    pub tries: usize,
    /// The wait before the second try; doubles after each.
    pub first_wait: Duration,
    /// No single wait is longer, also when `Retry-After` asks for it.
    pub longest_wait: Duration,
    /// For a connection to be made.
    pub connect: Duration,
    /// Without one byte moving. There is no limit on a whole blob.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
        }
    }
}

/// Is called once for each request, token requests and redirects included.
pub type Observer = Arc<dyn Fn(&RequestSummary) + Send + Sync>;

/// One request that ended. Never holds a header or a query, which could carry a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSummary {
    /// `GET`
    pub method: String,
    /// Host and port.
    pub host: String,
    /// `/v2/idsvr/manifests/dev`
    pub path: String,
    /// `None`: no answer came.
    pub status: Option<u16>,
    /// Body bytes that went out.
    pub sent: u64,
    /// Body bytes that came in.
    pub received: u64,
    /// From the first byte to the last.
    pub elapsed: Duration,
}

/// What has gone over the wire so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Body bytes out.
    pub sent: u64,
    /// Body bytes in.
    pub received: u64,
}
