//! An engine in memory that fails, hangs or dies at any call, and the verbs as a library against it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use camino::Utf8Path;
use futures::stream::BoxStream;
use iamship::attest::{Signatory, TrustedKeys};
use iamship::engine::{
    ContainerId, ContainerSpec, ContainerState, Engine, EngineError, EngineInfo, Finished, Found, LocalImage,
    LogBounds, NetworkId, Phase, Published,
};
use iamship::image::{Digest, Location};
use iamship::ops::{Context, Engines, Event, Events, FingerprintKey, Keys, OpsError, Stores};
use iamship::project::{Permission, Project};
use iamship::store::{Layout, Store, StoreError};
use iamship::vault::Vault;
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What one call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It does its work, and says that it did not.
    BreaksOff,
    /// It refuses.
    Refuses,
    /// The engine is dead from then on.
    Dies,
    /// It does its work, and never says so.
    Hangs,
}

/// A container of the fake.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) name: String,
    pub(crate) spec: ContainerSpec,
    pub(crate) is_running: bool,
    was_started: bool,
}

#[derive(Default)]
struct Inside {
    containers: Vec<Container>,
    made: usize,
    calls: Vec<&'static str>,
    trouble: Option<(usize, Trouble)>,
    is_dead: bool,
}

/// The fake; clones are one engine.
#[derive(Clone)]
pub(crate) struct SimulatedEngine {
    inside: Arc<Mutex<Inside>>,
    images: Arc<Vec<LocalImage>>,
    /// Where a server that is well answers.
    pub(crate) well: SocketAddr,
    /// Where one answers that is not.
    sick: SocketAddr,
    hung: Arc<tokio::sync::Notify>,
}

impl SimulatedEngine {
    pub(crate) async fn new(images: Vec<LocalImage>) -> Self {
        Self {
            inside: Arc::default(),
            images: Arc::new(images),
            well: server(200).await,
            sick: server(503).await,
            hung: Arc::default(),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("not poisoned")
    }

    /// From the next call on, the call of this number is in trouble.
    pub(crate) fn trouble(&self, at: usize, trouble: Trouble) {
        let mut inside = self.inside();
        inside.calls.clear();
        inside.trouble = Some((at, trouble));
    }

    /// Well again; what belongs to runs that are over is gone, as after a sweep.
    pub(crate) fn recover(&self) {
        let mut inside = self.inside();
        (inside.trouble, inside.is_dead) = (None, false);
        inside.containers.retain(|container| container.spec.is_kept);
    }

    /// Until a call hangs.
    pub(crate) async fn hangs(&self) {
        self.hung.notified().await;
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.inside().calls.clone()
    }

    pub(crate) fn containers(&self) -> Vec<Container> {
        self.inside().containers.clone()
    }

    /// A container that somebody else made.
    pub(crate) fn add_foreign(&self, name: &str) {
        let spec = ContainerSpec {
            image: Digest::of(b"foreign"),
            name: Some(name.to_owned()),
            labels: BTreeMap::new(),
            is_kept: true,
            environment: BTreeMap::new(),
            command: None,
            entrypoint: None,
            network: None,
            ports: BTreeMap::new(),
            limits: iamship::engine::Limits {
                memory: 0,
                processes: 0,
                read_only: false,
                tmpfs: Vec::new(),
                capabilities: false,
            },
        };
        self.inside().add(&spec);
    }

    /// Counts the call; does its work unless there is trouble.
    async fn call<T>(
        &self,
        act: &'static str,
        work: impl FnOnce(&mut Inside) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let broken = || EngineError::BrokenOff {
            act,
            because: "in trouble".to_owned(),
        };
        let (trouble, answer) = {
            let mut inside = self.inside();
            if inside.is_dead {
                return Err(broken());
            }
            let number = inside.calls.len();
            inside.calls.push(act);
            let trouble = inside
                .trouble
                .filter(|(at, _)| *at == number)
                .map(|(_, trouble)| trouble);
            match trouble {
                Some(Trouble::Dies) => {
                    inside.is_dead = true;
                    return Err(broken());
                }
                Some(Trouble::Refuses) => {
                    return Err(EngineError::Refused {
                        act,
                        because: "in trouble".to_owned(),
                        status: 500,
                    });
                }
                Some(_) | None => (trouble, work(&mut inside)),
            }
        };
        match trouble {
            None => answer,
            Some(Trouble::Hangs) => {
                self.hung.notify_one();
                std::future::pending().await
            }
            Some(_) => answer.and_then(|_| Err(broken())),
        }
    }
}

impl Inside {
    fn add(&mut self, spec: &ContainerSpec) -> ContainerId {
        self.made += 1;
        let id = ContainerId(format!("{:064x}", self.made));
        self.containers.push(Container {
            id: id.clone(),
            name: spec.name.clone().unwrap_or_else(|| format!("name-{}", self.made)),
            spec: spec.clone(),
            is_running: false,
            was_started: false,
        });
        id
    }

