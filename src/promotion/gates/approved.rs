//! `approved`: so many people as the stage asks for want this digest there, and none of them built it.

use super::super::decisions::Approver;
use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let stage = &evidence.to.name;
    let needed = evidence.approval.needed;
    if needed == 0 {
        return Verdict::pass(format!("no approval is asked for to enter `{stage}`"));
    }
    let counted = evidence.counted_approvals();
    let by: Vec<_> = counted.iter().map(|facts| format!("`{}`", facts.signer)).collect();
    let given = format!("{} of {needed} approvals for `{stage}`", counted.len().min(needed));
    if counted.len() >= needed {
        return Verdict::pass(format!("{given}: {}", by.join(", ")));
    }
    let mut because = vec![match by.is_empty() {
        true => given,
        false => format!("{given}: {}", by.join(", ")),
    }];
    because.extend(why_not(evidence));
    let could = |approver: &&Approver| {
        let has_given = counted.iter().any(|facts| facts.key == approver.key);
        !has_given && !evidence.candidate.builders.contains(&approver.key)
    };
    let others = evidence.approval.approvers.iter().filter(could);
    let others: Vec<_> = others.map(|approver| format!("`{}`", approver.name)).collect();
    because.push(match others.is_empty() {
        true => "no other key may give one".to_owned(),
        false => format!("still to come from {}", others.join(", ")),
    });
    Verdict::hold(
        because.join("; "),
        format!("iamship approve {} --for {stage}", evidence.candidate.digest),
    )
}

/// Approvals for this stage that do not count.
fn why_not(evidence: &Evidence) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for facts in evidence
        .candidate
        .approvals
        .iter()
        .filter(|facts| facts.stage == evidence.to.name)
    {
        let signer = &facts.signer;
        let may = evidence
            .approval
            .approvers
            .iter()
            .any(|approver| approver.key == facts.key);
        let why = if evidence.candidate.builders.contains(&facts.key) {
            format!("`{signer}` built it, so its approval does not count")
        } else if !may {
            format!("`{signer}` is none of the approvers of `{}`", facts.stage)
        } else {
            continue;
        };
        if !told.contains(&why) {
            told.push(why);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{approval, approver, digest, evidence};
    use super::*;

    fn asking_for(needed: usize) -> Evidence {
        let mut evidence = evidence();
        evidence.approval.needed = needed;
        evidence.approval.approvers = ["ada", "bob", "cleo", "iamship"].map(approver).into();
        evidence
    }

    #[test]
    fn where_none_is_asked_for_it_says_so() {
        assert_eq!(ask(&evidence()).because(), "no approval is asked for to enter `prod`");
    }

    #[test]
    fn so_many_different_keys_pass_and_one_less_holds() {
        let mut evidence = asking_for(2);
        evidence.candidate.approvals = vec![approval("ada", "prod", 1)];
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert_eq!(
            verdict.because(),
            "1 of 2 approvals for `prod`: `keys/ada.pub`; still to come from `keys/bob.pub`, `keys/cleo.pub`"
        );
        assert_eq!(
            verdict.help(),
            [format!("iamship approve {} --for prod", digest("new"))]
        );
        evidence.candidate.approvals.push(approval("bob", "prod", 2));
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn one_key_that_approves_twice_is_one() {
        let mut evidence = asking_for(2);
        evidence.candidate.approvals = vec![approval("ada", "prod", 1), approval("ada", "prod", 2)];
        assert!(ask(&evidence).because().starts_with("1 of 2"));
    }

    #[test]
    fn an_approval_for_another_stage_is_none() {
        let mut evidence = asking_for(1);
        evidence.candidate.approvals = vec![approval("ada", "staging", 1)];
        assert!(ask(&evidence).because().starts_with("0 of 1"));
    }

    #[test]
    fn who_built_it_does_not_approve_it() {
        let mut evidence = asking_for(1);
        evidence.candidate.approvals = vec![approval("iamship", "prod", 1)];
        let verdict = ask(&evidence);
        assert!(verdict.because().contains("`keys/iamship.pub` built it"));
        assert!(!verdict.because().contains("still to come from `keys/iamship.pub`"));
    }

    #[test]
    fn a_key_that_is_no_approver_of_the_stage_does_not_count() {
        let mut evidence = asking_for(1);
        evidence.candidate.approvals = vec![approval("eve", "prod", 1)];
        assert!(
            ask(&evidence)
                .because()
                .contains("`keys/eve.pub` is none of the approvers")
        );
    }
}
