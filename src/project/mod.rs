//! `iamship.toml`: as written (with spans), then as checked; stages; the lock file.
//!
//! Loading says every problem at once. What comes out of [`Project::load`] needs no further look:
//! names are names, locations are locations, files exist.

mod model;

pub use model::{
    Asset, ConfigSettings, EnterRules, ImageSettings, KeyReference, LeaveRules, ParameterSettings, Permission, Project,
    SecretReference, SigningSettings, Stage, StageName, TestKind, TestSettings, TrustedKey,
};
