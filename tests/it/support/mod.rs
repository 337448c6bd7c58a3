//! What several tests need: servers that fail on demand.
pub(crate) mod registry;
//! What several tests stand on.

pub(crate) mod flaky;
