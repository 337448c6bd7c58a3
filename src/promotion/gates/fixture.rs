//! A promotion from `staging` to `prod` that every gate passes, for tests to spoil.

use crate::bundle::{Change, ChangeKind, Impact, Subject};
use crate::image::Digest;
use crate::promotion::changes::Comparison;
use crate::promotion::decisions::{ApprovalFacts, ApprovalRule, Approver, RejectionFacts};
use crate::promotion::evidence::{Candidate, CurrentFingerprint, Evidence, ProvenanceFacts, Request, TestFacts};
use crate::promotion::history::{Agreement, Move, MoveKind, StageState};
use crate::values::{Contract, Fingerprint, SecretsHashed};

pub(in crate::promotion) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(in crate::promotion) fn moved(stage: &str, name: &str, second: i64) -> Move {
    Move {
        record: digest(&format!("{stage} {name} {second}")),
        copies: Vec::new(),
        statement: digest(&format!("signed {stage} {name} {second}")),
        digest: digest(name),
        version: format!("1.0-{name}"),
        kind: MoveKind::Promote,
        stage: stage.parse().unwrap(),
        from: None,
        previous: Vec::new(),
        replaces: None,
        tag: format!("{stage}-2026-01-01-{second}").parse().unwrap(),
        at: jiff::Timestamp::from_second(1_767_225_600 + second).unwrap(),
        by: "ada".into(),
        signer: "keys/iamship.pub".into(),
        cleared_hold: None,
        overridden_freeze: None,
        allowed_changes: Vec::new(),
        in_effect: true,
    }
}

pub(in crate::promotion) fn keyed(name: &str) -> Fingerprint {
    Fingerprint {
        digest: digest(name),
        secrets: SecretsHashed::Keyed,
        key: Some("0123456789abcdef".into()),
    }
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_767_225_600 + second).unwrap()
}

/// The owner of `keys/<name>.pub`; `iamship` built the candidate.
pub(in crate::promotion) fn approver(name: &str) -> Approver {
    Approver {
        name: format!("keys/{name}.pub"),
        key: digest(&format!("key of {name}")),
    }
}

pub(in crate::promotion) fn approval(name: &str, stage: &str, second: i64) -> ApprovalFacts {
    let Approver { name: signer, key } = approver(name);
    ApprovalFacts {
        stage: stage.parse().unwrap(),
        reason: None,
        at: at(second),
        by: name.to_owned(),
        allows: Vec::new(),
        signer,
        key,
        record: digest(&format!("approval {name} {stage} {second}")),
        envelope: digest("envelope of an approval"),
    }
}

pub(in crate::promotion) fn rejection(stage: Option<&str>) -> RejectionFacts {
    RejectionFacts {
        stage: stage.map(|stage| stage.parse().unwrap()),
        reason: "logins fail".into(),
        at: at(1),
        by: "ada".into(),
        signer: "keys/ada.pub".into(),
        record: digest("rejection"),
    }
}

/// Something that the candidate does not have any more.
pub(in crate::promotion) fn removed(what: &str, id: &str, path: &str) -> Change {
    Change {
        kind: ChangeKind::Removed,
        subject: Subject {
            what: what.into(),
            id: id.into(),
        },
        path: path.into(),
        severity: Impact::Breaking,
        because: None,
        whole: true,
        before: None,
        after: None,
        secret: false,
        before_span: None,
        after_span: None,
    }
}

fn state(name: &str, moves: Vec<Move>) -> StageState {
    let current = moves.first().map(|entry| entry.digest);
    StageState {
        name: name.parse().unwrap(),
        current,
        heads: moves.first().map(|entry| entry.record).into_iter().collect(),
        agreement: Agreement::of(current, &moves.first().into_iter().collect::<Vec<_>>(), |_| true),
        moves,
        ignored: Vec::new(),
    }
}

pub(in crate::promotion) fn evidence() -> Evidence {
    Evidence {
        project: "idsvr".into(),
        named_version: None,
        request: Request::default(),
        now: jiff::Timestamp::from_second(1_767_225_800).unwrap(),
        from: state("staging", vec![moved("staging", "new", 5), moved("staging", "old", 1)]),
        to: state("prod", vec![moved("prod", "old", 2)]),
        before_to: Some("staging".parse().unwrap()),
        candidate: Candidate {
            digest: digest("new"),
            version: Some("1.0-new".into()),
            signers: vec!["keys/iamship.pub".into()],
            provenance: Some(ProvenanceFacts {
                signer: "keys/iamship.pub".into(),
                project: "idsvr".into(),
                commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                author: None,
                built_at: jiff::Timestamp::UNIX_EPOCH,
                dirty: false,
            }),
            contract: Some(Contract::default()),
            tests: vec![TestFacts {
                suite: "static".into(),
                stage: "staging".into(),
                passed: true,
                at: jiff::Timestamp::from_second(1_767_225_700).unwrap(),
                fingerprint: keyed("values"),
                definition: Some(digest("definition")),
                signer: "keys/iamship.pub".into(),
                record: digest("tested"),
                envelope: digest("envelope of tested"),
            }],
            doubtful_tests: Vec::new(),
            builders: vec![approver("iamship").key],
            approvals: Vec::new(),
            rejections: Vec::new(),
            doubtful_rejections: Vec::new(),
            ignored: Vec::new(),
            relied_on: Vec::new(),
        },
        own_suites: vec!["static".into()],
        required_suites: vec!["static".into()],
        soak: std::time::Duration::ZERO,
        approval: ApprovalRule::default(),
        freezes: Vec::new(),
        fingerprint: Some(CurrentFingerprint {
            keyed: Some(keyed("values")),
            plain: Fingerprint {
                digest: digest("plain values"),
                secrets: SecretsHashed::LeftOut,
                key: None,
            },
            definition: digest("definition"),
        }),
        value_problems: Vec::new(),
        changes: Comparison::Equal,
    }
}
