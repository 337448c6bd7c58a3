//! Runs containers: a trait, and the Docker Engine API.
//!
//! What is started carries labels that name the run and the process it belongs to, so that whatever stays behind can be
//! found and removed, also by a later run.

mod container;
mod docker;
mod error;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::SecretSlice;

pub use container::{
    ContainerId, ContainerSpec, ContainerState, Finished, Found, Limits, LogBounds, NetworkId, Phase, Published,
};
pub use docker::{Address, Docker, Endpoint, EnginePatience, TlsFiles};
pub use error::EngineError;

use crate::image::Digest;

/// An engine that runs containers.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Where it is, for messages: `unix:///var/run/docker.sock`.
    fn name(&self) -> &str;

    /// What it is.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// The image of this id: the config's digest, or the manifest's where the engine stores manifests. None if it has none.
    async fn image(&self, id: Digest) -> Result<Option<LocalImage>, EngineError> {
        Ok(self.images().await?.into_iter().find(|image| image.id == id))
    }

    /// All images that it holds.
    async fn images(&self) -> Result<Vec<LocalImage>, EngineError>;

    /// Loads an image archive (`docker save`'s format, a tar stream). What came of it is for the caller to verify.
    async fn load(&self, archive: BoxStream<'static, std::io::Result<Bytes>>) -> Result<(), EngineError>;

    /// Makes a network of this run's own; containers in it reach each other and, through the engine, the outside.
    async fn create_network(&self) -> Result<NetworkId, EngineError>;

    /// Makes a container; it does not run yet.
    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError>;

    /// Starts it.
    async fn start(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// How it is, and where its ports are published.
    async fn state(&self, id: &ContainerId) -> Result<ContainerState, EngineError>;

    /// The newest lines that it wrote to stdout and stderr, within bounds.
    async fn logs(&self, id: &ContainerId, bounds: LogBounds) -> Result<Vec<u8>, EngineError>;

    /// Runs a container from start to end, giving it bytes on stdin, and removes it.
    async fn run(&self, spec: &ContainerSpec, stdin: SecretSlice<u8>) -> Result<Finished, EngineError>;

    /// Stops it: asks, waits for the grace, kills.
    async fn stop(&self, id: &ContainerId, grace: std::time::Duration) -> Result<(), EngineError>;

    /// Gives it another name.
    async fn rename(&self, id: &ContainerId, name: &str) -> Result<(), EngineError>;

    /// Removes it, running or not, with its anonymous volumes. One that is gone already is no error.
    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError>;

    /// Removes a network. One that is gone already is no error.
    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError>;

    /// The containers, running or not, that carry all of these labels.
    async fn find(&self, labels: &[(&str, &str)]) -> Result<Vec<Found>, EngineError>;

    /// Removes what earlier runs left that have no process any more: containers and networks, by id. How many.
    async fn sweep(&self) -> Result<usize, EngineError>;

    /// Removes everything of this run that is still there, by id. How many.
    async fn clean_up(&self) -> Result<usize, EngineError>;
}

/// What an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// `Docker`, `Podman`
    pub product: String,
    /// `20.10.24`
    pub version: String,
    /// `1.41`
    pub api: String,
    /// `linux`
    pub os: String,
    /// As OCI writes it: `amd64`.
    pub architecture: String,
}

/// An image in an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalImage {
    /// The engine's own id: the config's digest, or the manifest's where the engine stores manifests.
    pub id: Digest,
    /// The digests of the layers' contents, from the bottom.
    pub layers: Vec<Digest>,
}
