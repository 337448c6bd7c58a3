//! `not-older`: a stage is not moved backwards unless that is said.

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
    // Positions count from the newest move; the newest move to a digest is what counts, so that a
    // build that brings old content back is new.
    match (from.position(candidate), from.position(current)) {
        (Some(candidate_at), Some(current_at)) if candidate_at > current_at => {
            if evidence.request.allow_older {
                return Verdict::pass(format!("older than what `{}` runs, as asked", to.name));
            }
            Verdict::hold(
                format!(
                    "{candidate} came to `{}` before {current}, which `{}` runs",
                    from.name, to.name
                ),
                format!(
                    "iamship promote {} {} --digest {candidate} --allow-older",
                    from.name, to.name
                ),
            )
        }
        _ => Verdict::pass(format!("newer than what `{}` runs", to.name)),
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
}
