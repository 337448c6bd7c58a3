//! Patterns over element paths: `facilities/data-sources/data-source/*/password`, `**/client/secret`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A pattern over the local names of an element and its ancestors below the root.
///
/// `*` is one element of any name, `**` is any number of elements (also none). A step with a `*`
/// inside (`*truststore*`) matches as in a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Glob(Vec<String>),
    One,
    Any,
}

impl PathPattern {
    /// Whether the local names from just below the root to the element fit.
    pub fn matches(&self, path: &[&str]) -> bool {
        matches(&self.steps, path)
    }

    /// The pattern's last step, when it is a plain name; for indexing many patterns.
    pub fn last_name(&self) -> Option<&str> {
        match self.steps.last() {
            Some(Step::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn matches(steps: &[Step], path: &[&str]) -> bool {
    match (steps.split_first(), path.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Step::Any, rest)), _) => matches(rest, path) || (!path.is_empty() && matches(steps, &path[1..])),
        (Some(_), None) => false,
        (Some((step, steps)), Some((name, path))) => step.fits(name) && matches(steps, path),
    }
}

impl Step {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::One | Self::Any => true,
            Self::Glob(parts) => glob(parts, name),
        }
    }
}

/// `parts` are the texts between the stars.
fn glob(parts: &[String], name: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

impl FromStr for PathPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let steps = text
            .split('/')
            .map(|step| match step {
                "" => Err(InvalidPattern(text.to_owned())),
                "*" => Ok(Step::One),
                "**" => Ok(Step::Any),
                glob if glob.contains('*') => Ok(Step::Glob(glob.split('*').map(str::to_owned).collect())),
                name => Ok(Step::Name(name.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path pattern: names, `*` and `**` between single `/`")]
pub struct InvalidPattern(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_as_documented() {
        let fits = |pattern: &str, path: &str| {
            pattern
                .parse::<PathPattern>()
                .expect(pattern)
                .matches(&path.split('/').collect::<Vec<_>>())
        };
        assert!(fits("a/*/c", "a/b/c"));
        assert!(!fits("a/*/c", "a/c"));
        assert!(fits("**/client/secret", "profiles/profile/client/secret"));
        assert!(fits("**/client/secret", "client/secret"));
        assert!(fits("a/**", "a/b/c"));
        assert!(!fits("a", "a/b"));
        assert!(fits("**/*truststore*/keystore", "ssl/server-truststores/keystore"));
        assert!("a//b".parse::<PathPattern>().is_err());
    }
}
