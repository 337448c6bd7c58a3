//! What several tests stand on: projects and base images, servers and stores that fail on demand.

pub(crate) mod bao;
pub(crate) mod base;
pub(crate) mod browser;
pub(crate) mod engine;
pub(crate) mod fake_engine;
pub(crate) mod fake_vault;
pub(crate) mod flaky;
pub(crate) mod folder;
pub(crate) mod layout;
pub(crate) mod ports;
pub(crate) mod project;
pub(crate) mod provider;
pub(crate) mod registry;
pub(crate) mod shop;
pub(crate) mod simulated_engine;
pub(crate) mod tools;
pub(crate) mod yard;
