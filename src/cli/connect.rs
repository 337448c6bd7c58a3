//! The world: the project's folder, the environment, registries, keys.

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::Outcome;
use super::arguments::Global;
use super::failure::Failure;
use super::key_ring::KeyRing;
use super::shell::Shell;
use crate::attest::TrustedKeys;
use crate::engine::{Docker, Endpoint, Engine, EngineError, EnginePatience};
use crate::image::Location;
use crate::ops::{Context, Engines, Stores};
use crate::project::{ImageSettings, Project};
use crate::store::{
    Credentials, Layout, Patience, RegistryClient, RegistryOptions, Security, Store, StoreError, docker_config_paths,
};
use crate::vault::Vault;

/// A project and its connections. Nothing is asked of anybody before it is needed.
pub(super) struct Connected {
    project: Project,
    stores: Connections,
    keys: KeyRing,
    engines: EngineConnection,
    environment: Vec<(OsString, OsString)>,
    vault: Arc<Vault>,
    actor: String,
}

/// The folder that `-C` names, else this one.
pub(super) fn folder(global: &Global) -> Utf8PathBuf {
    global.directory.clone().unwrap_or_default()
}

impl Connected {
    /// Loads the project and reads the public keys that it trusts.
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        let root = match folder(global) {
            folder if folder.as_str().is_empty() => Utf8PathBuf::from("."),
            folder => folder,
        };
        let project = Project::load(&root)?;
        let trusted = TrustedKeys::read(&project.signing.trusted).map_err(|wrong| {
            let each: Vec<_> = wrong.iter().map(|(path, error)| format!("`{path}`: {error}")).collect();
            Failure::input(format!("a trusted key can't be used: {}", each.join("; ")))
        })?;
        let environment: Vec<_> = std::env::vars_os().collect();
        let vault = Arc::new(Vault::new(
            project.vault.clone(),
            project.root.clone(),
            environment.clone(),
        ));
        Ok(Self {
            stores: Connections::new(&project)?,
            keys: KeyRing::new(&project, trusted, Arc::clone(&vault)),
            engines: EngineConnection::default(),
            vault,
            project,
            environment,
            actor: actor(),
        })
    }

    /// Removes what this run made in the engine, if it ever spoke to one.
    pub(super) async fn clean_up(&self) -> Result<(), EngineError> {
        match self.engines.engine.get() {
            Some(engine) => engine.clean_up().await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn context<'a>(&'a self, shell: &'a Shell) -> Context<'a> {
        Context {
            project: &self.project,
            stores: &self.stores,
            keys: &self.keys,
            engines: &self.engines,
            environment: &self.environment,
            vault: &self.vault,
            clock: Timestamp::now,
            actor: &self.actor,
            events: shell,
        }
    }
}

/// A variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Who does it: what a pipeline calls itself, else the user. A name, not a proof: that is the signature.
fn actor() -> String {
    let pipelines = [
        ("IAMSHIP_ACTOR", ""),
        ("GITHUB_ACTOR", "github:"),
        ("GITLAB_USER_LOGIN", "gitlab:"),
        ("BUILD_USER_ID", "jenkins:"),
        ("USER", ""),
        ("LOGNAME", ""),
    ];
    let mut named = pipelines
        .iter()
        .filter_map(|(name, prefix)| Some(format!("{prefix}{}", variable(name)?)));
    named.next().or_else(account).unwrap_or_else(|| "unknown".to_owned())
}

/// The name of the account that this process runs as: containers and services have no `USER`.
fn account() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let own = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        (uid == own && !name.is_empty()).then(|| name.to_owned())
    });
    // Some containers run as a number that nobody named.
    named.or_else(|| Some(format!("uid:{own}")))
}

/// Opens stores, with one pool of connections behind all registries.
struct Connections {
    root: Utf8PathBuf,
    registries: RegistryClient,
    insecure: std::collections::BTreeSet<String>,
}

impl Connections {
    fn new(project: &Project) -> Result<Self, Failure> {
        let image: &ImageSettings = &project.image;
        let ca = match &image.ca {
            Some(path) => {
                Some(fs_err::read(project.root.join(path)).map_err(|error| Failure::input(error.to_string()))?)
            }
            None => None,
        };
        Ok(Self {
            root: project.root.clone(),
            registries: RegistryClient::new(RegistryOptions {
                ca,
                credentials: credentials(image),
                patience: patience()?,
                ..RegistryOptions::default()
            }),
            insecure: image.insecure.clone(),
        })
    }
}

