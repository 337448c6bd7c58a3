//! `not-older`: a stage is not moved backwards unless that is said.

use super::super::evidence::Request;
use super::super::history::MoveKind;
use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let (from, to) = (&evidence.from, &evidence.to);
    let candidate = evidence.candidate.digest;
    let Some(current) = to.current else {
        return Verdict::pass(format!("`{}` runs nothing yet", to.name));
    };
    if current == candidate {
        return Verdict::pass(format!("`{}` runs it already", to.name));
    }
    let name = &to.name;
    let hold = |because: String| {
        if evidence.request.allow_older {
            return Verdict::pass(format!("{because}, as asked"));
        }
        let request = Request {
            digest: Some(candidate.to_string()),
            allow_older: true,
            ..evidence.request.clone()
        };
        Verdict::hold(because, evidence.command(&request))
    };
    // Positions count from the newest arrival, so that a build that brings old content back is new. A rollback is no
    // arrival: what it went back to stays old.
    let position = |digest| {
        let mut arrivals = from.moves.iter().filter(|entry| entry.kind != MoveKind::Rollback);
        arrivals.position(|entry| entry.digest == digest)
    };
    match (position(candidate), position(current)) {
        (Some(candidate_at), Some(current_at)) if candidate_at < current_at => {
            Verdict::pass(format!("newer than what `{name}` runs"))
        }
        (Some(_), Some(_)) => hold(format!(
            "{candidate} came to `{}` before {current}, which `{name}` runs",
            from.name
        )),
        // It came after the target got what it runs: it is newer, and the history need not be read to its end.
        (Some(_), None) if evidence.arrived_after() => Verdict::pass(format!("newer than what `{name}` runs")),
        (_, None) | (None, Some(_)) => hold(format!(
            "it can't be told whether {candidate} is newer than {current}, which `{name}` runs"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence, moved};
    use super::*;

    #[test]
    fn newer_passes_and_an_empty_stage_too() {
        let mut evidence = evidence();
        assert!(!ask(&evidence).is_hold());
        evidence.to.current = None;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn older_holds_unless_asked_for() {
        let mut evidence = evidence();
        evidence.from.moves.insert(0, moved("staging", "newest", 9));
        evidence.to.current = Some(digest("newest"));
        assert!(ask(&evidence).is_hold());
        evidence.request.allow_older = true;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn old_content_that_came_again_is_new() {
        let mut evidence = evidence();
        evidence.from.moves = vec![
            moved("staging", "new", 3),
            moved("staging", "other", 2),
            moved("staging", "new", 1),
        ];
        evidence.to.current = Some(digest("other"));
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn a_rollback_of_the_stage_before_does_not_make_old_content_new() {
        let mut evidence = evidence();
        let mut back = moved("staging", "old", 9);
        back.kind = MoveKind::Rollback;
        evidence.from.moves.insert(0, back);
        evidence.candidate.digest = digest("old");
        evidence.to.current = Some(digest("new"));
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn an_older_digest_is_not_new_because_the_history_lacks_what_the_stage_runs() {
        let mut evidence = evidence();
        evidence.from.moves.remove(0);
        evidence.candidate.digest = digest("old");
        evidence.to.moves[0].digest = digest("of a deleted record");
        evidence.to.current = Some(digest("of a deleted record"));
        assert!(ask(&evidence).because().contains("can't be told"));
    }
}
