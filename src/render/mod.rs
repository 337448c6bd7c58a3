//! A pinned image with one stage's values, as those who run containers read it. Pure: a [`Deployment`] becomes a text.
//!
//! Each consumer has quoting rules of its own; one file a target knows them, and refuses a value that its consumer can't
//! carry. Adding a target is one file and one line in [`TARGETS`].

mod compose;
mod docker;
mod env;
#[cfg(test)]
mod fixture;
mod helm_values;
mod kubernetes;
mod kustomize;
mod names;
mod systemd;
mod yaml;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

pub(crate) use names::workload_name;

use crate::image::{Digest, Location};
use crate::profile::TMPFS;

/// What runs in one stage: the pinned image and everything that it is given.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The project's name.
    pub project: String,
    /// The stage's name.
    pub stage: String,
    /// The image's version, as its provenance says.
    pub version: Option<String>,
    /// Where the image is.
    pub repository: Location,
    /// Which one it is.
    pub digest: Digest,
    /// Its environment, as far as anybody may see it.
    pub plain: BTreeMap<String, String>,
    /// The rest of its environment.
    pub secrets: BTreeMap<String, Secret>,
    /// The user that the image names, where it is a number; the image decides in any case.
    pub user: Option<User>,
    /// What it listens on.
    pub ports: Vec<Port>,
    /// How to see that it is up.
    pub health: Option<Health>,
    /// How long it may take until it is up.
    pub patience: Duration,
    /// Its command, where the image's own is not meant.
    pub command: Vec<String>,
    /// What it may take.
    pub limits: Limits,
    /// Changes when any value does; tells nothing of a secret.
    pub checksum: Digest,
}

/// One secret, and where else it can be had.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its value.
    pub text: SecretString,
    /// The path in a vault that it comes from, where it does: `secret/iam/staging`.
    pub vault: Option<String>,
}

/// A user of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its group's, where it is named.
    pub gid: Option<u32>,
}

impl User {
    /// `10001` or `10001:10001`; names mean something in the image only.
    pub fn read(text: &str) -> Option<Self> {
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (text, None),
        };
        Some(Self {
            uid: uid.parse().ok()?,
            gid: gid.map(str::parse).transpose().ok()?,
        })
    }
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// What it is called: `runtime`.
    pub name: String,
    /// Its number in the container.
    pub number: u16,
    /// Where the stage publishes it, if it says so.
    pub published: Option<SocketAddr>,
}

/// How to see that a server is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The port's number.
    pub port: u16,
    /// `/`
    pub path: String,
    /// The expected status.
    pub status: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// What the container may take.
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
    /// Whether it keeps the default capabilities; none otherwise.
    pub capabilities: bool,
}

impl Limits {
    /// Its folders in memory, as Docker's command line takes them: `/tmp:rw,exec`.
    fn mounts(&self) -> impl Iterator<Item = String> {
        self.tmpfs.iter().map(|folder| format!("{folder}:{TMPFS}"))
    }
}

/// What becomes of the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They stand in the document.
    Inline,
    /// The document says where its consumer gets them.
    External,
    /// The document names them, and somebody else brings them.
    Omit,
}

impl Secrets {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::External => "external",
            Self::Omit => "omit",
        }
    }
}

/// Where Kubernetes' External Secrets Operator finds the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretStore {
    /// `SecretStore` or `ClusterSecretStore`
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// How a deployment is written down.
#[derive(Clone, Debug)]
pub struct Options {
    /// What becomes of the secrets.
    pub secrets: Secrets,
    /// Where an external secret comes from.
    pub store: SecretStore,
}

/// Somebody who runs containers.
pub struct Target {
    /// As on the command line.
    pub name: &'static str,
    /// What becomes of secrets there unless somebody says otherwise.
    pub default: fn(&Deployment) -> Secrets,
    /// What can become of them there.
    pub can: &'static [Secrets],
    /// Whether the document names an image that its consumer pulls: a folder of this machine is none to it.
    pub is_pulled: bool,
    /// Writes the document.
    write: fn(&Deployment, &Options) -> Result<String, RenderError>,
}

use Secrets::{External, Inline, Omit};

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "env",
        default: |_| Inline,
        can: &[Inline, Omit],
        is_pulled: false,
        write: env::write,
    },
    Target {
        name: "docker",
        default: |_| Inline,
        can: &[Inline, External, Omit],
        is_pulled: false,
        write: docker::write,
    },
    Target {
        name: "compose",
        default: |_| External,
        can: &[Inline, External, Omit],
        is_pulled: true,
        write: compose::write,
    },
    Target {
        name: "systemd",
        default: |_| External,
        can: &[Inline, External, Omit],
        is_pulled: true,
        write: systemd::write,
    },
    Target {
        name: "kubernetes",
        default: external_or_omit,
        can: &[Inline, External, Omit],
        is_pulled: true,
        write: kubernetes::write,
    },
    Target {
        name: "helm-values",
        default: |_| Omit,
        can: &[Inline, Omit],
        is_pulled: true,
        write: helm_values::write,
    },
    Target {
        name: "kustomize",
        default: |_| Omit,
        can: &[Inline, Omit],
        is_pulled: true,
        write: kustomize::write,
    },
];

