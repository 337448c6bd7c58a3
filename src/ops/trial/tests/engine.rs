//! An engine in the process: its container is a provider on a loopback port, and it fails as a test wants.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::SecretSlice;

use crate::engine::{
    ContainerId, ContainerSpec, ContainerState, Engine, EngineError, EngineInfo, Finished, Found, LocalImage,
    LogBounds, NetworkId, Phase, Published,
};

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It runs.
    Runs,
    /// The image can't be started.
    StartRefused,
    /// Nor can anything else.
    StartBroken,
    /// It has ended at the first look.
    ExitsAtOnce,
    /// It was killed at the first look.
    OutOfMemory,
    /// It runs, and has ended at the n-th look.
    EndsAtLook(usize),
    /// The engine is gone at the n-th look.
    EngineGoneAtLook(usize),
    /// Its log can't be read.
    NoLog,
    /// It can't be removed.
    Stays,
}

/// An engine with one container.
pub(super) struct FakeEngine {
    address: SocketAddr,
    course: Course,
    log: Vec<u8>,
    seen: Mutex<Seen>,
}

/// What it was asked.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) spec: Option<ContainerSpec>,
    pub(super) looks: usize,
    /// What is there now, in the order in which it was made.
    pub(super) there: Vec<String>,
}

impl FakeEngine {
    pub(super) fn new(address: SocketAddr, course: Course, log: &[u8]) -> Self {
        Self {
            address,
            course,
            log: log.to_vec(),
            seen: Mutex::default(),
        }
    }

    pub(super) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> EngineError {
        EngineError::Unreachable {
            engine: self.name().to_owned(),
            because: "it is gone".to_owned(),
        }
    }

    fn unasked<T>(&self) -> Result<T, EngineError> {
        Err(EngineError::Settings("no test asks for this".to_owned()))
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn name(&self) -> &str {
        "unix:///fake"
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.unasked()
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        self.unasked()
    }

    async fn load(&self, _: BoxStream<'static, std::io::Result<Bytes>>) -> Result<(), EngineError> {
        self.unasked()
    }

    async fn create_network(&self) -> Result<NetworkId, EngineError> {
        self.seen().there.push("network".to_owned());
        Ok(NetworkId("network".to_owned()))
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, EngineError> {
        let mut seen = self.seen();
        seen.spec = Some(spec.clone());
        seen.there.push("container".to_owned());
        Ok(ContainerId("container".to_owned()))
    }

    async fn start(&self, _: &ContainerId) -> Result<(), EngineError> {
        let refused = |status| EngineError::Refused {
            act: "start the container",
            because: "exec: \"idsvr\": executable file not found".to_owned(),
            status,
        };
        match self.course {
            Course::StartRefused => Err(refused(400)),
            Course::StartBroken => Err(refused(500)),
            _ => Ok(()),
        }
    }

    async fn state(&self, _: &ContainerId) -> Result<ContainerState, EngineError> {
        let mut seen = self.seen();
        seen.looks += 1;
        let exited = |code, out_of_memory| Phase::Exited { code, out_of_memory };
        let phase = match self.course {
            Course::ExitsAtOnce => exited(64, false),
            Course::OutOfMemory => exited(137, true),
            Course::EndsAtLook(look) if seen.looks >= look => exited(1, false),
            Course::EngineGoneAtLook(look) if seen.looks >= look => return Err(self.gone()),
            _ => Phase::Running,
        };
        let ports = seen.spec.iter().flat_map(|spec| spec.ports.keys());
        let published = ports.map(|port| Published {
            port: *port,
            address: self.address,
        });
        Ok(ContainerState {
            phase,
            ports: published.collect(),
        })
    }

    async fn logs(&self, _: &ContainerId, bounds: LogBounds) -> Result<Vec<u8>, EngineError> {
        match self.course {
            Course::NoLog | Course::EngineGoneAtLook(_) => Err(self.gone()),
            _ => Ok(self.log[self.log.len().saturating_sub(bounds.bytes)..].to_vec()),
        }
    }

    async fn run(&self, _: &ContainerSpec, _: SecretSlice<u8>) -> Result<Finished, EngineError> {
        self.unasked()
    }

    async fn stop(&self, _: &ContainerId, _: Duration) -> Result<(), EngineError> {
        self.unasked()
    }

    async fn rename(&self, _: &ContainerId, _: &str) -> Result<(), EngineError> {
        self.unasked()
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        if self.course == Course::Stays {
            return Err(self.gone());
        }
        self.seen().there.retain(|there| *there != id.0);
        Ok(())
    }

    async fn remove_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        self.seen().there.retain(|there| *there != id.0);
        Ok(())
    }

    async fn find(&self, _: &[(&str, &str)]) -> Result<Vec<Found>, EngineError> {
        self.unasked()
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        self.unasked()
    }

    async fn clean_up(&self) -> Result<usize, EngineError> {
        self.unasked()
    }
}
