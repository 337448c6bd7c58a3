//! Asks the gates. Only here a [`Cleared`] is made, and nothing is promoted without one.

use super::evidence::Evidence;
use super::gates::{Gate, PROMOTION, ROLLBACK};
use super::verdict::{GateName, Verdict};
use crate::image::Digest;
use crate::project::StageName;

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

/// Proof that every gate passed for this digest, these stages and this state of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    digest: Digest,
    to: StageName,
    current: Option<Digest>,
    gates: Vec<(GateName, Verdict)>,
}

impl Cleared {
    /// What may move.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where to.
    pub fn to(&self) -> &StageName {
        &self.to
    }

    /// What the target ran when it was judged.
    pub fn current(&self) -> Option<Digest> {
        self.current
    }

    /// What the gates said.
    pub fn gates(&self) -> &[(GateName, Verdict)] {
        &self.gates
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
        digest: evidence.candidate.digest,
        to: evidence.to.name.clone(),
        current: evidence.to.current,
        gates: gates.clone(),
    });
    let judgement = Judgement {
        digest: evidence.candidate.digest,
        gates,
    };
    (judgement, cleared)
}
