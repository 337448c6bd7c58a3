//! What a token must allow: `repository:iam/idsvr:pull,push` (Docker's *Token Scope Documentation*).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A set of permissions on resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope(BTreeMap<String, BTreeSet<String>>);

impl Scope {
    pub(super) fn pull(repository: &str) -> Self {
        Self::default().and(repository, &["pull"])
    }

    pub(super) fn push(repository: &str) -> Self {
        Self::default().and(repository, &["pull", "push"])
    }

    pub(super) fn delete(repository: &str) -> Self {
        Self::default().and(repository, &["delete", "pull"])
    }

    /// To take a blob from one repository over into another.
    pub(super) fn mount(to: &str, from: &str) -> Self {
        Self::push(to).and(from, &["pull"])
    }

    fn and(mut self, repository: &str, actions: &[&str]) -> Self {
        let entry = self.0.entry(format!("repository:{repository}")).or_default();
        entry.extend(actions.iter().map(|action| (*action).to_owned()));
        self
    }

    /// From a challenge: scopes separated by spaces.
    pub(super) fn parse(text: &str) -> Self {
        let mut scope = Self::default();
        for one in text.split_whitespace() {
            if let Some((resource, actions)) = one.rsplit_once(':') {
                let entry = scope.0.entry(resource.to_owned()).or_default();
                entry.extend(actions.split(',').map(str::to_owned));
            }
        }
        scope
    }

    /// All that either allows.
    pub(super) fn union(mut self, other: Self) -> Self {
        for (resource, actions) in other.0 {
            self.0.entry(resource).or_default().extend(actions);
        }
        self
    }

    /// Whether it allows all that `wanted` does.
    pub(super) fn covers(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|(resource, actions)| {
            let own = self.0.get(resource);
            own.is_some_and(|own| own.contains("*") || actions.is_subset(own))
        })
    }

    /// One text for each resource, as the token server wants them.
    pub(super) fn each(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(resource, actions)| {
            let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
            format!("{resource}:{}", actions.join(","))
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.each().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_names_both_repositories() {
        let scope = Scope::mount("app", "base");
        assert_eq!(scope.to_string(), "repository:app:pull,push repository:base:pull");
        assert!(scope.covers(&Scope::pull("base")) && !scope.covers(&Scope::push("base")));
        assert_eq!(Scope::parse(&scope.to_string()), scope);
        assert_eq!(Scope::mount("app", "app"), Scope::push("app"));
    }

    #[test]
    fn a_star_allows_everything() {
        assert!(Scope::parse("repository:app:*").covers(&Scope::delete("app")));
        assert!(!Scope::pull("app").covers(&Scope::parse("registry:catalog:*")));
        assert_eq!(Scope::parse("rubbish"), Scope::default());
    }
}
