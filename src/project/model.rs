//! The project as checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::Freeze;
use super::Owners;
use super::allowance::Allowance;
use super::vault::{VaultSettings, is_path};
use crate::diagnostic::{Severity, Source, Span};
use crate::image::{Location, Reference, Tag};
use crate::profile::{ParameterName, ParameterType, Probe, Protect, ServerProfile};

use super::command_line::CommandLine;
use super::oidc::OidcSettings;

/// A folder with an `iamship.toml`, checked.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder; every other path is seen from it.
    pub root: Utf8PathBuf,
    /// The text of `iamship.toml`, for spans.
    pub source: Source,
    /// `[project] name`
    pub name: String,
    /// `[project] server`, resolved.
    pub server: ServerProfile,
    /// `[project] owners`: who answers for which application.
    pub owners: Owners,
    /// `[image]`
    pub image: ImageSettings,
    /// `[config]`
    pub config: ConfigSettings,
    /// `[[asset]]`
    pub assets: Vec<Asset>,
    /// `[parameters]`
    pub parameters: BTreeMap<ParameterName, ParameterSettings>,
    /// `[signing]`
    pub signing: SigningSettings,
    /// `[oidc]`: what the server is as an OpenID provider, if it is one.
    pub oidc: Option<OidcSettings>,
    /// `[vault]`
    pub vault: VaultSettings,
    /// `[checks]`: severities that this project gives to rules; `None` turns a rule off.
    pub severities: BTreeMap<String, Option<Severity>>,
    /// `[[checks.allow]]`: findings that this project allows.
    pub allowances: Vec<Allowance>,
    /// `[[stage]]`, in the order of promotion; never empty.
    pub stages: Vec<Stage>,
}

impl Project {
    /// The stage of that name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name.as_str() == name)
    }

    /// Where a stage stands in the order of promotion.
    pub fn position(&self, name: &StageName) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == *name)
    }
}

/// Where the image goes and what it is made on.
#[derive(Clone, Debug)]
pub struct ImageSettings {
    /// `repository`
    pub repository: Location,
    /// `base`, as written.
    pub base: Reference,
    /// Registries that may be spoken to over http though they are not on this machine (`insecure = true`).
    pub insecure: BTreeSet<String>,
    /// `ca`: a PEM file of further roots for registries.
    pub ca: Option<Utf8PathBuf>,
}

/// Which files are the bundle.
#[derive(Clone, Debug)]
pub struct ConfigSettings {
    /// `files`: globs, seen from the root.
    pub files: Vec<String>,
    /// Where `files` stands.
    pub span: Option<Span>,
    /// Where each of `files` stands.
    pub spans: Vec<Span>,
}

/// Further files that all stages share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// A file or folder, seen from the root.
    pub from: Utf8PathBuf,
    /// An absolute path in the image; a folder when it ends with `/`.
    pub to: Utf8PathBuf,
}

/// What the project says of a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSettings {
    /// `secret`
    pub secret: Option<bool>,
    /// `type`
    pub kind: Option<ParameterType>,
    /// `optional`: an empty value is meant.
    pub may_be_empty: bool,
    /// `shared`: whether stages may have one and the same secret.
    pub shared: Option<bool>,
}

/// Keys.
#[derive(Clone, Debug, Default)]
pub struct SigningSettings {
    /// `key`; none means that this machine can read but not write statements.
    pub key: Option<KeyReference>,
    /// `trusted`
    pub trusted: Vec<TrustedKey>,
}

/// Where the private key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// `file:PATH`, cosign's encrypted format.
    File(Utf8PathBuf),
    /// `env:NAME`: PEM in an environment variable.
    Environment(String),
    /// `vault:MOUNT/keys/NAME`: a key of a transit engine, which never leaves it.
    Vault(TransitKey),
}

/// A key of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitKey {
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name there.
    pub name: String,
}

impl std::str::FromStr for TransitKey {
    type Err = InvalidTransitKey;

    /// `transit/keys/NAME`
    fn from_str(text: &str) -> Result<Self, InvalidTransitKey> {
        let invalid = || InvalidTransitKey(text.to_owned());
        let (mount, name) = text.rsplit_once("/keys/").ok_or_else(invalid)?;
        match is_path(mount) && is_path(name) && !name.contains('/') {
            true => Ok(Self {
                mount: mount.to_owned(),
                name: name.to_owned(),
            }),
            false => Err(invalid()),
        }
    }
}

impl fmt::Display for TransitKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "vault:{}/keys/{}", self.mount, self.name)
    }
}

/// A text that names no key of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no key of a transit engine: write `vault:transit/keys/NAME`")]
pub struct InvalidTransitKey(pub String);

/// A public key and what its owner may do.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The PEM file, seen from the root.
    pub path: Utf8PathBuf,
    /// Its text.
    pub pem: String,
    /// `may`; all when absent.
    pub may: BTreeSet<Permission>,
}

