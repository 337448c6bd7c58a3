//! Keys, envelopes and statements: what is said about a digest, by whom, and whether it counts.
//!
//! Pure: no store, clock or environment. Statements go into a [`Record`] (one act, one manifest, the
//! ledger's unit) and are projected onto cosign's `.sig` and `.att` tags, which stock cosign reads.
//! Nothing counts before [`TrustedKeys::verify`] has made a [`Verified`] of it.

mod cosign_key;
mod keys;

pub use keys::{Algorithm, BadSignature, KeyError, PublicKey, SigningKey};
