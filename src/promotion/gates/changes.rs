//! `changes`: what breaks or is removed in the next stage was named by somebody: a deleted client that nobody noticed is
//! an outage.

use std::collections::BTreeSet;

use super::super::changes::{Comparison, NamedChange, all_of};
use super::super::evidence::Request;
use super::command::quoted;
use super::{Evidence, Verdict};
use crate::bundle::Subject;

/// So many things are told in the first line; the list of all follows it.
const MOST_TOLD: usize = 4;
/// A command that names more things than this can't be read: all of a kind are named at once.
const MOST_NAMED: usize = 30;

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let stage = &evidence.to.name;
    match &evidence.changes {
        Comparison::NotRead => Verdict::hold(
            format!("nobody has compared it with what `{stage}` runs"),
            evidence.command(&evidence.request),
        ),
        Comparison::Free => Verdict::pass(format!("`{stage}` takes any change")),
        Comparison::First => Verdict::pass(format!("`{stage}` runs nothing yet")),
        Comparison::Equal => Verdict::pass(format!("the configuration is the one that `{stage}` runs")),
        Comparison::Unreadable(why) => Verdict::Hold {
            because: format!("it can't be compared with what `{stage}` runs: {why}"),
            help: vec![format!(
                "if `{stage}` must move without a comparison: `enter = {{ changes = \"free\" }}` under its `[[stage]]`"
            )],
        },
        Comparison::Differs(changes) => differs(evidence, changes.len()),
    }
}

fn differs(evidence: &Evidence, count: usize) -> Verdict {
    let named = evidence.named_changes();
    let unnamed: Vec<&NamedChange<'_>> = named.iter().filter(|named| named.by.is_none()).collect();
    if unnamed.is_empty() {
        let count = plural(count, "change");
        return Verdict::pass(match named.len() {
            0 => format!("{count}: nothing is removed, nothing breaks"),
            _ => format!("{count}; what breaks or is removed is named: {}", names(evidence)),
        });
    }
    let mut seen = BTreeSet::new();
    let subjects: Vec<&Subject> = unnamed
        .iter()
        .map(|named| &named.change.subject)
        .filter(|subject| seen.insert(*subject))
        .collect();
    let mut told: Vec<String> = subjects.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    if subjects.len() > MOST_TOLD {
        told.push(format!("{} more", subjects.len() - MOST_TOLD));
    }
    let because = format!(
        "`{}` would lose or break what nobody has named: {} ({})",
        evidence.to.name,
        told.join(", "),
        plural(unnamed.len(), "change")
    );
    let because = match why_not(evidence) {
        Some(why) => format!("{because}; {why}"),
        None => because,
    };
    Verdict::Hold {
        because,
        help: help(evidence, &to_name(&subjects)),
    }
}

