//! Secrets that a server wants encrypted under a key of the stage before they become its environment.

use serde::Deserialize;

use super::{ParameterName, ParameterType, PathPattern};

/// Which values are protected, and what a protected one looks like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protect {
    /// Parameters of these types are meant.
    #[serde(default)]
    pub types: Vec<ParameterType>,
    /// Globs over the names of those that are meant.
    #[serde(default)]
    pub names: Vec<PathPattern>,
    /// Elements: parameters that are used there are meant.
    #[serde(default)]
    pub paths: Vec<PathPattern>,
    /// A regular expression that tells a value which is protected already from one that is not.
    pub mark: String,
    /// A regular expression that every protected value fits.
    pub form: String,
    /// The command that protects, run in the image: the value on stdin, the protected one on stdout. A stage may say
    /// another one; without one, a stage must.
    #[serde(default)]
    pub command: Vec<String>,
    /// Values of a stage that the command needs, and the server too, though no placeholder asks for them: keys. Those
    /// that a stage does not give are left out.
    #[serde(default)]
    pub environment: Vec<ParameterName>,
}

impl Protect {
    /// Whether a parameter's values are protected. `used` are the paths of the elements that use it.
    pub fn marks<'p>(&self, name: &str, kind: ParameterType, used: impl IntoIterator<Item = &'p str>) -> bool {
        let fits = |patterns: &[PathPattern], path: &[&str]| patterns.iter().any(|pattern| pattern.matches(path));
        self.types.contains(&kind)
            || fits(&self.names, &[name])
            || used.into_iter().any(|path| fits(&self.paths, &local_names(path)))
    }

    /// Whether a value is protected already, by its look.
    pub fn is_protected(&self, value: &str) -> bool {
        fits(&self.mark, value)
    }

    /// Whether a protected value has the right form.
    pub fn has_form(&self, value: &str) -> bool {
        fits(&self.form, value)
    }
}

/// Profiles are validated when they are read: an expression that is none fits nothing.
fn fits(expression: &str, value: &str) -> bool {
    regex_lite::Regex::new(expression).is_ok_and(|expression| expression.is_match(value))
}

/// `/profiles/profile[token-service]/x` without the keys. A key may have a `/` in it.
pub(super) fn local_names(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(step) = rest.strip_prefix('/') {
        let end = step.find(['/', '[']).unwrap_or(step.len());
        names.push(&step[..end]);
        rest = &step[end..];
        while rest.starts_with('[') {
            rest = rest.find(']').map_or("", |at| &rest[at + 1..]);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protect() -> Protect {
        toml::from_str(
            "types = [\"encrypted\"]\nnames = [\"*_SEALED\"]\npaths = [\"**/client/secret\"]\nmark = \"^data:\"\nform = \"^data:x$\"",
        )
        .expect("a table")
    }

    #[test]
    fn parameters_are_marked_by_type_name_or_place() {
        let protect = protect();
        let marks = |name: &str, kind, used: &[&str]| protect.marks(name, kind, used.iter().copied());
        assert!(marks("X", ParameterType::Encrypted, &[]));
        assert!(marks("DB_SEALED", ParameterType::Text, &[]));
        assert!(marks("X", ParameterType::Text, &["/a", "/profiles/client[a/b]/secret"]));
        assert!(!marks(
            "X",
            ParameterType::Text,
            &["/profiles/client[web]/secret/inner", "/client"]
        ));
    }

    #[test]
    fn a_value_is_told_by_its_mark_and_judged_by_its_form() {
        let protect = protect();
        assert!(!protect.is_protected("plain"));
        assert!(protect.is_protected("data:y") && !protect.has_form("data:y"));
        assert!(protect.has_form("data:x"));
    }

    #[test]
    fn keys_are_no_part_of_a_path() {
        assert_eq!(local_names("/a/b[x/y][z]/c"), ["a", "b", "c"]);
        assert_eq!(local_names(""), Vec::<&str>::new());
        assert_eq!(local_names("/a[open"), ["a"]);
    }
}
