//! `held`: a stage that was rolled back gets nothing new before somebody names the rollback.

use super::super::evidence::Request;
use super::super::history::Agreement;
use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let stage = &evidence.to.name;
    let Some(hold) = evidence.to.hold() else {
        return Verdict::pass(format!("no rollback holds `{stage}`"));
    };
    let taken_back = hold
        .replaces
        .map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
    let told = format!("`{}` rolled `{stage}` back from {taken_back} at {}", hold.by, hold.at);
    if evidence.cleared_hold().is_some() {
        return Verdict::pass(format!("{told}; that hold is cleared"));
    }
    if hold.digest == evidence.candidate.digest {
        // Only where the rollback's own record is taken up: another promotion would be the end of its hold.
        let is_whole = !matches!(evidence.to.agreement, Agreement::Unrecorded | Agreement::Broken);
        if is_whole && evidence.to.heads.contains(&hold.record) {
            return Verdict::pass(format!("{told}, to this digest; the hold stays"));
        }
        return Verdict::hold(
            format!("{told}, to this digest, and its record can't be taken up"),
            format!("iamship rollback {stage} --to {}", hold.digest),
        );
    }
    let clearing = Request {
        clear_hold: Some(hold.record),
        ..evidence.request.clone()
    };
    let command = evidence.command(&clearing);
    if hold.replaces == Some(evidence.candidate.digest) {
        return Verdict::hold(
            format!("{told}, and this is it again"),
            format!("if it may come again: {command}"),
        );
    }
    Verdict::hold(told, command)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence, moved};
    use super::*;
    use crate::promotion::history::{Move, MoveKind};

    /// prod was rolled back from `bad` to `old`.
    fn rolled_back() -> Evidence {
        let mut evidence = evidence();
        let back = Move {
            kind: MoveKind::Rollback,
            replaces: Some(digest("bad")),
            ..moved("prod", "old", 9)
        };
        evidence.to.heads = vec![back.record];
        evidence.to.moves.insert(0, back);
        evidence
    }

    #[test]
    fn what_was_not_rolled_back_passes() {
        assert_eq!(ask(&evidence()).because(), "no rollback holds `prod`");
    }

    #[test]
    fn a_rollback_holds_until_it_is_named() {
        let mut evidence = rolled_back();
        let record = evidence.to.heads[0];
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert_eq!(
            verdict.help(),
            [format!("iamship promote staging prod --clear-hold {record}")]
        );
        evidence.request.clear_hold = Some(digest("another record"));
        assert!(ask(&evidence).is_hold());
        assert_eq!(evidence.cleared_hold(), None);
        for name in [record, digest("bad")] {
            evidence.request.clear_hold = Some(name);
            assert!(!ask(&evidence).is_hold());
            assert_eq!(evidence.cleared_hold(), Some(record));
        }
    }

    #[test]
    fn what_was_rolled_back_does_not_come_again_by_itself() {
        let mut evidence = rolled_back();
        evidence.candidate.digest = digest("bad");
        assert!(ask(&evidence).because().ends_with("and this is it again"));
        evidence.request.allow_older = true;
        assert!(ask(&evidence).is_hold());
        assert!(ask(&evidence).help()[0].contains("--allow-older --clear-hold"));
        evidence.request.clear_hold = Some(digest("bad"));
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn what_it_was_rolled_back_to_passes_and_clears_nothing() {
        let mut evidence = rolled_back();
        evidence.candidate.digest = digest("old");
        assert!(ask(&evidence).because().ends_with("the hold stays"));
        assert_eq!(evidence.cleared_hold(), None);
        // No record can be taken up: a new promotion would end the hold.
        evidence.to.agreement = Agreement::Unrecorded;
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn of_two_rollbacks_the_newest_is_named() {
        let mut evidence = rolled_back();
        let first = evidence.to.heads[0];
        let again = Move {
            kind: MoveKind::Rollback,
            replaces: Some(digest("old")),
            previous: vec![first],
            ..moved("prod", "oldest", 10)
        };
        evidence.to.heads = vec![again.record];
        evidence.to.moves.insert(0, again);
        evidence.request.clear_hold = Some(first);
        assert!(ask(&evidence).is_hold());
        evidence.request.clear_hold = Some(evidence.to.heads[0]);
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn of_a_rollback_and_a_promotion_that_raced_the_one_that_took_effect_tells() {
        let mut evidence = rolled_back();
        let rival = moved("prod", "rival", 10);
        evidence.to.heads.push(rival.record);
        evidence.to.moves.insert(0, rival);
        assert!(ask(&evidence).is_hold());
        evidence.to.current = Some(digest("rival"));
        assert!(!ask(&evidence).is_hold());
        // Neither did yet: the rollback may.
        evidence.to.current = Some(digest("bad"));
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn putting_back_what_was_taken_away_is_no_stop() {
        let mut evidence = rolled_back();
        evidence.to.moves[0].replaces = None;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn naming_a_hold_that_is_gone_is_no_mistake() {
        let mut evidence = evidence();
        evidence.request.clear_hold = Some(digest("record"));
        assert!(!ask(&evidence).is_hold());
    }
}
