//! The pool: one for a program, asked for many locations; and what is known of each registry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use url::Url;

use super::Registry;
use super::authority::Authority;
use super::fallback::FallbackQueues;
use super::meter::Counters;
use super::options::{RegistryOptions, Traffic};
use super::present::Present;
use super::referrers::ReferrersApi;
use super::transport::Transport;
use super::wire::Wire;
use crate::image::Location;
use crate::store::StoreError;

/// Requests to one registry at a time.
const PARALLEL: usize = 16;

/// Connections, tokens and knowledge that all locations of a program share. Cheap to clone; makes no request by itself.
#[derive(Clone)]
pub struct RegistryClient {
    wire: Arc<Wire>,
    hosts: Arc<Mutex<HashMap<Url, Arc<Host>>>>,
}

/// Whether a registry that is not on a loopback address is spoken to over http.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// https, except on a loopback address or where [`RegistryOptions::insecure`] says otherwise.
    #[default]
    Required,
    /// http: `insecure = true` beside the repository.
    Insecure,
}

/// What is known of one registry.
pub(super) struct Host {
    pub(super) wire: Arc<Wire>,
    /// As the project names it: `docker.io`.
    pub(super) name: String,
    /// Where its API is: `https://registry-1.docker.io/`.
    pub(super) base: Url,
    pub(super) permits: Semaphore,
    pub(super) authority: Authority,
    pub(super) referrers_api: ReferrersApi,
    pub(super) fallback: FallbackQueues,
    pub(super) present: Present,
}

impl RegistryClient {
    /// A pool without connections yet.
    pub fn new(options: RegistryOptions) -> Self {
        let counters = Arc::new(Counters::new(options.observer.clone()));
        let wire = Wire {
            options,
            transport: Transport::default(),
            counters,
        };
        Self {
            wire: Arc::new(wire),
            hosts: Arc::default(),
        }
    }

    /// A location's store. Makes no request.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] if the location is no registry, [`StoreError::Refused`] if its name is no address.
    pub fn registry(&self, location: Location, security: Security) -> Result<Registry, StoreError> {
        let Location::Registry { registry, repository } = &location else {
            let action = "being spoken to as a registry".to_owned();
            return Err(StoreError::Unsupported { location, action });
        };
        let insecure = self.wire.options.insecure || security == Security::Insecure || location.is_loopback();
        let base = match base(registry, insecure) {
            Some(base) if is_repository(repository) => base,
            _ => {
                let reason = "its name can't be part of an address".to_owned();
                let action = "opening".to_owned();
                return Err(StoreError::Refused {
                    location,
                    action,
                    reason,
                });
            }
        };
        let host = self.host(registry, base);
        Ok(Registry::of(host, location.clone(), repository.clone()))
    }

    /// What has gone over the wire so far.
    pub fn traffic(&self) -> Traffic {
        self.wire.counters.traffic()
    }

    fn host(&self, name: &str, base: Url) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(base.clone()).or_insert_with(|| {
            Arc::new(Host {
                wire: Arc::clone(&self.wire),
                name: name.to_owned(),
                base,
                permits: Semaphore::new(PARALLEL),
                authority: Authority::default(),
                referrers_api: ReferrersApi::default(),
                fallback: FallbackQueues::default(),
                present: Present::default(),
            })
        });
        Arc::clone(host)
    }
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RegistryClient { wire, .. } = self;
        formatter
            .debug_struct("RegistryClient")
            .field("options", &wire.options)
            .finish_non_exhaustive()
    }
}

/// Docker's own registry has its API under another name than its images.
fn base(registry: &str, insecure: bool) -> Option<Url> {
    let host = match registry {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    };
    let scheme = if insecure { "http" } else { "https" };
    let base: Url = format!("{scheme}://{host}/").parse().ok()?;
    let plain = base.path() == "/" && base.username().is_empty() && base.query().is_none() && base.fragment().is_none();
    plain.then_some(base)
}

/// No part may lead out of the repository's own address.
fn is_repository(repository: &str) -> bool {
    repository.split('/').all(|part| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(legal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(registry: &str, repository: &str) -> Result<String, StoreError> {
        let location = Location::Registry {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
        };
        let client = RegistryClient::new(RegistryOptions::default());
        client
            .registry(location, Security::Required)
            .map(|registry| registry.url("tags/list").to_string())
    }

    #[test]
    fn http_on_loopback_only_and_docker_hub_where_it_is() {
        assert_eq!(
            open("127.0.0.1:5000", "a/b").expect("ok"),
            "http://127.0.0.1:5000/v2/a/b/tags/list"
        );
        assert_eq!(open("localhost", "a").expect("ok"), "http://localhost/v2/a/tags/list");
        assert_eq!(
            open("r.example.com", "a").expect("ok"),
            "https://r.example.com/v2/a/tags/list"
        );
        assert_eq!(
            open("docker.io", "library/a").expect("ok"),
            "https://registry-1.docker.io/v2/library/a/tags/list"
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (registry, repository) in [
            ("r.example.com", "../admin"),
            ("r.example.com", "a/../../b"),
            ("r.example.com", "a?b"),
            ("r.example.com", ""),
            ("r.example.com/x", "a"),
            ("user@r.example.com", "a"),
            ("r.example.com?x", "a"),
            ("", "a"),
        ] {
            assert!(open(registry, repository).is_err(), "{registry} {repository}");
        }
        let client = RegistryClient::new(RegistryOptions::default());
        let layout = Location::Layout("x".into());
        assert!(matches!(
            client.registry(layout, Security::Required),
            Err(StoreError::Unsupported { .. })
        ));
    }
}
