//! What the next stage would run differently, and what of it somebody named beforehand: a removal or a breaking change
//! that nobody has named may be one that nobody has seen.

use super::decisions::ApprovalFacts;
use super::evidence::Evidence;
use crate::attest::predicate::AllowedChange;
use crate::bundle::{Change, Subject};
use crate::image::Digest;

/// The configuration of the candidate against the one that the next stage runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Comparison {
    /// Nobody has looked.
    #[default]
    NotRead,
    /// The stage takes any change: nobody needs to look.
    Free,
    /// The stage runs nothing yet.
    First,
    /// They are equal.
    Equal,
    /// One of them can't be read, and why.
    Unreadable(String),
    /// They differ.
    Differs(Vec<Change>),
}

/// A change that must be named, and who did.
#[derive(Clone, Copy, Debug)]
pub struct NamedChange<'e> {
    /// What changes.
    pub change: &'e Change,
    /// Who named it; none: nobody, and the stage stays as it is.
    pub by: Option<Naming<'e>>,
}

/// The words that name a change, and whose they are.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'e> {
    /// As it was written.
    pub name: &'e str,
    /// The approval that says it; none: the caller does.
    pub approval: Option<&'e ApprovalFacts>,
}

impl Naming<'_> {
    fn record(&self) -> Option<Digest> {
        self.approval.map(|facts| facts.record)
    }
}

impl Comparison {
    /// What must be named before it goes on.
    pub fn to_name(&self) -> impl Iterator<Item = &Change> {
        let changes = match self {
            Self::Differs(changes) => changes.as_slice(),
            _ => &[],
        };
        changes.iter().filter(|change| change.must_be_named())
    }
}

impl Evidence {
    /// Every change that must be named, with who did, in the order of the configuration.
    pub fn named_changes(&self) -> Vec<NamedChange<'_>> {
        let namings = self.namings();
        let named = |change| {
            let by = namings.iter().find(|naming| is_named_by(change, naming.name));
            NamedChange {
                change,
                by: by.copied(),
            }
        };
        self.changes.to_name().map(named).collect()
    }

    /// What was named and needed it, for the record.
    pub fn allowed_changes(&self) -> Vec<AllowedChange> {
        let mut allowed: Vec<AllowedChange> = Vec::new();
        for naming in self.named_changes().into_iter().filter_map(|named| named.by) {
            let record = naming.record();
            let known = allowed
                .iter_mut()
                .find(|known| known.name == naming.name && known.approval == record);
            match known {
                Some(known) => known.changes = known.changes.saturating_add(1),
                None => allowed.push(AllowedChange {
                    name: naming.name.to_owned(),
                    changes: 1,
                    approval: record,
                    approved_by: naming.approval.map(|facts| facts.signer.clone()),
                }),
            }
        }
        allowed
    }

    /// What the caller names though nothing of that name holds: a typo, or done long ago.
    pub fn needless_names(&self) -> Vec<&str> {
        let names = self.request.allow_removal.iter().map(String::as_str);
        names
            .filter(|name| !self.changes.to_name().any(|change| is_named_by(change, name)))
            .collect()
    }

    /// The approvals that list changes and count here: by a key that may approve, and that did not build it.
    pub(super) fn allowing_approvals(&self) -> impl Iterator<Item = &ApprovalFacts> {
        let listing = self.candidate.approvals.iter();
        listing.filter(|facts| {
            let is_about = facts.stage == self.to.name && !facts.allows.is_empty();
            let mut approvers = self.approval.approvers.iter();
            is_about && approvers.any(|known| known.key == facts.key) && !self.candidate.builders.contains(&facts.key)
        })
    }

    /// All the words that name changes; the caller's come first.
    fn namings(&self) -> Vec<Naming<'_>> {
        let own = self
            .request
            .allow_removal
            .iter()
            .map(|name| Naming { name, approval: None });
        let approved = self.allowing_approvals().flat_map(|facts| {
            facts.allows.iter().map(move |name| Naming {
                name,
                approval: Some(facts),
            })
        });
        own.chain(approved).collect()
    }
}

