//! How grave a change is, as a profile says it: rules over paths and values.

use serde::Deserialize;

use super::PathPattern;

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It has another value.
    Changed,
    /// It stands elsewhere in a list whose order means something.
    Moved,
}

impl ChangeKind {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }
}

/// What a change does to those who use the server, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// A description, a logo.
    Cosmetic,
    /// The server does something else.
    Behaviour,
    /// Something is allowed, or no longer verified.
    Security,
    /// Something that worked for an application does not any more.
    Breaking,
}

impl Impact {
    /// All, the gravest first.
    pub const ALL: [Self; 4] = [Self::Breaking, Self::Security, Self::Behaviour, Self::Cosmetic];

    /// The word in JSON (as `severity`) and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Behaviour => "behaviour",
            Self::Security => "security",
            Self::Breaking => "breaking",
        }
    }
}

/// Where a number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// It is larger than before.
    Grows,
    /// It is smaller than before.
    Shrinks,
}

/// How grave some changes are. All conditions must hold; one that is left out always does.
///
/// Of the rules that fit a change the gravest counts, and among equals the first. What no rule fits is `behaviour`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChangeRule {
    /// Which elements.
    pub paths: Vec<PathPattern>,
    /// What happened to them; anything when empty.
    #[serde(default)]
    pub kinds: Vec<ChangeKind>,
    /// The value before is one of these.
    #[serde(default)]
    pub before: Vec<String>,
    /// The value after is one of these.
    #[serde(default)]
    pub after: Vec<String>,
    /// The value (after; of what was removed, before) begins with one of these.
    #[serde(default)]
    pub starts_with: Vec<String>,
    /// The value (after; of what was removed, before) has one of these in it.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Both values are numbers, and go this way.
    #[serde(default)]
    pub number: Option<Trend>,
    /// Whether it counts inside of a thing that was added as a whole, too: a new client with the implicit grant is
    /// news for security, a new client with a grant is not.
    #[serde(default = "inside")]
    pub inside: bool,
    /// How grave it is.
    pub severity: Impact,
    /// Why, for people: what an application or an attacker notices.
    pub because: String,
}

fn inside() -> bool {
    true
}

impl ChangeRule {
    /// Whether a change at one of the paths is meant. Values are as the server would see them without a stage's;
    /// letters' case does not count.
    pub fn fits(&self, kind: ChangeKind, before: Option<&str>, after: Option<&str>) -> bool {
        let one_of = |wanted: &[String], value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|one| one.eq_ignore_ascii_case(value)))
        };
        let value = after.or(before).unwrap_or_default();
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && one_of(&self.before, before)
            && one_of(&self.after, after)
            && (self.starts_with.is_empty() || self.starts_with.iter().any(|start| begins(value, start)))
            && (self.contains.is_empty() || self.contains.iter().any(|part| value.contains(part.as_str())))
            && self.number.is_none_or(|trend| goes(trend, before, after))
    }

    /// What can't be meant, if something.
    pub(super) fn problem(&self) -> Option<String> {
        let because = &self.because;
        let only = |kind| self.kinds == [kind];
        if self.paths.is_empty() {
            Some(format!("the rule of changes `{because}` has no `paths`"))
        } else if because.trim().is_empty() {
            let path = self.paths[0].as_str();
            Some(format!("a rule of changes for `{path}` has an empty `because`"))
        } else if !self.before.is_empty() && only(ChangeKind::Added) {
            Some(format!("`{because}`: what is added has no value `before`; use `after`"))
        } else if !self.after.is_empty() && only(ChangeKind::Removed) {
            Some(format!(
                "`{because}`: what is removed has no value `after`; use `before`"
            ))
        } else if self.number.is_some() && !self.kinds.is_empty() && !self.kinds.contains(&ChangeKind::Changed) {
            Some(format!(
                "`{because}`: `number` compares two values, which only a `changed` one has"
            ))
        } else {
            None
        }
    }
}

fn begins(value: &str, start: &str) -> bool {
    value
        .get(..start.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

fn goes(trend: Trend, before: Option<&str>, after: Option<&str>) -> bool {
    let number = |value: Option<&str>| value.and_then(|value| value.parse::<i128>().ok());
    match (number(before), number(after)) {
        (Some(before), Some(after)) => match trend {
            Trend::Grows => after > before,
            Trend::Shrinks => after < before,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(conditions: &str) -> ChangeRule {
        let text = format!("paths = [\"**/x\"]\nseverity = \"security\"\nbecause = \"so\"\n{conditions}");
        toml::from_str(&text).expect("a rule")
    }

    fn fits(conditions: &str, before: Option<&str>, after: Option<&str>) -> bool {
        let kind = match (before, after) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        };
        rule(conditions).fits(kind, before, after)
    }

    #[test]
    fn conditions_hold_together() {
        assert!(fits("", Some("a"), None));
        assert!(fits("kinds = [\"added\"]", None, Some("a")));
        assert!(!fits("kinds = [\"added\"]", Some("a"), None));
        let off = "before = [\"true\"]\nkinds = [\"removed\", \"changed\"]";
        assert!(fits(off, Some("true"), Some("false")) && fits(off, Some("True"), None));
        assert!(!fits(off, Some("false"), Some("true")) && !fits(off, None, Some("true")));
        assert!(fits("starts-with = [\"http://\"]", None, Some("HTTP://a.example")));
        assert!(!fits(
            "starts-with = [\"http://\"]",
            Some("http://a"),
            Some("https://a")
        ));
        assert!(!fits("starts-with = [\"http://\"]", None, Some("ht")));
        assert!(fits("contains = [\"*\"]", None, Some("https://*.a.example")));
    }

    #[test]
    fn numbers_grow_and_shrink() {
        assert!(fits("number = \"grows\"", Some("300"), Some("3600")));
        assert!(fits("number = \"shrinks\"", Some("3600"), Some("300")));
        assert!(!fits("number = \"shrinks\"", Some("300"), Some("300")));
        assert!(!fits("number = \"shrinks\"", Some("disabled"), Some("300")));
        assert!(!fits("number = \"grows\"", None, Some("300")));
    }

    #[test]
    fn what_can_t_be_meant_is_told() {
        let problem = |conditions: &str| rule(conditions).problem();
        assert_eq!(problem("kinds = [\"added\", \"changed\"]\nbefore = [\"a\"]"), None);
        assert!(problem("kinds = [\"added\"]\nbefore = [\"a\"]").is_some_and(|reason| reason.contains("`after`")));
        assert!(problem("kinds = [\"removed\"]\nafter = [\"a\"]").is_some_and(|reason| reason.contains("`before`")));
        assert!(problem("kinds = [\"added\"]\nnumber = \"grows\"").is_some_and(|reason| reason.contains("`number`")));
        let mut empty = rule("");
        empty.because = " ".to_owned();
        assert!(empty.problem().is_some_and(|reason| reason.contains("empty `because`")));
        empty.paths.clear();
        assert!(empty.problem().is_some_and(|reason| reason.contains("no `paths`")));
    }
}