/// What a key's owner may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Sign images, provenance, SBOMs.
    Build,
    /// Sign test results.
    Test,
    /// Sign promotions.
    Promote,
    /// Sign approvals and rejections.
    Approve,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Build, Self::Test, Self::Promote, Self::Approve];

    /// The word in `may = […]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Promote => "promote",
            Self::Approve => "approve",
        }
    }
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `name`
    pub name: StageName,
    /// Where the `name` stands.
    pub span: Span,
    /// `tag`, by default the name.
    pub tag: Tag,
    /// `values`: env files, the last one wins.
    pub values: Vec<Utf8PathBuf>,
    /// `secrets`: sources, the first one that has a name wins.
    pub secrets: Vec<SecretReference>,
    /// `repository`, by default the image's; more than one are regions, the first one is the stage's ledger.
    pub repositories: Vec<Location>,
    /// `leave`: what a digest needs before it may move on.
    pub leave: LeaveRules,
    /// `enter`: what a digest needs before it may come here.
    pub enter: EnterRules,
    /// `[stage.test]`
    pub test: TestSettings,
    /// `[stage.run]`
    pub run: RunSettings,
    /// `[stage.protect]`
    pub protect: Option<ProtectSettings>,
    /// `[stage.checks]`: severities of findings that are about this stage; they win over the project's.
    pub severities: BTreeMap<String, Option<Severity>>,
}

impl Stage {
    /// Bytes of memory that the stage's containers get.
    pub fn memory(&self, server: &ServerProfile) -> u64 {
        self.run.memory.unwrap_or(server.run.memory << 20)
    }

    /// What the stage's containers get beside their values: what the stage says wins over the profile.
    pub fn environment(&self, server: &ServerProfile) -> BTreeMap<String, String> {
        let mut environment = server.run.environment.clone();
        environment.extend(self.run.environment.clone());
        environment
    }
}

/// What a digest needs before it may leave a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveRules {
    /// Suites that must have passed; by default the stage's own suites.
    pub tests: Vec<String>,
    /// `soak`: how long it must have run there; by default not at all.
    pub soak: Duration,
}

/// What a digest needs before it may enter a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnterRules {
    /// How many approvals, each by another key.
    pub approvals: u32,
    /// `approvers`: the files of the keys whose approvals count; by default of every trusted key that may approve.
    pub approvers: Option<Vec<Utf8PathBuf>>,
    /// `freeze`: when nothing new may come.
    pub freezes: Vec<Freeze>,
    /// `changes`: whether removals and breaking changes must be named.
    pub changes: EnteringChanges,
}

/// What becomes of removals and breaking changes on their way to a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnteringChanges {
    /// Somebody must name them.
    #[default]
    Named,
    /// They enter as all others.
    Free,
}

/// How `iamship test` tests in this stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSettings {
    /// `kind`
    pub kind: TestKind,
    /// `suite`: what `iamship test` runs, in order, each with a result of its own; never empty. By default `static`, or
    /// `boot` in an engine.
    pub suites: Vec<String>,
    /// `timeout`: how long the server may take until it is healthy; by default the profile's.
    pub timeout: Option<Duration>,
    /// `[[stage.test.probe]]`, beside the profile's.
    pub probes: Vec<Probe>,
    /// `[stage.test.suites]`: suites that a program runs.
    pub programs: BTreeMap<String, ProgramSuite>,
}

/// A suite that a program of the project's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSuite {
    /// What is run, in the project's folder.
    pub command: CommandLine,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a stage's containers get beside their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// `memory`: bytes; by default the profile's.
    pub memory: Option<u64>,
    /// `environment`: plain variables that are no parameters; they win over the profile's.
    pub environment: BTreeMap<String, String>,
    /// `ports`: where the profile's ports are published when it is deployed.
    pub ports: Vec<StagePort>,
}

/// How a stage's secrets are encrypted before the server gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectSettings {
    /// `command`, run in the image; the profile's when it is empty.
    pub command: Vec<String>,
    /// `environment`: values of the stage that the command must have, beside those that the profile names.
    pub environment: Vec<ParameterName>,
    /// Where it stands.
    pub span: Span,
}

impl ProtectSettings {
    /// The program and its arguments: the stage's own, else the profile's.
    pub fn command<'a>(&'a self, profile: Option<&'a Protect>) -> &'a [String] {
        match (self.command.as_slice(), profile) {
            ([], Some(protect)) => &protect.command,
            (own, _) => own,
        }
    }
}

/// Where a stage publishes a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePort {
    /// The profile's name for it: `runtime`.
    pub name: String,
    /// The address on the machine that runs it; always loopback, never port 0.
    pub address: core::net::SocketAddr,
    /// Where the name stands.
    pub span: Span,
}

/// Ways to test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestKind {
    /// Resolve everything; start nothing.
    #[default]
    Static,
    /// Start it in an engine with the stage's values, and probe it.
    Engine,
}

/// A stage's name: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 32 characters, so that it can stand in tags.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageName(String);

impl StageName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for StageName {
    type Err = InvalidStageName;

    fn from_str(text: &str) -> Result<Self, InvalidStageName> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|b| inner(b) || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidStageName(text.to_owned()))
        }
    }
}

/// A text that can't name a stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't name a stage: up to 32 of `a-z 0-9 -`, no `-` at the ends")]
pub struct InvalidStageName(pub String);

/// Where a stage's secrets come from, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// `file:PATH`: an env file outside git.
    File(Utf8PathBuf),
    /// `env:PREFIX_`: environment variables that begin with the prefix.
    Environment(String),
    /// `vault:PATH`: the keys of a path of a KV engine, as `vault kv get PATH` shows them.
    Vault(String),
    /// `exec:PROGRAM ARGUMENTS`: what a program prints. Its words; never empty.
    Program(CommandLine),
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "file:{path}"),
            Self::Environment(prefix) => write!(formatter, "env:{prefix}"),
            Self::Vault(path) => write!(formatter, "vault:{path}"),
            // Arguments may be many, and may say more than a message should.
            Self::Program(command) => write!(formatter, "exec:{command}"),
        }
    }
}
