//! The world: the project's folder, the environment, registries, keys.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::sync::Arc;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use tokio::sync::OnceCell;

use super::Outcome;
use super::arguments::Global;
use super::failure::Failure;
use super::shell::Shell;
use crate::attest::{FINGERPRINT, KeyError, SigningKey, TrustedKeys};
use crate::engine::{Docker, Endpoint, Engine, EngineError, EnginePatience};
use crate::image::{Digest, Location};
use crate::ops::{Context, Engines, FingerprintKey, Keys, OpsError, Stores};
use crate::project::{ImageSettings, KeyReference, Permission, Project};
use crate::store::{
    Credentials, Layout, Patience, RegistryClient, RegistryOptions, Security, Store, StoreError, docker_config_paths,
};

/// A project and its connections. Nothing is asked of anybody before it is needed.
pub(super) struct Connected {
    project: Project,
    stores: Connections,
    keys: KeyRing,
    engines: EngineConnection,
    environment: Vec<(OsString, OsString)>,
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
        Ok(Self {
            stores: Connections::new(&project)?,
            keys: KeyRing {
                trusted,
                reference: project.signing.key.clone(),
                root: project.root.clone(),
                private: OnceCell::new(),
            },
            engines: EngineConnection::default(),
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
            clock: Timestamp::now,
            actor: &self.actor,
            events: shell,
        }
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
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
}

/// The project's keys; the private one is opened when it is first needed, and once.
struct KeyRing {
    trusted: TrustedKeys,
    reference: Option<KeyReference>,
    root: Utf8PathBuf,
    private: OnceCell<Arc<SigningKey>>,
}

#[async_trait]
impl Keys for KeyRing {
    fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    async fn signing_key(&self, may: Permission) -> Result<Arc<SigningKey>, OpsError> {
        let key = self.opened().await?;
        self.counts(&key, may)?;
        Ok(key)
    }

    async fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, OpsError> {
        if let Some(text) = variable("IAMSHIP_FINGERPRINT_KEY") {
            let key = *Digest::of(text.as_bytes()).as_bytes();
            return Ok(Some(Arc::new(SecretBox::new(Box::new(key)))));
        }
        match &self.reference {
            // A machine without the key file can still read: it just can't tell whether secrets changed.
            Some(KeyReference::File(path)) if !self.root.join(path).exists() => Ok(None),
            Some(KeyReference::Environment(name)) if variable(name).is_none() => Ok(None),
            Some(_) => Ok(Some(Arc::new(self.opened().await?.derive(FINGERPRINT)))),
            None => Ok(None),
        }
    }
}

impl KeyRing {
    async fn opened(&self) -> Result<Arc<SigningKey>, OpsError> {
        self.private.get_or_try_init(|| self.open()).await.cloned()
    }

    async fn open(&self) -> Result<Arc<SigningKey>, OpsError> {
        let (name, pem): (String, SecretString) = match &self.reference {
            None => {
                return Err(
                    OpsError::input("this needs a signing key, and `iamship.toml` names none")
                        .help("iamship keygen")
                        .help("then, in `iamship.toml`: `[signing]`, `key = \"file:keys/iamship.key\"`, `trusted = [\"keys/iamship.pub\"]`"),
                );
            }
            Some(KeyReference::Environment(name)) => {
                let text = variable(name).ok_or_else(|| {
                    OpsError::input(format!("the signing key should be in `{name}`, and that is not set"))
                })?;
                (format!("env:{name}"), text.into())
            }
            Some(KeyReference::File(path)) => {
                let text = std::fs::read_to_string(self.root.join(path)).map_err(|error| no_key(path, &error))?;
                (path.to_string(), text.into())
            }
        };
        let password = if pem.expose_secret().contains("ENCRYPTED") {
            Some(key_password(&name)?)
        } else {
            None
        };
        // scrypt takes 160 ms and 64 MiB: beside the network, not before it.
        let opened = tokio::task::spawn_blocking(move || SigningKey::from_pem(&pem, password.as_ref())).await;
        let opened = opened.map_err(|error| OpsError::world(format!("opening the key broke off: {error}")))?;
        let key = opened.map_err(|error| {
            let failure = OpsError::input(format!("the signing key `{name}` can't be opened: {error}"));
            match error {
                KeyError::WrongPassword => failure.help(format!("set `{}` to its password", PASSWORD_VARIABLES[0])),
                _ => failure,
            }
        })?;
        Ok(Arc::new(key))
    }

    /// Refuses a key whose word nobody here would take.
    fn counts(&self, key: &SigningKey, may: Permission) -> Result<(), OpsError> {
        let name = match &self.reference {
            Some(KeyReference::Environment(name)) => format!("env:{name}"),
            Some(KeyReference::File(path)) => path.to_string(),
            None => String::new(),
        };
        let fingerprint = key.public_key().fingerprint();
        let mut trusted = self.trusted.signers().iter();
        match trusted.find(|signer| signer.fingerprint() == fingerprint) {
            None => Err(OpsError::input(format!(
                "this project does not trust the signing key `{name}`: what it signs would not count"
            ))
            .help("add its public key to `[signing] trusted` in `iamship.toml`")),
            Some(signer) if !signer.may(may) => Err(OpsError::input(format!(
                "the signing key `{name}` may not {}: what it signs would not count",
                may.as_str()
            ))
            .help(format!(
                "use a key that may, or add \"{}\" to what `{}` may in `iamship.toml`",
                may.as_str(),
                signer.name()
            ))),
            Some(_) => Ok(()),
        }
    }
}

fn no_key(path: &Utf8Path, error: &std::io::Error) -> OpsError {
    if error.kind() != std::io::ErrorKind::NotFound {
        return OpsError::input(format!("the signing key `{path}` can't be read: {error}"));
    }
    let prefix = path.as_str().trim_end_matches(".key");
    OpsError::input(format!("the signing key `{path}` is not there")).help(format!("iamship keygen --out {prefix}"))
}

const PASSWORD_VARIABLES: [&str; 2] = ["IAMSHIP_KEY_PASSWORD", "COSIGN_PASSWORD"];

/// A password from the environment. Set and empty is a password too: cosign takes it as one.
fn password_variable() -> Option<SecretString> {
    let mut set = PASSWORD_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    set.next().map(Into::into)
}

fn key_password(name: &str) -> Result<SecretString, OpsError> {
    if let Some(password) = password_variable() {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        return Err(OpsError::input(format!("the signing key `{name}` needs its password"))
            .help(format!("set `{}`", PASSWORD_VARIABLES[0])));
    }
    ask(&format!("password of `{name}`: ")).map_err(OpsError::from)
}

/// The password of a new key; asked for twice.
pub(super) fn new_key_password() -> Result<SecretString, Failure> {
    if let Some(password) = password_variable() {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input("a new key needs a password").help(format!("set `{}`", PASSWORD_VARIABLES[0])));
    }
    let (first, second) = (ask("password of the new key: ")?, ask("again: ")?);
    if first.expose_secret() != second.expose_secret() {
        return Err(Failure::input("the two passwords differ"));
    }
    Ok(first)
}

fn ask(prompt: &str) -> std::io::Result<SecretString> {
    rpassword::prompt_password(prompt).map(Into::into)
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
    if yes { Ok(()) } else { Err(Failure::No) }
}
