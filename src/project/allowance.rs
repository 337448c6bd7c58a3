//! `[[checks.allow]]`: findings that the project allows, for files that take no comments.

use globset::{GlobBuilder, GlobMatcher};

use super::read::{Table, Value, listed};
use crate::diagnostic::{Code, Span, nearest};

/// The key of `[checks]` that is no code.
pub(super) const KEY: &str = "allow";

/// Findings of one code that are allowed where a pattern fits.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Of which rule.
    pub code: Code,
    /// Where: files, or elements when it begins with `/`.
    pub path: AllowedPath,
    /// Why.
    pub reason: String,
    /// Where it is said.
    pub span: Span,
}

/// A glob over files' paths, or over element paths with keys.
#[derive(Clone, Debug)]
pub struct AllowedPath {
    text: String,
    glob: GlobMatcher,
}

impl AllowedPath {
    /// Whether it is about elements: `/clients/client[web]/**`.
    pub fn is_element(&self) -> bool {
        self.text.starts_with('/')
    }

    /// Whether a file's path, or an element's, fits.
    pub fn fits(&self, path: &str) -> bool {
        self.glob.is_match(path)
    }
}

impl std::fmt::Display for AllowedPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::str::FromStr for AllowedPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Keys stand in brackets: `client[web]` is no set of characters.
        let mut escaped = String::new();
        for character in text.chars() {
            match character {
                '[' | ']' | '{' | '}' => escaped.extend(['[', character, ']']),
                other => escaped.push(other),
            }
        }
        let glob = GlobBuilder::new(&escaped).literal_separator(true).build();
        match glob {
            Ok(glob) if !text.is_empty() => Ok(Self {
                text: text.to_owned(),
                glob: glob.compile_matcher(),
            }),
            Ok(_) => Err("an empty path fits nothing".to_owned()),
            Err(error) => Err(format!("`{text}` is not a pattern: {}", error.kind())),
        }
    }
}

pub(super) fn read(checks: &Table<'_>) -> Vec<Allowance> {
    let items = checks.get(KEY).and_then(|value| value.list()).unwrap_or_default();
    items.iter().filter_map(read_one).collect()
}

fn read_one(item: &Value<'_>) -> Option<Allowance> {
    let table = item.table("`[[checks.allow]]`")?;
    let span = table.span();
    let code = table.need("code", "\"redirect-wildcard\"");
    let code = code.and_then(|value| allowed_code(&value));
    let path = table.need("path", "\"config/realm.json\"");
    let path = path.and_then(|value| value.parse::<AllowedPath>());
    let reason = table.need("reason", "\"why it may stay\"");
    let reason = reason.and_then(|value| match value.text()?.trim() {
        "" => value.refuse("a reason must say something", None),
        text => Some(text.to_owned()),
    });
    table.finish();
    Some(Allowance {
        code: code?,
        path: path?,
        reason: reason?,
        span,
    })
}

fn allowed_code(value: &Value<'_>) -> Option<Code> {
    let text = value.text()?;
    match Code::named(text) {
        Some(code) if code.can_be_allowed() => Some(code),
        Some(_) => value.refuse(
            format!("`{text}` can't be allowed"),
            format!("`iamship rule {text}` says why, and what mends it"),
        ),
        None => {
            let names = Code::ALL.iter().filter(|code| code.can_be_allowed());
            let near = nearest(text, names.map(|code| code.as_str()));
            let help = near.map_or_else(
                || "`iamship rule` lists all".to_owned(),
                |near| format!("did you mean {}?", listed(&[near])),
            );
            value.refuse(format!("no check has the code `{text}`"), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;
    use crate::project::fixture::{Folder, MINIMAL};

    #[test]
    fn paths_are_globs_in_which_keys_stand_as_they_are() {
        let fits = |pattern: &str, path: &str| pattern.parse::<AllowedPath>().expect(pattern).fits(path);
        assert!(fits("/a/client[web]/*", "/a/client[web]/secret"));
        assert!(fits("/a/client[*]/**", "/a/client[web]/b/c"));
        assert!(!fits("/a/client[web]/*", "/a/clientw/secret"));
        assert!(fits("config/*.json", "config/a.json") && !fits("config/*.json", "config/b/a.json"));
        assert!("".parse::<AllowedPath>().is_err());
    }

    fn load(more: &str) -> Result<Project, Vec<String>> {
        let folder = Folder::new();
        folder.write("iamship.toml", &format!("{MINIMAL}\n{more}"));
        Project::load(folder.path()).map_err(|found| found.into_iter().map(|found| found.message).collect())
    }

    #[test]
    fn an_allowance_says_what_where_and_why() {
        let good = "[checks]\nstage-host = \"off\"\n[[checks.allow]]\ncode = \"secret-literal\"\npath = \"config/a.json\"\nreason = \"a demo\"\n";
        let project = load(good).expect("valid");
        assert_eq!(project.allowances[0].code, Code::SecretLiteral);
        assert_eq!(project.allowances[0].reason, "a demo");
        assert!(!project.allowances[0].path.is_element());
        for (from, to, told) in [
            (
                "secret-literal",
                "secret-litteral",
                "no check has the code `secret-litteral`",
            ),
            (
                "secret-literal",
                "project-missing",
                "`project-missing` can't be allowed",
            ),
            ("a demo", " ", "a reason must say something"),
            ("reason =", "because =", "has no `reason`"),
        ] {
            let found = load(&good.replace(from, to)).expect_err(told);
            assert!(found.iter().any(|message| message.contains(told)), "{told}: {found:?}");
        }
    }
}
