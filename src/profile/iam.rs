//! What a client, or another entry of the configuration, should not be: conditions over its children.

use serde::Deserialize;

use super::PathPattern;
use crate::diagnostic::{Code, Severity};

/// A rule over the entries that its patterns fit. It finds each leaf (or element) that the first condition is about,
/// where all conditions hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IamRule {
    /// Which rule: a code that iamship has a page for.
    #[serde(deserialize_with = "code")]
    pub code: Code,
    /// The entries, each looked at on its own; `.` is a file's root.
    pub entries: Vec<PathPattern>,
    /// All must hold; the first one must be about something that is there.
    pub when: Vec<Condition>,
    /// What is said: `{id}` is the entry's key, `{value}` what the first condition found.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Another severity than the code's.
    #[serde(default, deserialize_with = "severity")]
    pub severity: Option<Severity>,
}

/// One condition over an entry: that a child is there, with a value that fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    /// The child, seen from the entry: `proof-key/require-proof-key`; `*` is one element.
    pub path: PathPattern,
    /// Its value is one of these.
    #[serde(default)]
    pub is: Vec<String>,
    /// Its value fits this regular expression.
    #[serde(default)]
    pub matches: Option<String>,
    /// Its value does not fit this one.
    #[serde(default)]
    pub unless: Option<String>,
    /// Its value is a number over this.
    #[serde(default)]
    pub over: Option<u64>,
    /// There is none such.
    #[serde(default)]
    pub absent: bool,
}

impl IamRule {
    /// How `entries` names a root.
    pub const ROOT: &str = ".";

    /// What is wrong with it, each with the text that it is about.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let code = self.code.as_str();
        match self.when.first() {
            None => problems.push((format!("`{code}` needs a condition: `when`"), code.to_owned())),
            Some(first) if first.absent => {
                let reason = format!("the first condition of `{code}` must be about something that is there");
                problems.push((reason, first.path.to_string()));
            }
            Some(_) => {}
        }
        for condition in &self.when {
            for regex in condition.matches.iter().chain(&condition.unless) {
                if let Err(error) = regex_lite::Regex::new(regex) {
                    let reason = format!("`{regex}` is not a regular expression: {error}");
                    problems.push((reason, regex.clone()));
                }
            }
            if condition.path.as_str().split('/').any(|step| step == "**") {
                let reason = format!("`{}` is seen from the entry, so it takes no `**`", condition.path);
                problems.push((reason, condition.path.to_string()));
            }
        }
        problems
    }
}

fn code<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let name = String::deserialize(deserializer)?;
    Code::named(&name).ok_or_else(|| serde::de::Error::custom(format!("no check has the code `{name}`")))
}

fn severity<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Severity>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "warning" => Ok(Some(Severity::Warning)),
        "error" => Ok(Some(Severity::Error)),
        other => Err(serde::de::Error::custom(format!(
            "`{other}` is no severity: `warning` or `error`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(when: &str) -> Vec<String> {
        let text = format!(
            "code = \"redirect-http\"\nentries = [\"**/client\"]\nwhen = {when}\nmessage = \"x\"\nhelp = \"x\"\n"
        );
        let rule: IamRule = toml::from_str(&text).expect("the right shape");
        rule.problems().into_iter().map(|(reason, _)| reason).collect()
    }

    #[test]
    fn a_rule_that_could_never_find_anything_is_refused() {
        assert_eq!(
            problems("[{ path = \"a\", matches = '^x' }, { path = \"b/*\", absent = true }]"),
            Vec::<String>::new()
        );
        for (when, told) in [
            ("[]", "needs a condition"),
            (
                "[{ path = \"a\", absent = true }]",
                "must be about something that is there",
            ),
            ("[{ path = \"a\", unless = '(' }]", "not a regular expression"),
            ("[{ path = \"a/**\" }]", "takes no `**`"),
        ] {
            let found = problems(when);
            assert!(found.len() == 1 && found[0].contains(told), "{when}: {found:?}");
        }
        let unknown = "code = \"redirect-htp\"\nentries = []\nwhen = []\nmessage = \"x\"\nhelp = \"x\"\n";
        assert!(toml::from_str::<IamRule>(unknown).is_err());
    }
}
