//! Where the engine is: `DOCKER_HOST`, Docker's context, else the sockets where engines usually listen.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::context;
use crate::engine::EngineError;

/// Docker's own socket.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// The socket of a Podman that runs as root.
const PODMAN_SOCKET: &str = "/run/podman/podman.sock";
/// Schemes of other tools' that this program does not speak.
const FORWARD: &str = "only `unix://` and `tcp://` are spoken: forward its socket (`ssh -L /tmp/engine.sock:/var/run/docker.sock HOST`) and set `DOCKER_HOST=unix:///tmp/engine.sock`";

/// Where an engine is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Socket or host.
    pub address: Address,
    /// TLS, where it is asked for.
    pub tls: Option<TlsFiles>,
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// A host and a port.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

/// The files of a TLS connection, as Docker keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// `ca.pem`: who may vouch for the engine.
    pub ca: PathBuf,
    /// `cert.pem` and `key.pem`: who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Address::Tcp { host, port } if host.contains(':') => write!(formatter, "tcp://[{host}]:{port}"),
            Address::Tcp { host, port } => write!(formatter, "tcp://{host}:{port}"),
        }
    }
}

impl Endpoint {
    /// The engine that Docker's command line would speak to, given a look at the process environment: `DOCKER_HOST`
    /// (with `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`), else `DOCKER_CONTEXT`, else the current context of
    /// `config.json` in `DOCKER_CONFIG`, else Docker's socket, else Podman's. Reads files.
    pub fn find(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, EngineError> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).map(|value| value.to_string_lossy().into_owned());
        let config = set("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".docker")));
        if let Some(host) = text("DOCKER_HOST") {
            let folder = set("DOCKER_CERT_PATH").map(PathBuf::from).or(config);
            let verify = set("DOCKER_TLS_VERIFY").is_some();
            return Self::of_host("DOCKER_HOST", &host, verify, folder.as_deref());
        }
        let context = match (text("DOCKER_CONTEXT"), &config) {
            (Some(name), _) => Some(name),
            (None, Some(folder)) => context::current(folder)?,
            (None, None) => None,
        };
        match (context.filter(|name| name != "default"), config) {
            (Some(name), Some(folder)) => context::endpoint(&folder, &name),
            (Some(name), None) => Err(EngineError::Settings(format!(
                "Docker's context `{name}` is nowhere: neither `DOCKER_CONFIG` nor `HOME` is set"
            ))),
            (None, _) => Ok(Self::usual(set("XDG_RUNTIME_DIR").map(PathBuf::from).as_deref())),
        }
    }

    /// A socket of this machine.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            address: Address::Unix(path.into()),
            tls: None,
        }
    }

    fn usual(runtime: Option<&Path>) -> Self {
        let own = runtime.map(|folder| [folder.join("docker.sock"), folder.join("podman/podman.sock")]);
        let places = [PathBuf::from(DEFAULT_SOCKET)]
            .into_iter()
            .chain(own.into_iter().flatten())
            .chain([PathBuf::from(PODMAN_SOCKET)]);
        let found = places.into_iter().find(|path| path.exists());
        Self::unix(found.unwrap_or_else(|| DEFAULT_SOCKET.into()))
    }

    fn of_host(setting: &str, host: &str, verify: bool, certificates: Option<&Path>) -> Result<Self, EngineError> {
        let (address, secure) = parse_host(setting, host)?;
        let tls = match &address {
            Address::Tcp { .. } if verify || secure => Some(tls_files(setting, certificates)?),
            _ => None,
        };
        Ok(Self { address, tls })
    }
}

fn tls_files(setting: &str, folder: Option<&Path>) -> Result<TlsFiles, EngineError> {
    let folder = folder.ok_or_else(|| {
        EngineError::Settings(format!(
            "`{setting}` asks for TLS, but nothing says where the certificates are: set `DOCKER_CERT_PATH`"
        ))
    })?;
    let ca = folder.join("ca.pem");
    if !ca.is_file() {
        return Err(EngineError::Settings(format!(
            "`{setting}` asks for TLS, but `{}` is not there: nobody could vouch for the engine",
            ca.display()
        )));
    }
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let identity = (certificate.is_file() && key.is_file()).then_some((certificate, key));
    Ok(TlsFiles { ca, identity })
}

/// An address, and whether its scheme asks for TLS.
pub(super) fn parse_host(setting: &str, text: &str) -> Result<(Address, bool), EngineError> {
    let wrong = |because: &str| EngineError::Settings(format!("`{setting}` is `{text}`: {because}"));
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| wrong("it should begin with `unix://` or `tcp://`"))?;
    match scheme {
        "unix" if rest.starts_with('/') => return Ok((Address::Unix(rest.into()), false)),
        "unix" => return Err(wrong("a socket is named by its whole path: `unix:///run/docker.sock`")),
        "tcp" | "http" | "https" => {}
        _ => return Err(wrong(FORWARD)),
    }
    let secure = scheme == "https";
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong("it should be a host and a port, and nothing else"));
    }
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| wrong("its port is no port"))?,
        None if secure => 2376,
        None => 2375,
    };
    let host = host.to_owned();
    Ok((Address::Tcp { host, port }, secure))
}
