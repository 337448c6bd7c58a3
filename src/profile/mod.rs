//! Server profiles: how one identity server reads its configuration. Data, not code.
//!
//! The built-in ones are `templates/servers/*.toml`; a project brings its own as `servers/<name>.toml`.

mod builtin;
mod change;
#[cfg(test)]
mod coverage;
mod iam;
mod name;
mod parameter;
mod path;
mod probe;
mod protect;
mod server;
mod validate;

pub use builtin::{BUILT_IN, built_in_text};
pub use change::{ChangeKind, ChangeRule, Impact, Trend};
pub use iam::{Condition, IamRule};
pub use name::{InvalidParameterName, ParameterName};
pub use parameter::{ParameterType, Secrecy};
pub use path::{InvalidPattern, PathPattern};
pub use probe::{
    BOOT, Expected, Health, OIDC, Probe, is_suite_name, path_problem, pattern_problem, pointer_problem, status_problem,
};
pub use protect::Protect;
pub use server::{
    ComponentRule, ConfigFolder, Format, InvalidProfile, ListRule, Lookalike, MOST_PROCESSES, NameHint,
    PlaceholderSyntax, Port, ReferenceRule, RejectedRoot, Root, Run, SecretRule, ServerProfile, TMPFS, TreeShape,
    XmlShape,
};
