//! What a container is made from, and what can be seen of it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::image::Digest;

/// The engine's own id of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub String);

/// The engine's own id of a network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// What a container is made from. Everything in `environment` is treated as secret: it goes through the API's body and
/// nowhere else.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// The image, by the engine's own id.
    pub image: Digest,
    /// Its name; the engine makes one up when there is none.
    pub name: Option<String>,
    /// What the run is called in labels beside the engine's own: `("dev.iamship.stage", "staging")`.
    pub labels: BTreeMap<String, String>,
    /// Whether it outlives this run: then `clean_up` and `sweep` leave it alone.
    pub is_kept: bool,
    /// Its environment.
    pub environment: BTreeMap<String, SecretString>,
    /// The command; the image's own when there is none.
    pub command: Option<Vec<String>>,
    /// Its program; the image's own when there is none.
    pub entrypoint: Option<Vec<String>>,
    /// The network it is in; none means no network at all.
    pub network: Option<NetworkId>,
    /// Which of its ports are published, and on which address; port 0 means any that is free.
    pub ports: BTreeMap<u16, SocketAddr>,
    /// What it may take.
    pub limits: Limits,
}

/// What a container may take. No container gets new privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// How many processes and threads.
    pub processes: u32,
    /// Whether its root file system is read-only.
    pub read_only: bool,
    /// Folders that are writable all the same, in memory.
    pub tmpfs: Vec<String>,
    /// Whether it keeps the engine's default capabilities; none otherwise.
    pub capabilities: bool,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// Whether it runs.
    pub phase: Phase,
    /// Its ports and where they are published.
    pub ports: Vec<Published>,
}

/// Whether a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not started yet.
    Created,
    /// Running.
    Running,
    /// It ended.
    Exited {
        /// Its exit code.
        code: i64,
        /// Whether it was killed because it took more memory than it may.
        out_of_memory: bool,
    },
}

/// Where a port can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The port in the container.
    pub port: u16,
    /// The address on this machine.
    pub address: SocketAddr,
}

/// What a container that ran to its end gave back.
pub struct Finished {
    /// Its exit code.
    pub code: i64,
    /// What it wrote, bounded; as secret as what it read.
    pub stdout: secrecy::SecretSlice<u8>,
    /// What it said, bounded; not redacted.
    pub stderr: secrecy::SecretSlice<u8>,
}

/// A container that was found by its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the slash.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it runs.
    pub is_running: bool,
    /// The image, by the engine's own id.
    pub image: Digest,
}

/// How much of a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The newest lines.
    pub lines: u32,
    /// Bytes at most.
    pub bytes: usize,
    /// How long the engine may take.
    pub within: Duration,
}
