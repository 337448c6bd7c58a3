//! What several tests stand on: servers and stores that fail on demand.

pub(crate) mod flaky;
pub(crate) mod registry;
pub(crate) mod shop;
