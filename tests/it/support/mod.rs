//! What several tests need: servers that fail on demand.
pub(crate) mod registry;