fn external_or_omit(deployment: &Deployment) -> Secrets {
    match deployment.secrets.values().all(|secret| secret.vault.is_some()) {
        true => External,
        false => Omit,
    }
}

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Writes a deployment down for a target. The document is a secret when its secrets stand in it.
pub fn render(deployment: &Deployment, target: &Target, options: &Options) -> Result<SecretString, RenderError> {
    if !target.can.contains(&options.secrets) {
        return Err(RenderError::Secrets {
            target: target.name,
            secrets: options.secrets.as_str(),
            can: target.can,
        });
    }
    check_values(deployment, target.name)?;
    (target.write)(deployment, options).map(SecretString::from)
}

/// The longest `NAME=value` that Linux gives a process.
const LONGEST_VARIABLE: usize = 128 * 1024 - 2;

/// What no environment takes, whoever writes it.
fn check_values(deployment: &Deployment, target: &'static str) -> Result<(), RenderError> {
    let secrets = deployment.secrets.iter();
    let secrets = secrets.map(|(name, secret)| (name, secret.text.expose_secret()));
    let plain = deployment.plain.iter().map(|(name, text)| (name, text.as_str()));
    for (name, value) in plain.chain(secrets) {
        let because = if value.contains('\0') {
            "it has a NUL in it, which no environment takes"
        } else if name.len() + value.len() > LONGEST_VARIABLE {
            "it is longer than a variable can be (128 KiB)"
        } else {
            continue;
        };
        return Err(RenderError::Unwritable {
            name: name.clone(),
            target,
            because,
            instead: None,
        });
    }
    Ok(())
}

/// Why a deployment can't be written down for a target. Holds no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RenderError {
    /// The consumer has no way to read this value.
    #[error("the value of `{name}` can't be written for `{target}`: {because}")]
    Unwritable {
        /// Whose value.
        name: String,
        /// For whom.
        target: &'static str,
        /// What stands in the way.
        because: &'static str,
        /// A target that can, where there is one.
        instead: Option<&'static str>,
    },
    /// The consumer has no such way to come by secrets.
    #[error("`--secrets {secrets}` means nothing for `{target}`")]
    Secrets {
        /// For whom.
        target: &'static str,
        /// What was asked for.
        secrets: &'static str,
        /// What can be asked for.
        can: &'static [Secrets],
    },
    /// These secrets are in no vault.
    #[error("no vault holds {}", listed(.0))]
    NotInVault(Vec<String>),
    /// More than the consumer takes in one object.
    #[error("the values are {bytes} bytes, more than `{target}` takes ({limit})")]
    TooLarge {
        /// For whom.
        target: &'static str,
        /// How many they are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl RenderError {
    /// What mends it.
    pub fn help(&self) -> String {
        match self {
            Self::Unwritable {
                instead: Some(target), ..
            } => format!("`--for {target}` can carry it"),
            Self::Unwritable { instead: None, .. } => "put it into a file of the image instead".to_owned(),
            Self::Secrets { can, .. } => {
                let words: Vec<_> = can
                    .iter()
                    .map(|secrets| format!("`--secrets {}`", secrets.as_str()))
                    .collect();
                words.join(" or ")
            }
            Self::NotInVault(_) => {
                "take them from one (`secrets = [\"vault:PATH\"]`), or `--secrets omit` and bring them yourself"
                    .to_owned()
            }
            Self::TooLarge { .. } => "take large texts out of the values: files belong into the image".to_owned(),
        }
    }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Deployment {
    /// `registry.example.com/iam/idsvr@sha256:…`
    fn reference(&self) -> String {
        self.repository.reference(self.digest).to_string()
    }

    /// Its name where names are those of hosts.
    fn name(&self) -> String {
        workload_name(&self.project, &self.stage)
    }

    /// Plain values, and the secrets too where they stand in the document; by name.
    fn inline<'d>(&'d self, options: &Options) -> impl Iterator<Item = (&'d str, &'d str)> {
        let secrets = self.secrets.iter().filter(move |_| options.secrets == Inline);
        let plain = self.plain.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let mut all: Vec<_> = plain
            .chain(secrets.map(|(name, secret)| (name.as_str(), secret.text.expose_secret())))
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    /// Its ports that are published, and where: those that the stage names, else all of them on any port of loopback.
    fn published(&self) -> impl Iterator<Item = (&Port, SocketAddr)> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let named = self.ports.iter().any(|port| port.published.is_some());
        let wanted = move |port: &&Port| !named || port.published.is_some();
        self.ports
            .iter()
            .filter(wanted)
            .map(move |port| (port, port.published.unwrap_or(any)))
    }

    /// The names of all its variables, sorted.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .plain
            .keys()
            .chain(self.secrets.keys())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names
    }

    /// The first lines of a document in which `#` begins a comment: what it is, and what it lacks.
    fn header(&self, options: &Options) -> String {
        let version = self.version.as_deref().map(|version| format!(" {}", one_line(version)));
        let mut header = format!("# {}{} in {}\n", self.project, version.unwrap_or_default(), self.stage);
        if options.secrets == Omit && !self.secrets.is_empty() {
            let names: Vec<_> = self.secrets.keys().map(String::as_str).collect();
            header.push_str(&format!("# without its secrets: {}\n", names.join(", ")));
        }
        header
    }
}

/// A text that can't end a comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .collect()
}
