//! `unchanged`: the target runs what its record says, and what the caller expects.

use super::super::evidence::Request;
use super::super::history::Agreement;
use super::{Evidence, Verdict};
use crate::image::Digest;

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let to = &evidence.to;
    if let Some(expected) = evidence.request.expect_current
        && to.current != Some(expected)
    {
        let runs = to.current.map_or("nothing".to_owned(), |digest| digest.to_string());
        return Verdict::hold(
            format!("`{}` was expected to run {expected} and runs {runs}", to.name),
            format!("iamship history {}", to.name),
        );
    }
    match (to.agreement, to.current) {
        // Moved by hand. Naming what runs there now says that this was seen.
        (Agreement::Unrecorded, Some(current)) if evidence.request.expect_current != Some(current) => Verdict::hold(
            format!("the tag of `{}` was moved to {current} without a record", to.name),
            expecting(evidence, current),
        ),
        (Agreement::Unrecorded, Some(current)) => Verdict::pass(format!(
            "`{}` was moved to {} without a record, as expected",
            to.name,
            current.short()
        )),
        // Nothing runs there that could be run over: going back to what is on record mends it.
        (Agreement::Unrecorded, None) if is_rollback(evidence) => {
            Verdict::pass(format!("the tag of `{}` was taken away without a record", to.name))
        }
        (Agreement::Unrecorded, None) => Verdict::hold(
            format!("the tag of `{}` was taken away without a record", to.name),
            format!("iamship rollback {}", to.name),
        ),
        (Agreement::Broken, current) if evidence.request.expect_current != current || current.is_none() => {
            Verdict::hold(
                format!(
                    "a record that newer moves of `{}` follow is gone: its history is not whole",
                    to.name
                ),
                match current {
                    Some(current) => expecting(evidence, current),
                    None => format!("iamship history {}", to.name),
                },
            )
        }
        (Agreement::Broken, _) => Verdict::pass(format!("the history of `{}` is not whole, as expected", to.name)),
        (Agreement::Unfinished, _) => Verdict::pass("an earlier move was recorded and not finished"),
        (_, Some(current)) => Verdict::pass(format!("`{}` runs {}", to.name, current.short())),
        (_, None) => Verdict::pass(format!("`{}` runs nothing yet", to.name)),
    }
}

/// A rollback goes from a stage to itself.
fn is_rollback(evidence: &Evidence) -> bool {
    evidence.from.name == evidence.to.name
}

/// The same again, by somebody who has seen what runs.
fn expecting(evidence: &Evidence, current: Digest) -> String {
    let request = Request {
        expect_current: Some(current),
        ..evidence.request.clone()
    };
    format!("look at what runs, then name it: {}", evidence.command(&request))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence};
    use super::*;

    #[test]
    fn the_expected_digest_passes_and_another_holds() {
        let mut evidence = evidence();
        evidence.request.expect_current = evidence.to.current;
        assert!(!ask(&evidence).is_hold());
        evidence.request.expect_current = Some(digest("something else"));
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn a_tag_moved_by_hand_holds_until_it_is_named() {
        let mut evidence = evidence();
        evidence.to.agreement = Agreement::Unrecorded;
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(verdict.help()[0].contains("--expect-current"));
        evidence.request.expect_current = evidence.to.current;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn a_history_with_a_gap_holds_until_what_runs_is_named() {
        let mut evidence = evidence();
        evidence.to.agreement = Agreement::Broken;
        assert!(ask(&evidence).because().contains("not whole"));
        evidence.request.expect_current = evidence.to.current;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn a_tag_that_vanished_holds() {
        let mut evidence = evidence();
        evidence.to.agreement = Agreement::Unrecorded;
        evidence.to.current = None;
        assert_eq!(ask(&evidence).help(), ["iamship rollback prod"]);
        evidence.from = evidence.to.clone();
        assert!(!ask(&evidence).is_hold(), "which is then let through");
    }

    #[test]
    fn a_rollback_is_told_as_one() {
        let mut evidence = evidence();
        evidence.to.agreement = Agreement::Unrecorded;
        evidence.from = evidence.to.clone();
        assert!(ask(&evidence).help()[0].contains("iamship rollback prod --expect-current"));
    }
}
