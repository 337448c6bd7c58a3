//! `unchanged`: the target runs what its record says, and what the caller expects.

use super::super::history::Agreement;
use super::{Evidence, Verdict};

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
            format!(
                "look at what runs, then name it: iamship promote {} {} --expect-current {current}",
                evidence.from.name, to.name
            ),
        ),
        (Agreement::Unrecorded, None) => Verdict::hold(
            format!("the tag of `{}` was taken away without a record", to.name),
            format!("iamship rollback {}", to.name),
        ),
        (Agreement::Unfinished, _) => Verdict::pass("an earlier move was recorded and not finished"),
        (_, Some(current)) => Verdict::pass(format!("`{}` runs {}", to.name, current.short())),
        (_, None) => Verdict::pass(format!("`{}` runs nothing yet", to.name)),
    }
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
    fn a_tag_that_vanished_holds() {
        let mut evidence = evidence();
        evidence.to.agreement = Agreement::Unrecorded;
        evidence.to.current = None;
        assert!(ask(&evidence).is_hold());
    }
}
