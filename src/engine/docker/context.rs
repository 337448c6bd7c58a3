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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::endpoint::tests::write_context;
    use super::*;

    #[test]
    fn a_context_brings_its_own_certificates() {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = write_context(
            folder.path(),
            "far",
            r#"{"docker":{"Host":"tcp://far:2376"},"other":{}}"#,
        );
        let plain = endpoint(folder.path(), "far").expect("found");
        assert_eq!((plain.to_string().as_str(), plain.tls), ("tcp://far:2376", None));
        fs::create_dir_all(&tls).expect("a folder");
        fs::write(tls.join("cert.pem"), "").expect("written");
        fs::write(tls.join("key.pem"), "").expect("written");
        let error = endpoint(folder.path(), "far").expect_err("no CA");
        assert!(error.to_string().contains("ca.pem"), "{error}");
        fs::write(tls.join("ca.pem"), "").expect("written");
        let found = endpoint(folder.path(), "far").expect("found").tls.expect("TLS");
        assert_eq!(found.ca, tls.join("ca.pem"));
        assert!(found.identity.is_some());
    }

    #[test]
    fn refuses_what_can_not_be_trusted_or_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for (endpoints, because) in [
            (
                r#"{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":true}}"#,
                "SkipTLSVerify",
            ),
            (r#"{"docker":{"Host":"ssh://me@far"}}"#, "must be on this machine"),
            (r#"{"docker":{}}"#, "names no engine"),
            (r"{}", "names no engine"),
            (r"[]", "can't be read"),
        ] {
            write_context(folder.path(), "odd", endpoints);
            let error = endpoint(folder.path(), "odd").expect_err(endpoints).to_string();
            assert!(error.contains(because), "{endpoints}: {error}");
        }
    }

    #[test]
    fn a_broken_configuration_is_told_without_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(current(folder.path()), Ok(None));
        for (text, wanted) in [
            ("{}", None),
            (r#"{"currentContext":""}"#, None),
            (r#"{"currentContext":"a"}"#, Some("a")),
        ] {
            fs::write(folder.path().join("config.json"), text).expect("written");
            assert_eq!(current(folder.path()), Ok(wanted.map(str::to_owned)));
        }
        fs::write(
            folder.path().join("config.json"),
            r#"{"auths":{"x":{"auth":"c2VjcmV0"}}"#,
        )
        .expect("written");
        let error = current(folder.path()).expect_err("broken").to_string();
        assert!(error.contains("config.json") && !error.contains("c2VjcmV0"), "{error}");
    }
}
