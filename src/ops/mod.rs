//! The verbs: one file each, a plan and its application.
//!
//! A verb that writes first makes a plan (plain data, printed by `--dry-run`); applying it decides
//! nothing. What a verb needs from outside is in its [`Context`], connected by `cli`.

pub mod approve;
mod bake;
mod base;
pub mod build;
mod carry;
pub mod check;
mod comparison;
pub mod deploy;
pub mod diff;
mod environment;
mod error;
mod evidence;
mod export;
mod files;
mod filled;
#[cfg(test)]
mod fixture;
mod image_archive;
pub mod incoming;
pub mod init;
mod inputs;
mod junit;
pub mod keygen;
mod layers;
pub mod load_image;
pub mod lock;
mod move_plan;
mod owners;
pub mod promote;
mod protect;
mod put_back;
mod race;
mod record;
pub mod reject;
pub mod release;
pub mod render;
pub mod report;
pub mod rollback;
mod sbom;
mod second_look;
pub mod side;
mod stage_definition;
mod stage_move;
mod static_test;
pub mod status;
mod stored;
pub mod test;
mod trial;
pub mod verify;
mod view;

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretBox;

use crate::attest::{Signatory, TrustedKeys};
use crate::engine::{Engine, EngineError};
use crate::image::Location;
use crate::project::{Permission, Project};
use crate::store::{Store, StoreError};
use crate::vault::Vault;

pub use error::OpsError;

const NO_TRUST: &str = "this project trusts no key, so nothing in the store is proven";
const TRUST_SOMEBODY: &str =
    "commit the public key beside `[signing] key`, or name it: `trusted = [\"keys/iamship.pub\"]`";

/// What the verbs need from outside.
pub struct Context<'a> {
    /// The project.
    pub project: &'a Project,
    /// Opens stores.
    pub stores: &'a dyn Stores,
    /// Keys.
    pub keys: &'a dyn Keys,
    /// Connects to the engine.
    pub engines: &'a dyn Engines,
    /// The process environment, for secrets that live there.
    pub environment: &'a [(OsString, OsString)],
    /// Where `vault:` secrets and keys are; spoken to when it is first needed.
    pub vault: &'a Arc<Vault>,
    /// What time it is.
    pub clock: fn() -> Timestamp,
    /// Who does it, as statements name them.
    pub actor: &'a str,
    /// Hears what happens.
    pub events: &'a dyn Events,
}

impl Context<'_> {
    /// The store of a location.
    pub(crate) fn store(&self, location: &Location) -> Result<Arc<dyn Store>, OpsError> {
        Ok(self.stores.open(location)?)
    }

    /// Where nobody is trusted nothing can be proven, whatever the store holds.
    pub(crate) fn require_trust(&self) -> Result<(), OpsError> {
        match self.keys.trusted().is_empty() {
            true => Err(OpsError::input(NO_TRUST).help(TRUST_SOMEBODY)),
            false => Ok(()),
        }
    }

    /// The same, for verbs that only look.
    pub(crate) fn warn_without_trust(&self) {
        if self.keys.trusted().is_empty() {
            self.events.tell(Event::Warning(NO_TRUST));
        }
    }

    /// The time, to the second: what statements and tags carry.
    pub(crate) fn now(&self) -> Timestamp {
        let now = (self.clock)();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Says what is being done.
    pub(crate) fn step(&self, text: impl AsRef<str>) {
        self.events.tell(Event::Step(text.as_ref()));
    }
}

/// Opens stores; one connection pool behind all of them.
pub trait Stores: Send + Sync {
    /// The store of a location, absolute or seen from the project.
    fn open(&self, location: &Location) -> Result<Arc<dyn Store>, StoreError>;
}

/// Connects to the engine when it is first asked for; everybody gets the same one.
#[async_trait]
pub trait Engines: Send + Sync {
    /// The engine that `DOCKER_HOST`, or Docker's context, names; what earlier runs left there is swept away.
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError>;

    /// The same, for what is asked over the network afterwards: an error, before anything is asked of it, when it is on
    /// another machine.
    async fn connect_here(&self) -> Result<Arc<dyn Engine>, EngineError> {
        self.connect().await
    }
}

/// Keys, opened when they are first asked for.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The keys that count.
    fn trusted(&self) -> &TrustedKeys;

    /// The private key, for acts of a kind. An error when there is none, and when what it signs would not count: it
    /// is asked for before anything is written.
    async fn signing_key(&self, may: Permission) -> Result<Arc<Signatory>, OpsError>;

    /// The key that hashes secrets in fingerprints; none when there is none.
    async fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, OpsError>;
}

/// Hashes secrets in fingerprints, so that nobody without it can guess at them.
pub type FingerprintKey = Arc<SecretBox<[u8; 32]>>;

/// Hears what happens, for people.
pub trait Events: Send + Sync {
    /// One event.
    fn tell(&self, event: Event<'_>);
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step begins.
    Step(&'a str),
    /// Something worth knowing.
    Note(&'a str),
    /// Something that went another way than meant.
    Warning(&'a str),
}
