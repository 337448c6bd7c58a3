//! What statements say, one kind a file: typed inside, in the standards' shape outside.

mod decision;
mod json;
mod parameters;
mod promotion;
mod provenance;
mod summary;
mod test_result;
mod wire;

pub use decision::{Approval, Rejection};
pub use json::Json;
pub use parameters::Parameters;
pub use promotion::{AllowedChange, GateOutcome, Promotion, PromotionKind, Verdict};
pub use provenance::{Base, Provenance, SourceCommit};
pub use summary::{InputAttestation, Summary, SummaryPolicy, SummaryResult};
pub use test_result::{CheckOutcome, Outcome, TestResult};

/// The types of predicates.
pub mod uri {
    /// What all of iamship's own begin with.
    pub const OURS: &str = "https://iamship.dev/";
    /// SLSA provenance v1.
    pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    /// The contract between an image and its stages.
    pub const PARAMETERS: &str = "https://iamship.dev/parameters/v1";
    /// in-toto test result v0.1.
    pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
    /// A move to a stage.
    pub const PROMOTION: &str = "https://iamship.dev/promotion/v1";
    /// SLSA verification summary v1.
    pub const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
    /// An approval.
    pub const APPROVAL: &str = "https://iamship.dev/approval/v1";
    /// A rejection.
    pub const REJECTION: &str = "https://iamship.dev/rejection/v1";
    /// A CycloneDX document.
    pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
    /// How iamship builds: the `buildType` of its provenance.
    pub const BUILD_TYPE: &str = "https://iamship.dev/build/v1";
    /// iamship as builder and verifier.
    pub const TOOL: &str = "https://iamship.dev/iamship";
}
