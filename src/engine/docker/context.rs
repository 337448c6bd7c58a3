//! Docker's contexts: `config.json` says which one is current, `contexts/` holds them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::endpoint::{Address, Endpoint, TlsFiles, parse_host};
use crate::engine::EngineError;
use crate::image::Digest;

/// The largest of these files that is read.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default, rename = "Endpoints")]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
struct MetaEndpoint {
    #[serde(default, rename = "Host")]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The context that `config.json` names, if it names one.
pub(super) fn current(folder: &Path) -> Result<Option<String>, EngineError> {
    let config: Option<Config> = read(&folder.join("config.json"))?;
    Ok(config
        .and_then(|config| config.current_context)
        .filter(|name| !name.is_empty()))
}

/// Where the engine of a context is.
pub(super) fn endpoint(folder: &Path, name: &str) -> Result<Endpoint, EngineError> {
    let wrong = |because: &str| EngineError::Settings(format!("Docker's context `{name}` {because}"));
    let id = Digest::of(name.as_bytes()).hex();
    let path = folder.join("contexts/meta").join(&id).join("meta.json");
    let meta: Meta = read(&path)?.ok_or_else(|| wrong("does not exist: `docker context ls` tells which do"))?;
    let docker = meta
        .endpoints
        .get("docker")
        .filter(|endpoint| !endpoint.host.is_empty());
    let docker = docker.ok_or_else(|| wrong("names no engine"))?;
    let (address, secure) = parse_host(&format!("context {name}"), &docker.host)?;
    let certificates = folder.join("contexts/tls").join(&id).join("docker");
    let ca = certificates.join("ca.pem");
    let identity = (certificates.join("cert.pem"), certificates.join("key.pem"));
    let identity = (identity.0.is_file() && identity.1.is_file()).then_some(identity);
    let is_secure = secure || ca.is_file() || identity.is_some();
    let tls = match address {
        Address::Unix(_) => None,
        Address::Tcp { .. } if docker.skip_tls_verify => {
            return Err(wrong(
                "does not check who the engine is (`SkipTLSVerify`), and secrets would go to it: give it a CA",
            ));
        }
        Address::Tcp { .. } if is_secure && !ca.is_file() => {
            return Err(wrong("has no `ca.pem`: nobody could vouch for the engine"));
        }
        Address::Tcp { .. } => is_secure.then_some(TlsFiles { ca, identity }),
    };
    Ok(Endpoint { address, tls })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, EngineError> {
    let shown = path.display();
    let unreadable = |error: &dyn std::fmt::Display| EngineError::Settings(format!("`{shown}` can't be read: {error}"));
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    if length > MAX_BYTES {
        return Err(unreadable(&format!(
            "it has {length} bytes, over the limit of {MAX_BYTES}"
        )));
    }
    let text = std::fs::read(path).map_err(|error| unreadable(&error))?;
    // The file also holds credentials: serde's message names a place, not the content.
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| unreadable(&error))
}
