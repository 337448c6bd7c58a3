//! Bakes an identity server's configuration into one signed image and promotes the tested digest.
//!
//! # The map of the house
//! Modules are floors; each imports only from floors below it, and neighbours don't know each
//! other (`tests/it/architecture.rs` reads the `use` lines and fails otherwise).
//!
//! | floor | module | what |
//! |---|---|---|
//! | 0 | [`diagnostic`] | one type for everything that is wrong, with its places |
//! | 1 | [`profile`] | how one identity server reads its configuration: data |
//! | 1 | [`image`] | digests, manifests, reproducible layers, edits of images |
//! | 2 | [`project`] | `iamship.toml`, stages, the lock file |
//! | 2 | [`bundle`] | the configuration with placeholders: tree, merge, fill |
//! | 2 | [`values`] | what a stage gives the parameters, and the contract |
//! | 3 | [`store`] | where images live: memory, layout folder, registry |
//! | 3 | [`engine`] | runs containers: the Docker Engine API |
//! | 3 | [`probe`] | asks a server that runs whether it serves |
//! | 3 | [`secrets`] | where secrets come from |
//! | 3 | [`vault`] | Vault and OpenBao: logins, KV engines, transit keys |
//! | 3 | [`program`] | runs programs of the project's own |
//! | 3 | [`git`] | what the git program knows of the project |
//! | 3 | [`render`] | a deployment as others read it: Kubernetes, compose, systemd |
//! | 4 | [`checks`] | the rules |
//! | 4 | [`attest`] | keys, envelopes, statements; cosign-compatible |
//! | 4 | [`secrets`] | where secrets come from |
//! | 4 | [`report`] | findings for other programs: JSON, SARIF, annotations; the page for everybody |
//! | 5 | [`promotion`] | candidate, ledger, gates, judge |
//! | 6 | [`ops`] | one file a verb: plan and apply |
//! | 7 | [`cli`] | one file a verb: arguments, printing, exit codes |
//!
//! Floors 0 to 2 know no network, clock or process environment. Only `cli` prints and exits.

pub mod attest;
pub mod bundle;
pub mod checks;
pub mod cli;
pub mod diagnostic;
pub mod engine;
pub mod git;
pub mod image;
pub mod ops;
pub mod probe;
pub mod profile;
pub mod program;
pub mod project;
pub mod promotion;
pub mod render;
pub mod report;
pub mod secrets;
pub mod store;
pub mod values;
pub mod vault;
