//! `iamship.toml`: as written (with spans), then as checked; stages; the lock file.
//!
//! Loading says every problem at once. What comes out of [`Project::load`] needs no further look:
//! names are names, locations are locations, files exist.

mod allowance;
mod assets;
mod command_line;
mod files;
#[cfg(test)]
mod fixture;
mod freeze;
mod image;
mod load;
mod lock;
mod model;
mod oidc;
mod owners;
mod paths;
mod protect;
mod quantity;
mod read;
mod rules;
mod run;
mod secret_reference;
mod server;
mod settings;
mod signing;
mod stages;
mod starter;
mod test_settings;
#[cfg(test)]
mod tests;
mod vault;

pub use allowance::Allowance;
pub use assets::AssetFile;
pub use command_line::{CommandLine, InvalidCommandLine};
pub use files::{ConfigPatterns, file_in, files_in};
pub use freeze::{Freeze, WeekTime, Window};
pub use load::PROJECT_FILE;
pub use lock::{LOCK_FILE, Lock};
pub use model::{
    Asset, ConfigSettings, EnterRules, EnteringChanges, ImageSettings, InvalidTransitKey, KeyReference, LeaveRules,
    ParameterSettings, Permission, ProgramSuite, Project, ProtectSettings, RunSettings, SecretReference,
    SigningSettings, Stage, StageName, StagePort, TestKind, TestSettings, TransitKey, TrustedKey,
};
pub use oidc::{Authentication, CLIENT_CREDENTIALS, OidcClient, OidcSettings, Template};
pub use owners::Owners;
pub use starter::{NoStarter, Pipeline, StarterFile, starter};
pub use test_settings::{InvalidSuiteName, check_suite_name};
pub use vault::{TextSource, VaultLogin, VaultSettings};