/// The words that name all of a kind.
pub(super) fn all_of(subject: &Subject) -> String {
    format!("{}:*", subject.what.replace(' ', "-"))
}

/// Whether these words name a change: `client:web-client`, the subject as it is printed, `client:*` for all of a kind,
/// or the path of the change or of something that it stands in.
pub fn is_named_by(change: &Change, name: &str) -> bool {
    let subject = &change.subject;
    if name.starts_with('/') {
        let above = name.trim_end_matches('/');
        let rest = change.path.strip_prefix(above).filter(|_| !above.is_empty());
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    let printed = subject.to_string();
    name == subject.argument() || name == all_of(subject) || name == printed || name == printed.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::super::gates::fixture::{approval, approver, evidence, removed};
    use super::*;

    #[test]
    fn a_change_has_several_names_and_no_other() {
        let change = removed("data source", "main", "/facilities/data-sources/data-source[main]/user");
        for name in [
            "data-source:main",
            "data source `main`",
            "data source main",
            "data-source:*",
            "/facilities/data-sources/data-source[main]/user",
            "/facilities/data-sources/data-source[main]/",
            "/facilities",
        ] {
            assert!(is_named_by(&change, name), "{name}");
        }
        for name in [
            "",
            "*",
            "/",
            "//",
            "main",
            "data-source:",
            "data-source:mai",
            "data-source:m*",
            "client:main",
            "client:*",
            "/facilities/data-sources/data-source[main]/user/name",
            "/facilities/data-sources/data-source[main]/use",
            "/facil",
        ] {
            assert!(!is_named_by(&change, name), "{name}");
        }
    }

    #[test]
    fn a_thing_that_there_is_once_goes_by_its_kind() {
        let change = removed("server", "", "/environments");
        assert!(is_named_by(&change, "server"));
        assert!(is_named_by(&change, "server:*"));
        assert!(!is_named_by(&change, "server*"));
        assert!(!is_named_by(&change, "serve"));
    }

    #[test]
    fn whose_words_named_what_is_told_once_a_name() {
        let mut evidence = evidence();
        evidence.changes = Comparison::Differs(vec![
            removed("client", "web", "/client[web]/a"),
            removed("client", "web", "/client[web]/b"),
            removed("scope", "openid", "/scope[openid]"),
        ]);
        evidence.request.allow_removal = vec!["client:web".into(), "client:wbe".into()];
        evidence.approval.approvers = vec![approver("ada")];
        let mut approved = approval("ada", "prod", 1);
        approved.allows = vec!["scope:openid".into(), "client:web".into()];
        evidence.candidate.approvals = vec![approved.clone()];
        assert_eq!(
            evidence.allowed_changes(),
            [
                AllowedChange {
                    name: "client:web".into(),
                    changes: 2,
                    approval: None,
                    approved_by: None,
                },
                AllowedChange {
                    name: "scope:openid".into(),
                    changes: 1,
                    approval: Some(approved.record),
                    approved_by: Some("keys/ada.pub".into()),
                },
            ]
        );
        assert_eq!(evidence.needless_names(), ["client:wbe"]);
    }

    #[test]
    fn the_word_of_a_key_that_may_not_approve_or_built_it_names_nothing() {
        let mut evidence = evidence();
        evidence.changes = Comparison::Differs(vec![removed("client", "web", "/client[web]")]);
        evidence.approval.approvers = vec![approver("ada"), approver("iamship")];
        for (name, stage, counts) in [
            ("ada", "prod", true),
            ("ada", "staging", false),
            ("eve", "prod", false),
            ("iamship", "prod", false),
        ] {
            let mut approved = approval(name, stage, 1);
            approved.allows = vec!["client:web".into()];
            evidence.candidate.approvals = vec![approved];
            assert_eq!(evidence.allowed_changes().len(), usize::from(counts), "{name} {stage}");
        }
    }
}
