//! KV engines, version 1 and 2: which one it is, values, names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::VaultError;
use super::entries::Entries;
use super::session::Session;
use super::wire::{Ask, Reply};

/// A KV engine and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Ends with a slash: `secret/`.
    prefix: String,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Mount {
    /// The API's path of what people call `secret/iam/staging`.
    fn api(&self, path: &str, part: &str) -> String {
        let rest = path.strip_prefix(&self.prefix).unwrap_or_default();
        match self.version {
            Version::One => path.to_owned(),
            Version::Two => format!("{}{part}/{rest}", self.prefix),
        }
    }
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
}

#[derive(Deserialize)]
struct MountAnswer {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    options: Option<MountOptions>,
}

#[derive(Deserialize)]
struct MountOptions {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Versioned<'b> {
    #[serde(borrow)]
    data: Option<BTreeMap<String, &'b RawValue>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Subkeys {
    subkeys: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

impl Session {
    /// All that is stored at a path.
    pub(super) async fn entries(&self, path: &str) -> Result<Entries, VaultError> {
        let mount = self.mount(path).await?;
        let api = mount.api(path, "data");
        let ask = Ask::get(&api);
        let reply = self.ask(&ask).await?;
        if !reply.status.is_success() {
            return Err(self.no_entries(path, &mount, &ask, &reply));
        }
        let object = match mount.version {
            Version::One => reply.read::<Document<BTreeMap<String, &RawValue>>>(&self.wire)?.data,
            Version::Two => {
                let document = reply.read::<Document<Versioned<'_>>>(&self.wire)?.data;
                document
                    .data
                    .ok_or_else(|| deleted(path, &document.metadata.unwrap_or_default()))?
            }
        };
        Ok(Entries::of(&object))
    }

    /// The names at a path, where they can be had without the values.
    pub(super) async fn subkeys(&self, path: &str) -> Result<Option<Vec<String>>, VaultError> {
        let mount = self.mount(path).await?;
        if mount.version == Version::One {
            return Ok(None);
        }
        let api = mount.api(path, "subkeys");
        let reply = self.ask(&Ask::get(&api).query("depth", "1")).await?;
        // Not allowed, not there, or a Vault that is older than this (1.10): reading the values tells which.
        if !reply.status.is_success() {
            return Ok(None);
        }
        let document = reply.read::<Document<Subkeys>>(&self.wire)?.data;
        Ok(document.subkeys.map(|names| names.into_keys().collect()))
    }

    /// Which engine a path belongs to, asked as Vault's own program asks: any token that may do something below the
    /// mount may know it.
    async fn mount(&self, path: &str) -> Result<Mount, VaultError> {
        let mut mounts = self.mounts.lock().await;
        let known = mounts.iter().find(|mount| path.starts_with(&mount.prefix));
        if let Some(mount) = known {
            return Ok(mount.clone());
        }
        let api = format!("sys/internal/ui/mounts/{path}");
        let ask = Ask::get(&api);
        let reply = self.ask(&ask).await?;
        let mount = match reply.status.as_u16() {
            200..=299 => mount_of(path, reply.read::<Document<MountAnswer>>(&self.wire)?.data)?,
            403 => {
                return Err(VaultError::Denied {
                    path: path.to_owned(),
                    capability: "read",
                    help: Some(format!(
                        "is the path right, is the token still good, and does its policy name it? With KV version 2: `path \"{}\" {{ capabilities = [\"read\"] }}`",
                        with_data(path)
                    )),
                });
            }
            404 => return Err(self.no_engine(path)),
            _ => return Err(self.wire.refused(&ask, &reply)),
        };
        mounts.push(mount.clone());
        Ok(mount)
    }

    /// Where there is no engine it says 403, unless there is no such namespace.
    fn no_engine(&self, path: &str) -> VaultError {
        let space = self.wire.connection.namespace.as_ref();
        let place = space
            .map(|space| format!(" in the namespace `{space}`"))
            .unwrap_or_default();
        VaultError::NotFound {
            what: format!("Vault has no engine for `{path}`{place}"),
            help: Some("see `namespace` under `[vault]`, `VAULT_NAMESPACE`, and `vault secrets list`".to_owned()),
        }
    }

    fn no_entries(&self, path: &str, mount: &Mount, ask: &Ask<'_>, reply: &Reply) -> VaultError {
        match reply.status.as_u16() {
            403 => VaultError::Denied {
                path: ask.path.to_owned(),
                capability: "read",
                help: None,
            },
            404 => {
                // A deleted version answers 404, with its story.
                if mount.version == Version::Two
                    && let Ok(document) = reply.read::<Document<Versioned<'_>>>(&self.wire)
                    && let Some(metadata) = document.data.metadata
                {
                    return deleted(path, &metadata);
                }
                let below = path.strip_prefix(&mount.prefix).unwrap_or_default();
                let help = match below.strip_prefix("data/") {
                    Some(rest) if mount.version == Version::Two => {
                        format!(
                            "write it without `data/`, as for `vault kv get`: `vault:{}{rest}`",
                            mount.prefix
                        )
                    }
                    _ => format!("put it there: `vault kv put {path} NAME=…`, or mend the path"),
                };
                VaultError::NotFound {
                    what: format!("Vault holds nothing at `{path}`"),
                    help: Some(help),
                }
            }
            _ => self.wire.refused(ask, reply),
        }
    }
}

/// Where the values of a path are, if its mount has one segment: for a hint.
fn with_data(path: &str) -> String {
    match path.split_once('/') {
        Some((mount, rest)) => format!("{mount}/data/{rest}"),
        None => path.to_owned(),
    }
}

fn mount_of(path: &str, answer: MountAnswer) -> Result<Mount, VaultError> {
    let unusable = |because: String| VaultError::Unusable {
        path: path.to_owned(),
        because,
    };
    if !matches!(answer.kind.as_str(), "kv" | "generic") {
        let kind = super::transport::one_line(&answer.kind);
        return Err(unusable(format!(
            "belongs to an engine of the kind `{kind}`, not to a KV engine"
        )));
    }
    let prefix = format!("{}/", answer.path.trim_matches('/'));
    if !path.starts_with(&prefix) {
        return Err(unusable("names an engine and nothing in it".to_owned()));
    }
    let version = answer.options.and_then(|options| options.version);
    Ok(Mount {
        prefix,
        version: if version.as_deref() == Some("2") {
            Version::Two
        } else {
            Version::One
        },
    })
}

fn deleted(path: &str, metadata: &Metadata) -> VaultError {
    let (how, help) = match metadata.destroyed {
        true => ("destroyed", format!("put it there again: `vault kv put {path} NAME=…`")),
        false => (
            "deleted",
            format!("bring it back with `vault kv undelete`, or put it there again: `vault kv put {path} NAME=…`"),
        ),
    };
    let when = super::transport::one_line(&metadata.deletion_time);
    let when = if when.is_empty() { when } else { format!(" at {when}") };
    VaultError::NotFound {
        what: format!("the newest version of `{path}` was {how}{when}"),
        help: Some(help),
    }
}
