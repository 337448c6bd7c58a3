//! The Docker Engine API, as Docker and Podman speak it.
//!
//! bollard knows the calls and their types. The connections are ours: see [`transport`]. Every call has a deadline.

mod answers;
mod container;
mod context;
mod endpoint;
mod failure;
mod images;
mod leftovers;
mod logs;
mod network;
mod owner;
mod run;
mod spec;
mod tls;
mod transport;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error;
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::SecretSlice;
use tokio::sync::Semaphore;

use self::failure::told;
use self::owner::Owner;
use self::transport::Transport;
use super::{
    ContainerId, ContainerSpec, ContainerState, Engine, EngineError, EngineInfo, Finished, Found, LocalImage,
    LogBounds, NetworkId,
};
use crate::image::Digest;

pub use endpoint::{Address, Endpoint, TlsFiles};

/// The oldest version of the API that has all that is asked for. The oldest that both know is spoken: that one is
/// what is tested, and engines keep it working.
const OLDEST: (u32, u32) = (1, 41);
/// So many things may be in the making at once.
const MAKING: u32 = 1 << 10;

/// How long an engine is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnginePatience {
    /// For its first answer.
    pub connect: Duration,
    /// For an ordinary call.
    pub call: Duration,
    /// For the next step of a load: bytes taken, or the end.
    pub load: Duration,
    /// For a container that runs from start to end.
    pub run: Duration,
}

impl Default for EnginePatience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            call: Duration::from_secs(60),
            load: Duration::from_secs(300),
            run: Duration::from_secs(120),
        }
    }
}

/// An engine that speaks Docker's API.
pub struct Docker {
    api: bollard::Docker,
    transport: Transport,
    info: EngineInfo,
    owner: Owner,
    patience: EnginePatience,
    shared: Arc<Shared>,
}

/// What the tasks that make things need too.
struct Shared {
    name: String,
    /// Who makes something holds one: a request that nobody waits for any more still makes what it asked for.
    making: Arc<Semaphore>,
}

impl Docker {
    /// Connects, and sees whether it can be used.
    pub async fn connect(endpoint: &Endpoint, patience: EnginePatience) -> Result<Self, EngineError> {
        let transport = Transport::new(endpoint)?;
        let name = endpoint.to_string();
        let sender = transport.clone();
        let send = move |request| {
            let transport = sender.clone();
            async move { transport.send(request).await }
        };
        // Its own time limit ends with the first byte of an answer; ours covers the whole.
        let api = bollard::Docker::connect_with_custom_transport(
            send,
            Some("http://docker"),
            24 * 3600,
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| told(&name, "be connected to", error))?;
        let info = hello(&api, &name, patience.connect).await?;
        transport.speak(&info.api);
        Ok(Self {
            api,
            transport,
            info,
            owner: Owner::new()?,
            patience,
            shared: Arc::new(Shared {
                name,
                making: Arc::new(Semaphore::new(MAKING as usize)),
            }),
        })
    }

    /// A call with its deadline.
    async fn call<T>(&self, act: &'static str, call: impl Future<Output = Result<T, Error>>) -> Result<T, EngineError> {
        within(&self.shared.name, act, self.patience.call, call).await
    }
}

/// Asks what it is, and which version of the API is spoken with it.
async fn hello(api: &bollard::Docker, name: &str, patience: Duration) -> Result<EngineInfo, EngineError> {
    const ACT: &str = "say what it is";
    let unsuitable = |because: String| EngineError::Unsuitable {
        engine: name.to_owned(),
        because,
    };
    let version = match within(name, ACT, patience, api.version()).await {
        Err(EngineError::Refused { because, .. } | EngineError::BrokenOff { because, .. }) => {
            return Err(unsuitable(format!("it does not speak Docker's API ({because})")));
        }
        answer => answer?,
    };
    let read = |text: Option<&str>| {
        let (major, minor) = text?.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let newest = read(version.api_version.as_deref())
        .ok_or_else(|| unsuitable("it does not say which version of Docker's API it speaks".to_owned()))?;
    if newest < OLDEST {
        let (major, minor) = newest;
        return Err(unsuitable(format!(
            "it speaks version {major}.{minor} of Docker's API, and 1.41 (Docker 20.10, Podman 4) is the oldest that will do"
        )));
    }
    let (major, minor) = read(version.min_api_version.as_deref()).map_or(OLDEST, |oldest| oldest.max(OLDEST));
    let components = version.components.unwrap_or_default();
    let is_podman = components.iter().any(|component| component.name.contains("Podman"));
    Ok(EngineInfo {
        product: if is_podman { "Podman" } else { "Docker" }.to_owned(),
        version: version.version.unwrap_or_default(),
        api: format!("{major}.{minor}"),
        os: version.os.unwrap_or_default(),
        architecture: version.arch.unwrap_or_default(),
    })
}

/// A call with a deadline, its failure in our words.
async fn within<T>(
    engine: &str,
    act: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, EngineError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(|error| told(engine, act, error)),
        Err(_) => Err(too_slow(act, limit)),
    }
}

fn too_slow(act: &'static str, limit: Duration) -> EngineError {
    EngineError::TooSlow {
        act,
        seconds: limit.as_secs(),
    }
}

/// What it should have said, and did not.
fn silent(act: &'static str, what: &str) -> EngineError {
    EngineError::BrokenOff {
        act,
        because: format!("its answer has no {what}"),
    }
}

/// Whether it is an answer of this status.
fn has_status(error: &EngineError, wanted: u16) -> bool {
    matches!(error, EngineError::Refused { status, .. } if *status == wanted)
}

/// An engine's id of an image; Podman leaves out the algorithm.
fn image_id(text: &str) -> Option<Digest> {
    text.parse().or_else(|_| Digest::from_hex(text)).ok()
}

#[async_trait]
impl Engine for Docker {
    fn name(&self) -> &str {
        &self.shared.name
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        Ok(self.info.clone())
    }

    async fn image(&self, id: Digest) -> Result<Option<LocalImage>, EngineError> {
        self.inspect_image(&id.to_string()).await
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        self.all_images().await
    }

    async fn load(&self, archive: BoxStream<'static, std::io::Result<Bytes>>) -> Result<(), EngineError> {
        self.load_archive(archive).await
    }

    async fn create_network(&self) -> Result<NetworkId, EngineError> {
        self.make_network().await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        self.make_container(spec::body(spec, &self.owner)?, spec).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.start_container(id).await
    }

    async fn state(&self, id: &ContainerId) -> Result<ContainerState, EngineError> {
        self.inspect_container(id).await
    }

    async fn logs(&self, id: &ContainerId, bounds: LogBounds) -> Result<Vec<u8>, EngineError> {
        self.read_logs(id, bounds).await
    }

    async fn run(&self, spec: &ContainerSpec, stdin: SecretSlice<u8>) -> Result<Finished, EngineError> {
        self.run_to_end(spec, stdin).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        self.stop_container(id, grace).await
    }

    async fn rename(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        self.rename_container(id, name).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.remove_container(id).await
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        self.remove_one_network(id).await
    }

    async fn find(&self, labels: &[(&str, &str)]) -> Result<Vec<Found>, EngineError> {
        self.find_containers(labels).await
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        self.remove_abandoned().await
    }

    async fn clean_up(&self) -> Result<usize, EngineError> {
        self.remove_own().await
    }
}
