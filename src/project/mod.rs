//! `iamship.toml`: as written (with spans), then as checked; stages; the lock file.
//!
//! Loading says every problem at once. What comes out of [`Project::load`] needs no further look:
//! names are names, locations are locations, files exist.

mod assets;
mod files;
#[cfg(test)]
mod fixture;
mod image;
mod load;
mod lock;
mod model;
mod paths;
mod read;
mod server;
mod settings;
mod signing;
mod stages;
mod starter;
#[cfg(test)]
mod tests;

pub use assets::AssetFile;
pub use load::PROJECT_FILE;
pub use lock::{LOCK_FILE, Lock};
pub use model::{
    Asset, ConfigSettings, EnterRules, ImageSettings, KeyReference, LeaveRules, ParameterSettings, Permission, Project,
    SecretReference, SigningSettings, Stage, StageName, TestKind, TestSettings, TrustedKey,
};
pub use stages::{InvalidSuiteName, check_suite_name};
pub use starter::{NoStarter, Pipeline, StarterFile, starter};
