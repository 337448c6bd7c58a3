//! `order`: a digest goes from stage to stage, and skips none.

use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let (from, to) = (&evidence.from.name, &evidence.to.name);
    match &evidence.before_to {
        Some(before) if before == from => {}
        Some(before) => {
            return Verdict::hold(
                format!("`{to}` comes after `{before}`, not after `{from}`"),
                format!("iamship promote {before} {to}"),
            );
        }
        None => {
            return Verdict::hold(
                format!("`{to}` is the first stage: only a build enters it"),
                "iamship build",
            );
        }
    }
    if evidence.from.position(evidence.candidate.digest).is_none() {
        return Verdict::hold(
            format!(
                "no trusted record says that {} was in `{from}`",
                evidence.candidate.digest
            ),
            format!("iamship history {from}"),
        );
    }
    Verdict::pass(format!("`{to}` comes after `{from}`"))
}

/// For a rollback: it ran in this stage before.
pub(super) fn ask_ran_before(evidence: &Evidence) -> Verdict {
    let stage = &evidence.to.name;
    match evidence
        .to
        .moves
        .iter()
        .find(|entry| entry.in_effect && entry.digest == evidence.candidate.digest)
    {
        Some(entry) => Verdict::pass(format!("it came to `{stage}` {}", entry.at)),
        None => Verdict::hold(
            format!("{} never ran in `{stage}`", evidence.candidate.digest),
            format!("iamship history {stage}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence, moved};
    use super::*;

    #[test]
    fn the_next_stage_passes() {
        assert!(!ask(&evidence()).is_hold());
    }

    #[test]
    fn skipping_a_stage_holds_and_names_the_one_between() {
        let mut evidence = evidence();
        evidence.from.name = "dev".parse().unwrap();
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert_eq!(verdict.help(), ["iamship promote staging prod"]);
    }

    #[test]
    fn the_first_stage_is_entered_by_a_build_only() {
        let mut evidence = evidence();
        evidence.before_to = None;
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn a_digest_that_was_never_in_the_stage_holds() {
        let mut evidence = evidence();
        evidence.from.moves[0].in_effect = false;
        assert!(ask(&evidence).is_hold());
        evidence.candidate.digest = digest("another");
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn a_rollback_needs_a_digest_that_ran_there() {
        let mut evidence = evidence();
        assert!(ask_ran_before(&evidence).is_hold());
        evidence.to.moves.push(moved("prod", "new", 1));
        assert!(!ask_ran_before(&evidence).is_hold());
        evidence.to.moves[1].in_effect = false;
        assert!(ask_ran_before(&evidence).is_hold(), "it was recorded and never came");
    }
}