    fn one(&mut self, act: &'static str, id: &ContainerId) -> Result<&mut Container, EngineError> {
        let mut all = self.containers.iter_mut();
        all.find(|container| container.id == *id).ok_or(EngineError::Refused {
            act,
            because: "no such container".to_owned(),
            status: 404,
        })
    }

    fn check_name(&self, act: &'static str, name: &str) -> Result<(), EngineError> {
        match self.containers.iter().any(|container| container.name == name) {
            true => Err(EngineError::Refused {
                act,
                because: "the name is in use".to_owned(),
                status: 409,
            }),
            false => Ok(()),
        }
    }
}

/// What a container's environment says of its server: `SICK` is one that never gets healthy, `ENDS` one that exits.
fn is(container: &Container, what: &str) -> bool {
    let text = container.spec.environment.get("BEHAVIOUR");
    text.is_some_and(|text| text.expose_secret() == what)
}

#[async_trait]
impl Engine for SimulatedEngine {
    fn name(&self) -> &str {
        "fake"
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.call("info", |_| {
            Ok(EngineInfo {
                product: "Fake".to_owned(),
                version: "1".to_owned(),
                api: "1.41".to_owned(),
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
            })
        })
        .await
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        self.call("images", |_| Ok(self.images.to_vec())).await
    }

    async fn load(&self, _: BoxStream<'static, std::io::Result<Bytes>>) -> Result<(), EngineError> {
        panic!("it has the image")
    }

    async fn create_network(&self) -> Result<NetworkId, EngineError> {
        self.call("create_network", |_| Ok(NetworkId("network".to_owned())))
            .await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        self.call("create", |inside| {
            inside.check_name("create", spec.name.as_deref().unwrap_or_default())?;
            let mut spec = spec.clone();
            // As the engine does it: what is kept is said aloud to be of no run.
            let run = if spec.is_kept { "" } else { "run" };
            spec.labels.insert("dev.iamship.run".to_owned(), run.to_owned());
            Ok(inside.add(&spec))
        })
        .await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call("start", |inside| {
            let wanted: Vec<_> = inside.one("start", id)?.spec.ports.values().copied().collect();
            let others = inside
                .containers
                .iter()
                .filter(|other| other.is_running && other.id != *id);
            let taken = others.flat_map(|other| other.spec.ports.values());
            if let Some(address) = taken
                .filter(|address| address.port() != 0)
                .find(|address| wanted.contains(address))
            {
                let address = address.to_string();
                return Err(EngineError::AddressTaken { address });
            }
            let container = inside.one("start", id)?;
            (container.is_running, container.was_started) = (!is(container, "ENDS"), true);
            Ok(())
        })
        .await
    }

    async fn state(&self, id: &ContainerId) -> Result<ContainerState, EngineError> {
        let (well, sick) = (self.well, self.sick);
        self.call("state", |inside| {
            let container = inside.one("state", id)?;
            let free = if is(container, "SICK") { sick } else { well };
            let ports = container.spec.ports.iter().map(|(port, address)| Published {
                port: *port,
                address: match address.port() {
                    0 => free,
                    _ if is(container, "SICK") => sick,
                    _ => *address,
                },
            });
            let phase = match (container.is_running, container.was_started) {
                (true, _) => Phase::Running,
                (false, false) => Phase::Created,
                (false, true) => Phase::Exited {
                    code: 3,
                    out_of_memory: false,
                },
            };
            Ok(ContainerState {
                ports: if container.is_running {
                    ports.collect()
                } else {
                    Vec::new()
                },
                phase,
            })
        })
        .await
    }

