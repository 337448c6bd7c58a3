//! The gates: one file a gate, one line in a table.

mod approved;
mod changes;
mod command;
mod freeze;
mod held;
mod not_older;
mod not_rejected;
mod order;
mod provenance;
mod signed;
mod soak;
mod tested;
mod unchanged;
mod values;

use jiff::SignedDuration;

use super::evidence::Evidence;
use super::verdict::{GateName, Verdict};

/// How far another machine's clock may be ahead.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// One question.
pub(super) struct Gate {
    /// Its name.
    pub(super) name: GateName,
    /// Answers it.
    pub(super) ask: fn(&Evidence) -> Verdict,
}

/// What a promotion must pass.
pub(super) const PROMOTION: &[Gate] = &[
    Gate {
        name: GateName::Order,
        ask: order::ask,
    },
    Gate {
        name: GateName::Signed,
        ask: signed::ask,
    },
    Gate {
        name: GateName::Provenance,
        ask: provenance::ask,
    },
    Gate {
        name: GateName::NotRejected,
        ask: not_rejected::ask,
    },
    Gate {
        name: GateName::Tested,
        ask: tested::ask,
    },
    Gate {
        name: GateName::Soak,
        ask: soak::ask,
    },
    Gate {
        name: GateName::Approved,
        ask: approved::ask,
    },
    Gate {
        name: GateName::Values,
        ask: values::ask,
    },
    Gate {
        name: GateName::Changes,
        ask: changes::ask,
    },
    Gate {
        name: GateName::Freeze,
        ask: freeze::ask,
    },
    Gate {
        name: GateName::NotOlder,
        ask: not_older::ask,
    },
    Gate {
        name: GateName::Held,
        ask: held::ask,
    },
    Gate {
        name: GateName::Unchanged,
        ask: unchanged::ask,
    },
];

/// What a rollback must pass: the same preflight, but it goes back, and it was tested when it came.
pub(super) const ROLLBACK: &[Gate] = &[
    Gate {
        name: GateName::Order,
        ask: order::ask_ran_before,
    },
    Gate {
        name: GateName::Signed,
        ask: signed::ask,
    },
    Gate {
        name: GateName::Provenance,
        ask: provenance::ask,
    },
    Gate {
        name: GateName::NotRejected,
        ask: not_rejected::ask,
    },
    Gate {
        name: GateName::Values,
        ask: values::ask,
    },
    Gate {
        name: GateName::Unchanged,
        ask: unchanged::ask,
    },
];

#[cfg(test)]
pub(super) mod fixture;
