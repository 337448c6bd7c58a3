//! Promotion: the ledger, the candidate, the gates, and the judge.
//!
//! The ledger is what the store holds about a digest and a stage; there is no other database. It is
//! read and verified into an [`Evidence`], a plain value; the gates are pure functions of it; only
//! [`judge`] makes a [`Cleared`].

mod candidate;
mod changes;
mod decisions;
mod evidence;
mod gates;
mod history;
mod judge;
mod ledger;
mod stage_history;
mod standing;
mod verdict;

pub use candidate::{Ledger, stated};
pub use changes::{Comparison, NamedChange, Naming, is_named_by};
pub use decisions::{ApprovalFacts, ApprovalRule, Approver, RejectionFacts};
pub use evidence::{Candidate, CurrentFingerprint, Evidence, Freshness, ProvenanceFacts, Request, TestFacts};
pub use history::{Agreement, Move, MoveKind, Ran, StageState};
pub use judge::{Cleared, Judgement, Kind, judge};
pub use ledger::{Listing, MAX_RECORDS, Reading, Records, VerifiedRecord, counted_manifest, read_record, records};
pub use stage_history::{Depth, FilledBy, Watched, heads, stage_state};
pub use standing::Standing;
pub use verdict::{GateName, Verdict};