/// The arguments that name these, and as few as a person can read.
fn to_name(subjects: &[&Subject]) -> Vec<String> {
    let each = |subject: &&Subject| match subjects.len() > MOST_NAMED {
        true => all_of(subject),
        false => subject.argument(),
    };
    let mut seen = BTreeSet::new();
    subjects
        .iter()
        .map(each)
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

fn help(evidence: &Evidence, names: &[String]) -> Vec<String> {
    let stage = &evidence.to.name;
    let mut request: Request = evidence.request.clone();
    request.allow_removal.extend_from_slice(names);
    let mut help = vec![format!("if it is meant: {}", evidence.command(&request))];
    let mut approvers = evidence.approval.approvers.iter();
    if approvers.any(|approver| !evidence.candidate.builders.contains(&approver.key)) {
        let allows: Vec<_> = names.iter().map(|name| format!("--allows {}", quoted(name))).collect();
        help.push(format!(
            "or somebody approves it: iamship approve {} --for {stage} {}",
            evidence.candidate.digest,
            allows.join(" ")
        ));
    }
    help
}

/// Approvals that list changes and do not count.
fn why_not(evidence: &Evidence) -> Option<String> {
    let counted: Vec<_> = evidence.allowing_approvals().map(|facts| facts.record).collect();
    let mut others = evidence.candidate.approvals.iter();
    let other = others.find(|facts| {
        facts.stage == evidence.to.name && !facts.allows.is_empty() && !counted.contains(&facts.record)
    })?;
    let signer = &other.signer;
    Some(match evidence.candidate.builders.contains(&other.key) {
        true => format!("`{signer}` built it, so what its approval allows does not count"),
        false => format!(
            "`{signer}` is none of the approvers of `{}`: what it allows does not count",
            evidence.to.name
        ),
    })
}

/// What was named, and by whom where that is not the caller.
fn names(evidence: &Evidence) -> String {
    let allowed = evidence.allowed_changes();
    let mut told: Vec<_> = allowed
        .iter()
        .take(MOST_TOLD)
        .map(|allowed| match &allowed.approved_by {
            Some(signer) => format!("`{}` by `{signer}`", allowed.name),
            None => format!("`{}`", allowed.name),
        })
        .collect();
    if allowed.len() > MOST_TOLD {
        told.push(format!("{} more", allowed.len() - MOST_TOLD));
    }
    told.join(", ")
}

fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{approval, approver, digest, evidence, removed};
    use super::*;
    use crate::bundle::{Change, ChangeKind, Impact};

    fn differing(changes: Vec<Change>) -> Evidence {
        let mut evidence = evidence();
        evidence.changes = Comparison::Differs(changes);
        evidence
    }

    fn clients(count: usize) -> Vec<Change> {
        let each = (0..count).map(|number| removed("client", &format!("c{number}"), &format!("/client[c{number}]")));
        each.collect()
    }

    #[test]
    fn what_can_take_nothing_away_passes() {
        for changes in [Comparison::First, Comparison::Equal, Comparison::Free] {
            let evidence = Evidence { changes, ..evidence() };
            assert!(!ask(&evidence).is_hold(), "{}", ask(&evidence).because());
        }
        let mut added = removed("client", "web", "/client[web]");
        (added.kind, added.severity) = (ChangeKind::Added, Impact::Security);
        let verdict = ask(&differing(vec![added]));
        assert_eq!(verdict.because(), "1 change: nothing is removed, nothing breaks");
        assert!(!verdict.is_hold());
    }

    #[test]
    fn what_nobody_has_looked_at_or_could_read_holds() {
        let mut evidence = evidence();
        evidence.changes = Comparison::NotRead;
        assert!(ask(&evidence).is_hold());
        evidence.changes = Comparison::Unreadable("it is no gzip".into());
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(verdict.because().ends_with("it is no gzip"));
        assert!(verdict.help()[0].contains("changes = \"free\""));
        // No name lets it pass: what it would name is not known.
        evidence.request.allow_removal = vec!["client:*".into()];
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn a_removal_and_a_breaking_change_hold_until_both_are_named() {
        let mut narrower = removed("scope", "openid", "/scope[openid]/claim");
        narrower.kind = ChangeKind::Changed;
        let mut gone = removed("client", "web", "/client[web]");
        gone.severity = Impact::Behaviour;
        let mut evidence = differing(vec![gone, narrower]);
        let verdict = ask(&evidence);
        assert_eq!(
            verdict.because(),
            "`prod` would lose or break what nobody has named: client `web`, scope `openid` (2 changes)"
        );
        let command = "iamship promote staging prod --allow-removal client:web --allow-removal scope:openid";
        assert_eq!(verdict.help(), [format!("if it is meant: {command}")]);
        evidence.request.allow_removal = vec!["client:web".into()];
        let verdict = ask(&evidence);
        assert!(
            verdict.because().contains("named: scope `openid` (1 change)"),
            "{}",
            verdict.because()
        );
        assert_eq!(verdict.help(), [format!("if it is meant: {command}")]);
        evidence.request.allow_removal.push("/scope[openid]".into());
        let verdict = ask(&evidence);
        assert!(!verdict.is_hold());
        assert!(
            verdict.because().ends_with("is named: `client:web`, `/scope[openid]`"),
            "{}",
            verdict.because()
        );
    }

    #[test]
    fn an_approval_that_lists_it_passes_and_its_signer_is_told() {
        let mut evidence = differing(clients(1));
        evidence.approval.approvers = vec![approver("ada"), approver("iamship")];
        let digest = digest("new");
        assert_eq!(
            ask(&evidence).help()[1],
            format!("or somebody approves it: iamship approve {digest} --for prod --allows client:c0")
        );
        let listing = |name: &str| {
            let mut approved = approval(name, "prod", 1);
            approved.allows = vec!["client:c0".into()];
            approved
        };
        for (name, why) in [
            ("iamship", "`keys/iamship.pub` built it"),
            ("eve", "none of the approvers"),
        ] {
            evidence.candidate.approvals = vec![listing(name)];
            assert!(ask(&evidence).is_hold());
            assert!(ask(&evidence).because().contains(why), "{}", ask(&evidence).because());
        }
        evidence.candidate.approvals.push(listing("ada"));
        let verdict = ask(&evidence);
        assert!(!verdict.is_hold());
        assert!(
            verdict.because().ends_with("`client:c0` by `keys/ada.pub`"),
            "{}",
            verdict.because()
        );
        // What it rests on is in the summary that other verifiers read.
        assert!(evidence.relied_on().contains(&evidence.candidate.approvals[1].envelope));
    }

    #[test]
    fn many_fit_a_line_and_a_command() {
        let verdict = ask(&differing(clients(1000)));
        assert!(
            verdict.because().contains("client `c3`, 996 more (1000 changes)"),
            "{}",
            verdict.because()
        );
        assert!(
            verdict.help()[0].ends_with("--allow-removal 'client:*'"),
            "{}",
            verdict.help()[0]
        );
    }

    #[test]
    fn names_are_one_word_of_a_shell() {
        let hostile = removed("client", "$(id) `x`'\n", "/client[x]");
        let mut evidence = differing(vec![hostile]);
        let help = ask(&evidence).help()[0].clone();
        assert!(help.ends_with("--allow-removal 'client:$(id) `x`'\\''\n'"), "{help}");
        evidence.request.allow_removal = vec!["client:$(id) `x`'\n".into()];
        assert!(!ask(&evidence).is_hold());
    }
}
