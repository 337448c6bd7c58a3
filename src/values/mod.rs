//! Values: what one stage gives the parameters, and the contract that says which it must give.

mod contract;
mod env_file;
mod env_problem;
mod env_value;
mod fingerprint;
mod inference;
mod likely_secret;
pub mod material;
mod redact;
mod stage;
mod types;

pub use contract::{Contract, ContractParameter, Coverage, Place};
pub use env_file::{EnvEntry, SecretEntry, parse_env, parse_secret_env};
pub use fingerprint::{Fingerprint, SecretsHashed, fingerprint};
pub use inference::{Extent, Inference, Inferred, Override, Use};
pub use likely_secret::{is_secret_name, secret_by_pattern};
pub use redact::Redactor;
pub use stage::{Origin, StageValues, Value, ValueText, stage_values};
pub use types::{Certainty, TypeMismatch, check_type};