    async fn logs(&self, _: &ContainerId, _: LogBounds) -> Result<Vec<u8>, EngineError> {
        self.call("logs", |_| Ok(b"what it said\n".to_vec())).await
    }

    async fn run(&self, _: &ContainerSpec, _: SecretSlice<u8>) -> Result<Finished, EngineError> {
        panic!("nothing is protected here")
    }

    async fn stop(&self, id: &ContainerId, _: std::time::Duration) -> Result<(), EngineError> {
        self.call("stop", |inside| {
            inside.one("stop", id)?.is_running = false;
            Ok(())
        })
        .await
    }

    async fn rename(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        self.call("rename", |inside| {
            inside.check_name("rename", name)?;
            inside.one("rename", id)?.name = name.to_owned();
            Ok(())
        })
        .await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call("remove", |inside| {
            inside.containers.retain(|container| container.id != *id);
            Ok(())
        })
        .await
    }

    async fn remove_network(&self, _: &NetworkId) -> Result<(), EngineError> {
        self.call("remove_network", |_| Ok(())).await
    }

    async fn find(&self, labels: &[(&str, &str)]) -> Result<Vec<Found>, EngineError> {
        self.call("find", |inside| {
            let fits = |container: &&Container| {
                let has =
                    |(name, value): &(&str, &str)| container.spec.labels.get(*name).is_some_and(|own| own == value);
                labels.iter().all(has)
            };
            let found = inside.containers.iter().filter(fits).map(|container| Found {
                id: container.id.clone(),
                name: container.name.clone(),
                labels: container.spec.labels.clone(),
                is_running: container.is_running,
                image: container.spec.image,
            });
            Ok(found.collect())
        })
        .await
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        Ok(0)
    }

    async fn clean_up(&self) -> Result<usize, EngineError> {
        Ok(0)
    }
}

/// A server that answers every request with this status.
async fn server(status: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(1..) = stream.read(&mut request).await {
                    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// A project and its connections, as the command line has them, but for the engine.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) engine: SimulatedEngine,
    trusted: TrustedKeys,
    environment: Vec<(OsString, OsString)>,
    vault: Arc<Vault>,
    heard: Heard,
}

/// Everything that was told.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Events for Heard {
    fn tell(&self, event: Event<'_>) {
        self.0.lock().expect("not poisoned").push(format!("{event:?}"));
    }
}

impl World {
    pub(crate) fn open(root: &std::path::Path, engine: &SimulatedEngine) -> Self {
        let project = Project::load(Utf8Path::from_path(root).expect("UTF-8")).expect("a project");
        Self {
            trusted: TrustedKeys::read(&project.signing.trusted).expect("keys"),
            engine: engine.clone(),
            environment: Vec::new(),
            vault: Arc::new(Vault::new(project.vault.clone(), project.root.clone(), Vec::new())),
            project,
            heard: Heard::default(),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            project: &self.project,
            stores: self,
            keys: self,
            engines: self,
            environment: &self.environment,
            vault: &self.vault,
            clock: jiff::Timestamp::now,
            actor: "tester",
            events: &self.heard,
        }
    }

    pub(crate) fn heard(&self) -> String {
        self.heard.0.lock().expect("not poisoned").join("\n")
    }
}

impl Stores for World {
    fn open(&self, location: &Location) -> Result<Arc<dyn Store>, StoreError> {
        match location {
            Location::Layout(path) => Ok(Arc::new(Layout::open_or_create_under(&self.project.root, path)?)),
            Location::Registry { .. } => panic!("no registry here"),
        }
    }
}

#[async_trait]
impl Engines for World {
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::new(self.engine.clone()))
    }
}

#[async_trait]
impl Keys for World {
    fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    async fn signing_key(&self, _: Permission) -> Result<Arc<Signatory>, OpsError> {
        panic!("nothing is signed here")
    }

    async fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, OpsError> {
        Ok(Some(Arc::new(SecretBox::new(Box::new([7; 32])))))
    }
}