/// `IAMSHIP_REGISTRY_TRIES`: how often a call to a registry is tried, 5 where nothing is said.
fn patience() -> Result<Patience, Failure> {
    let mut patience = Patience::default();
    if let Some(text) = variable("IAMSHIP_REGISTRY_TRIES") {
        patience.tries = text
            .parse()
            .ok()
            .filter(|tries| (1..=20).contains(tries))
            .ok_or_else(|| {
                Failure::input(format!(
                    "`IAMSHIP_REGISTRY_TRIES` is a number from 1 to 20, not `{text}`"
                ))
            })?;
    }
    Ok(patience)
}

/// `IAMSHIP_REGISTRY_USERNAME` and `_PASSWORD` are for the project's own registry; others ask Docker's files.
fn credentials(image: &ImageSettings) -> Credentials {
    let files = Credentials::FromDockerConfig {
        paths: docker_config_paths(|name| std::env::var_os(name)),
    };
    let (Some(username), Some(password)) = (
        variable("IAMSHIP_REGISTRY_USERNAME"),
        variable("IAMSHIP_REGISTRY_PASSWORD"),
    ) else {
        return files;
    };
    let registry = match &image.repository {
        Location::Registry { registry, .. } => Some(registry.clone()),
        Location::Layout(_) => None,
    };
    let basic = Credentials::Basic {
        username,
        password: password.into(),
        registry,
    };
    Credentials::FirstOf(vec![basic, files])
}

impl Stores for Connections {
    fn open(&self, location: &Location) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match location {
            Location::Layout(path) => Arc::new(Layout::open_or_create_under(&self.root, path)?),
            Location::Registry { registry, .. } => {
                let security = if self.insecure.contains(registry) {
                    Security::Insecure
                } else {
                    Security::Required
                };
                Arc::new(self.registries.registry(location.clone(), security)?)
            }
        })
    }
}

/// The engine, connected to when it is first needed, and once.
#[derive(Default)]
struct EngineConnection {
    engine: OnceCell<Arc<Docker>>,
}

#[async_trait]
impl Engines for EngineConnection {
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError> {
        let connected = self.engine.get_or_try_init(|| async {
            let endpoint = Endpoint::find(|name| std::env::var_os(name))?;
            let engine = Docker::connect(&endpoint, EnginePatience::default()).await?;
            match engine.sweep().await {
                Ok(0) => {}
                Ok(count) => tracing::info!("removed {count} things that an earlier run left in the engine"),
                // It is in nobody's way: the next run tries again.
                Err(error) => tracing::warn!("what an earlier run left in the engine is still there: {error}"),
            }
            Ok::<_, EngineError>(Arc::new(engine))
        });
        Ok(connected.await?.clone())
    }

    async fn connect_here(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Endpoint::find(|name| std::env::var_os(name))?.require_here()?;
        self.connect().await
    }
}

/// A file that the command line names, seen from the folder that the program was started in.
pub(super) fn read_file(path: &Utf8Path, limit: u64) -> Result<String, Failure> {
    let named = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::input(format!("`{path}` is not there")),
        _ => Failure::input(format!("`{path}` can't be read: {error}")),
    };
    let length = std::fs::metadata(path).map_err(named)?.len();
    if length > limit {
        return Err(Failure::input(format!(
            "`{path}` has {length} bytes, over the limit of {limit}"
        )));
    }
    std::fs::read_to_string(path).map_err(named)
}

/// Ends a verb whose answer is no.
pub(super) fn yes_or_no(yes: bool) -> Outcome {
    yes_no_or_unanswered(yes, false)
}

/// The same, where a no may be none: the world did not answer.
pub(super) fn yes_no_or_unanswered(yes: bool, world_failed: bool) -> Outcome {
    match (yes, world_failed) {
        (true, _) => Ok(()),
        (false, false) => Err(Failure::No),
        (false, true) => Err(Failure::Unanswered),
    }
}
