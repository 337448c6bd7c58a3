//! One of each predicate, for tests.

use jiff::Timestamp;
use serde_json::json;

use super::predicate::{
    AllowedChange, Approval, Base, CheckOutcome, GateOutcome, InputAttestation, Json, Outcome, Parameters, Promotion,
    PromotionKind, Provenance, Rejection, SourceCommit, Summary, SummaryPolicy, SummaryResult, TestResult, Verdict,
    uri,
};
use super::{Predicate, Statement};
use crate::image::Digest;
use crate::project::StageName;
use crate::values::{Contract, ContractParameter, Fingerprint, SecretsHashed};

pub(super) fn digest() -> Digest {
    Digest::of(b"image")
}

pub(super) fn at() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("time")
}

pub(super) fn stage() -> StageName {
    "eu-staging".parse().expect("stage")
}

pub(super) fn about(predicate: Predicate) -> Statement {
    Statement::about("registry.example.com/iam/idsvr", digest(), predicate)
}

pub(super) fn provenance() -> Predicate {
    Predicate::Provenance(Provenance {
        project: "idsvr".to_owned(),
        version: "11.3.1-0123456789ab".to_owned(),
        server: "curity".to_owned(),
        base: Base {
            reference: "registry.example.com/base/idsvr:11.3.1".parse().expect("reference"),
            digest: Digest::of(b"base"),
        },
        source: Some(SourceCommit {
            repository: Some("https://git.example.com/iam".to_owned()),
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            author: Some("Ada <ada@example.com>".to_owned()),
            dirty: true,
        }),
        inputs: Digest::of(b"inputs"),
        builder_version: "0.1.0".to_owned(),
        invocation: Some("https://ci.example.com/7".to_owned()),
        started_on: at(),
        finished_on: at(),
    })
}

pub(super) fn test_result() -> Predicate {
    let check = |name: &str, result| CheckOutcome {
        name: name.to_owned(),
        result,
        detail: None,
    };
    Predicate::TestResult(TestResult {
        outcome: Outcome::Failed,
        stage: stage(),
        stage_definition: Some(Digest::of(b"definition")),
        suite: "static".to_owned(),
        values: Fingerprint {
            digest: Digest::of(b"values"),
            secrets: SecretsHashed::LeftOut,
            key: None,
        },
        checks: vec![check("references", Outcome::Passed), check("urls", Outcome::Failed)],
        at: at(),
        by: "ci".to_owned(),
        url: None,
    })
}

pub(super) fn promotion() -> Predicate {
    Predicate::Promotion(Promotion {
        kind: PromotionKind::Promote,
        stage: stage(),
        from: Some("dev".parse().expect("stage")),
        version: "11.3.1-0123456789ab".to_owned(),
        previous: vec![Digest::of(b"previous")],
        replaces: None,
        tag: "eu-staging-20260102-1".parse().expect("tag"),
        at: at(),
        by: "ci".to_owned(),
        gates: vec![GateOutcome {
            gate: "tested".to_owned(),
            verdict: Verdict::Pass,
            because: "`static` passed".to_owned(),
        }],
        reason: None,
        cleared_hold: Some(Digest::of(b"rollback")),
        overridden_freeze: Some("logins are down".to_owned()),
        allowed_changes: vec![AllowedChange {
            name: "client:web-client".to_owned(),
            changes: 2,
            approval: Some(Digest::of(b"approval")),
            approved_by: Some("keys/ada.pub".to_owned()),
        }],
    })
}

pub(super) fn summary() -> Predicate {
    Predicate::Summary(Summary {
        verifier: uri::TOOL.to_owned(),
        version: "0.1.0".to_owned(),
        at: at(),
        resource: "oci://registry.example.com/iam/idsvr".to_owned(),
        policy: SummaryPolicy {
            uri: "https://iamship.dev/policy/stage/eu-staging".to_owned(),
            digest: Digest::of(b"policy"),
        },
        inputs: vec![InputAttestation {
            uri: "oci://registry.example.com/iam/idsvr".to_owned(),
            digest: Digest::of(b"envelope"),
        }],
        result: SummaryResult::Passed,
        levels: vec!["SLSA_BUILD_LEVEL_1".to_owned()],
    })
}

pub(super) fn parameters() -> Predicate {
    let parameter = ContractParameter {
        name: "DB_PASSWORD".parse().expect("name"),
        kind: serde_json::from_value(json!("text")).expect("type"),
        secret: true,
        may_be_empty: false,
        default: None,
        uses: 0,
        used: Vec::new(),
    };
    Predicate::Parameters(Parameters {
        contract: Contract {
            parameters: vec![parameter],
        },
        config_layers: vec![Digest::of(b"layer")],
    })
}

pub(super) fn sbom() -> Predicate {
    Predicate::Sbom(Json::of(&json!({"bomFormat": "CycloneDX", "specVersion": "1.6"})).expect("JSON"))
}

pub(super) fn approval() -> Predicate {
    Predicate::Approval(Approval {
        stage: stage(),
        reason: None,
        allows: vec!["client:web-client".to_owned()],
        at: at(),
        by: "ada".to_owned(),
    })
}

pub(super) fn rejection() -> Predicate {
    Predicate::Rejection(Rejection {
        stage: None,
        reason: "logins fail".to_owned(),
        at: at(),
        by: "ada".to_owned(),
    })
}

pub(super) fn all() -> [Predicate; 8] {
    [
        provenance(),
        parameters(),
        sbom(),
        test_result(),
        promotion(),
        summary(),
        approval(),
        rejection(),
    ]
}
