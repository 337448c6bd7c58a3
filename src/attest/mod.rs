//! Keys, envelopes and statements: what is said about a digest, by whom, and whether it counts.
//!
//! Pure: no store, clock or environment. Statements go into a [`Record`] (one act, one manifest, the
//! ledger's unit) and are projected onto cosign's `.sig` and `.att` tags, which stock cosign reads.
//! Nothing counts before [`TrustedKeys::verify`] has made a [`Verified`] of it.

pub mod cosign;
mod cosign_key;
mod dsse;
mod keys;
pub mod predicate;
mod record;
#[cfg(test)]
mod samples;
mod signatory;
mod statement;
mod tag;
mod trust;

pub use dsse::{Envelope, EnvelopeError, IN_TOTO, MAX_ENVELOPE_BYTES, Signature, Unsigned};
pub use keys::{Algorithm, BadSignature, FINGERPRINT, KeyError, PublicKey, SigningKey};
pub use record::{Envelopes, Record, RecordContent, RecordError, RecordKind};
pub use signatory::{RemoteKey, SignError, Signatory};
pub use statement::{Predicate, PredicateBody, Statement, StatementError, Subject};
pub use tag::{HistoryTag, RecordTag};
pub use trust::{Signer, TrustedKeys, Verified, VerifyError};
