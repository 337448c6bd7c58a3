//! Asks the gates. Only here a [`Cleared`] is made, and nothing is promoted without one.

use super::evidence::Evidence;
use super::gates::{Gate, PROMOTION, ROLLBACK};
use super::verdict::{GateName, Verdict};
use crate::attest::predicate::AllowedChange;
use crate::image::Digest;

/// What each gate said, in the order in which they were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The digest in question.
    pub digest: Digest,
    /// The answers.
    pub gates: Vec<(GateName, Verdict)>,
}

impl Judgement {
    /// What a gate would say now: something changed after it was asked.
    pub fn hold(&mut self, gate: GateName, because: String, help: String) {
        let verdict = Verdict::hold(because, help);
        match self.gates.iter_mut().find(|(name, _)| *name == gate) {
            Some((_, said)) => *said = verdict,
            None => self.gates.push((gate, verdict)),
        }
    }
}

/// Proof that every gate passed, and what the caller had to say for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    gates: Vec<(GateName, Verdict)>,
    cleared_hold: Option<Digest>,
    overridden_freeze: Option<String>,
    allowed_changes: Vec<AllowedChange>,
}

impl Cleared {
    /// What the gates said.
    pub fn gates(&self) -> &[(GateName, Verdict)] {
        &self.gates
    }

    /// The rollback's record whose hold is cleared by it.
    pub fn cleared_hold(&self) -> Option<Digest> {
        self.cleared_hold
    }

    /// Why it goes on in spite of a freeze.
    pub fn overridden_freeze(&self) -> Option<&str> {
        self.overridden_freeze.as_deref()
    }

    /// What breaks or is removed and was named.
    pub fn allowed_changes(&self) -> &[AllowedChange] {
        &self.allowed_changes
    }
}

/// Which gates are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From one stage to the next.
    Promotion,
    /// Back to what a stage ran before.
    Rollback,
}

/// Asks every gate, also after one that holds: all the problems at once.
pub fn judge(kind: Kind, evidence: &Evidence) -> (Judgement, Option<Cleared>) {
    let table: &[Gate] = match kind {
        Kind::Promotion => PROMOTION,
        Kind::Rollback => ROLLBACK,
    };
    let gates: Vec<_> = table.iter().map(|gate| (gate.name, (gate.ask)(evidence))).collect();
    let clear = gates.iter().all(|(_, verdict)| !verdict.is_hold());
    let cleared = clear.then(|| Cleared {
        gates: gates.clone(),
        cleared_hold: evidence.cleared_hold(),
        overridden_freeze: evidence.overridden_freeze().map(str::to_owned),
        allowed_changes: evidence.allowed_changes(),
    });
    let judgement = Judgement {
        digest: evidence.candidate.digest,
        gates,
    };
    (judgement, cleared)
}
