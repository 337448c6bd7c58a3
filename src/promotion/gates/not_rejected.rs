//! `not-rejected`: nobody who may do so has said that this digest must not go there.

use super::{Evidence, Verdict};

/// So many rejections and tags are named.
const MOST: usize = 4;

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let candidate = &evidence.candidate;
    let stage = &evidence.to.name;
    let rejected = candidate.rejections.iter().filter(|facts| facts.is_about(stage));
    let said: Vec<_> = rejected
        .map(|facts| {
            format!(
                "rejected by `{}` ({}) at {}: {}",
                facts.by, facts.signer, facts.at, facts.reason
            )
        })
        .take(MOST)
        .collect();
    if !said.is_empty() {
        return Verdict::hold(said.join("; "), another(evidence));
    }
    if candidate.doubtful_rejections.is_empty() {
        return Verdict::pass("nobody rejected it");
    }
    let tags = candidate.doubtful_rejections.iter().take(MOST);
    let named = tags.map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ");
    Verdict::hold(
        format!("{named} should be rejections and hold something else: one may be hidden"),
        format!("find out who moved it, then delete the tag: {named}"),
    )
}

/// A rejected digest stays rejected: another one must go.
fn another(evidence: &Evidence) -> String {
    let (from, to) = (&evidence.from.name, &evidence.to.name);
    if from == to {
        format!("go back to another one that `iamship history {to}` shows: iamship rollback {to} --to DIGEST")
    } else {
        "change the configuration, then: iamship build".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{evidence, rejection};
    use super::*;

    #[test]
    fn what_nobody_rejected_passes() {
        assert!(!ask(&evidence()).is_hold());
    }

    #[test]
    fn a_rejection_holds_and_says_who_and_why() {
        let mut evidence = evidence();
        evidence.candidate.rejections = vec![rejection(None)];
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(verdict.because().contains("rejected by `ada` (keys/ada.pub)"));
        assert!(verdict.because().ends_with(": logins fail"));
    }

    #[test]
    fn a_rejection_for_one_stage_holds_there_only() {
        let mut evidence = evidence();
        evidence.candidate.rejections = vec![rejection(Some("staging"))];
        assert!(!ask(&evidence).is_hold());
        evidence.candidate.rejections = vec![rejection(Some("prod"))];
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn a_rejection_that_may_be_hidden_holds_and_its_tag_is_named() {
        let mut evidence = evidence();
        evidence.candidate.doubtful_rejections = vec!["tag-1".into()];
        assert!(ask(&evidence).because().starts_with("`tag-1` should be rejections"));
        assert!(ask(&evidence).help()[0].contains("delete the tag: `tag-1`"));
    }

    #[test]
    fn a_rollback_is_told_to_go_elsewhere() {
        let mut evidence = evidence();
        evidence.from = evidence.to.clone();
        evidence.candidate.rejections = vec![rejection(None)];
        assert!(ask(&evidence).help()[0].contains("iamship rollback prod --to"));
    }
}
