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
const FORWARD: &str = "only `unix://` and `tcp://` are spoken; what is tested or deployed must be on this machine";

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

    /// Refuses an engine of another machine: its containers' ports are on that one's loopback addresses, and on ours
    /// anybody may answer.
    pub fn require_here(&self) -> Result<(), EngineError> {
        let is_here = match &self.address {
            Address::Unix(_) => true,
            Address::Tcp { host, .. } => {
                let address = host.parse::<std::net::IpAddr>();
                address.map_or_else(
                    |_| host.eq_ignore_ascii_case("localhost"),
                    |address| address.is_loopback(),
                )
            }
        };
        match is_here {
            true => Ok(()),
            false => Err(EngineError::Unsuitable {
                engine: self.to_string(),
                because: "it is not on this machine, and what it starts is asked on this machine's loopback addresses"
                    .to_owned(),
            }),
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

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Endpoint, EngineError> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Endpoint::find(|name| variables.get(name).map(OsString::from))
    }

    fn host(text: &str) -> Result<String, String> {
        let found = find(&[("DOCKER_HOST", text)]);
        found.map(|found| found.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_the_hosts_that_docker_reads() {
        for (text, wanted) in [
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("tcp://engine", "tcp://engine:2375"),
            ("tcp://engine:2376/", "tcp://engine:2376"),
            ("http://10.0.0.1:80", "tcp://10.0.0.1:80"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(host(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn knows_which_engines_are_on_this_machine() {
        for (text, is_here) in [
            ("unix:///run/docker.sock", true),
            ("tcp://127.0.0.1:2375", true),
            ("tcp://[::1]:2375", true),
            ("tcp://LOCALHOST", true),
            ("tcp://docker:2375", false),
            ("tcp://localhost.example.com", false),
            ("tcp://10.0.0.1:2375", false),
        ] {
            let endpoint = find(&[("DOCKER_HOST", text)]).expect(text);
            assert_eq!(endpoint.require_here().is_ok(), is_here, "{text}");
        }
    }

    #[test]
    fn says_why_a_host_is_none() {
        for (text, because) in [
            ("/run/docker.sock", "begin with `unix://`"),
            ("localhost:2375", "begin with `unix://`"),
            ("unix://docker.sock", "its whole path"),
            ("ssh://me@engine", "only `unix://`"),
            ("npipe:////./pipe/docker_engine", "only `unix://`"),
            ("tcp://", "no host"),
            ("tcp://:2375", "no host"),
            ("tcp://engine:http", "no port"),
            ("tcp://engine:70000", "no port"),
            ("tcp://me@engine:2375", "nothing else"),
            ("tcp://engine:2375/path", "nothing else"),
        ] {
            let error = host(text).expect_err(text);
            assert!(error.contains(because) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn the_host_wins_over_the_context_and_the_context_over_the_sockets() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().to_str().expect("UTF-8");
        fs::write(
            folder.path().join("config.json"),
            r#"{"auths":{},"currentContext":"far"}"#,
        )
        .expect("written");
        write_context(folder.path(), "far", r#"{"docker":{"Host":"unix:///far.sock"}}"#);
        write_context(folder.path(), "near", r#"{"docker":{"Host":"unix:///near.sock"}}"#);
        let variables = [
            ("DOCKER_HOST", "unix:///here.sock"),
            ("DOCKER_CONTEXT", "near"),
            ("DOCKER_CONFIG", config),
        ];
        assert_eq!(find(&variables), Ok(Endpoint::unix("/here.sock")));
        assert_eq!(find(&variables[1..]), Ok(Endpoint::unix("/near.sock")));
        assert_eq!(find(&variables[2..]), Ok(Endpoint::unix("/far.sock")));
        // As `docker context use default` and an empty variable mean nothing.
        let socket = find(&[("DOCKER_CONTEXT", "default"), ("DOCKER_CONFIG", config)]).expect("a socket");
        assert_eq!(socket, find(&[("DOCKER_HOST", "")]).expect("a socket"));
        let error = find(&[("DOCKER_CONTEXT", "gone"), ("DOCKER_CONFIG", config)]).expect_err("no such");
        assert!(error.to_string().contains("`gone` does not exist"), "{error}");
        assert!(find(&[("DOCKER_CONTEXT", "gone")]).is_err());
    }

    pub(in crate::engine::docker) fn write_context(folder: &Path, name: &str, endpoints: &str) -> PathBuf {
        let id = crate::image::Digest::of(name.as_bytes()).hex();
        let meta = folder.join("contexts/meta").join(&id);
        fs::create_dir_all(&meta).expect("a folder");
        let text = format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{endpoints}}}"#);
        fs::write(meta.join("meta.json"), text).expect("written");
        folder.join("contexts/tls").join(&id).join("docker")
    }

    #[test]
    fn finds_a_rootless_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("podman/podman.sock");
        fs::create_dir_all(folder.path().join("podman")).expect("a folder");
        fs::write(&socket, "").expect("written");
        if !Path::new(DEFAULT_SOCKET).exists() {
            assert_eq!(Endpoint::usual(Some(folder.path())), Endpoint::unix(socket));
        }
    }

    #[test]
    fn tls_needs_somebody_who_vouches() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("UTF-8");
        let variables = [
            ("DOCKER_HOST", "tcp://engine:2376"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", path),
        ];
        let error = find(&variables).expect_err("no ca.pem");
        assert!(error.to_string().contains("ca.pem"), "{error}");
        assert!(find(&variables[..2]).is_err());
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        let tls = find(&variables).expect("found").tls.expect("TLS");
        let identity = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        assert_eq!(tls.identity, Some(identity));
        assert_eq!(find(&variables[..1]).expect("found").tls, None);
        let socket = [("DOCKER_HOST", "unix:///here.sock"), variables[1], variables[2]];
        assert_eq!(find(&socket), Ok(Endpoint::unix("/here.sock")));
        assert!(
            find(&[("DOCKER_HOST", "https://engine"), variables[2]])
                .expect("found")
                .tls
                .is_some()
        );
    }
}
