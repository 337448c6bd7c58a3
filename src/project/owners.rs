//! `OWNERS`: who answers for which application, in the form of a CODEOWNERS file.

use super::load::LARGEST_TEXT;
use super::paths::{self, Root};
use super::read::Value;
use crate::diagnostic::{Code, Diagnostic, Source};

/// Who owns what, by the last line that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: String,
    owners: Vec<String>,
}

impl Owners {
    /// Reads lines like `client:web-* @team-web ada@example.com`; `#` begins a comment, also behind a blank. A line
    /// without owners takes owners away.
    pub fn read(source: &Source) -> (Self, Vec<Diagnostic>) {
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        let mut start = 0;
        for line in source.text().split_inclusive('\n') {
            let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            let words: Vec<&str> = words.collect();
            if let Some((pattern, owners)) = words.split_first() {
                if *pattern == "*" || pattern.contains(':') {
                    rules.push(Rule {
                        pattern: (*pattern).to_owned(),
                        owners: owners.iter().map(|owner| (*owner).to_owned()).collect(),
                    });
                } else {
                    let at = start + line.find(pattern).unwrap_or_default();
                    let message = format!("`{pattern}` names no subject");
                    let diagnostic = Diagnostic::new(Code::ProjectInvalid, message);
                    let diagnostic = diagnostic.at(source.span(at..at + pattern.len()), "");
                    problems.push(diagnostic.help(format!("write what it is: `client:{pattern}`")));
                }
            }
            start += line.len();
        }
        (Self { rules }, problems)
    }

    /// Who owns a subject (`client:web-client`): none where no line fits, nobody where the last one that does names
    /// nobody.
    pub fn of(&self, subject: &str) -> Option<&[String]> {
        let rule = self.rules.iter().rfind(|rule| fits(&rule.pattern, subject))?;
        Some(&rule.owners)
    }
}

/// Whether a text fits a pattern in which `*` is any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// `[project] owners`
pub(super) fn load(root: &Root, value: &Value<'_>) -> Option<Owners> {
    let text = value.text()?;
    let path = match root.existing_file(text) {
        Ok(path) => path,
        Err(problem) => return value.refuse(format!("`{text}` {problem}"), None),
    };
    match paths::read_text(&root.path().join(&path), LARGEST_TEXT) {
        Ok(content) => {
            let (owners, problems) = Owners::read(&Source::new(path, content));
            value.problems().extend(problems);
            Some(owners)
        }
        Err(problem) => value.refuse(format!("`{text}` {problem}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;
    use crate::project::fixture::{Folder, MINIMAL};

    fn owners(text: &str) -> (Owners, Vec<Diagnostic>) {
        Owners::read(&Source::new("OWNERS", text))
    }

    #[test]
    fn the_last_line_that_fits_counts() {
        let text = "# who answers\n* @iam\nclient:web-* @web ada@example.com # the shop\n\tclient:web-old\n\nclient:*-b*t @bots\n";
        let (owners, problems) = owners(text);
        assert_eq!(problems, []);
        let of = |subject: &str| owners.of(subject).map(|owners| owners.join(" "));
        assert_eq!(of("scope:read").as_deref(), Some("@iam"));
        assert_eq!(of("client:web-shop").as_deref(), Some("@web ada@example.com"));
        assert_eq!(of("client:web-old").as_deref(), Some(""));
        assert_eq!(of("client:a-boot").as_deref(), Some("@bots"));
        assert_eq!(Owners::default().of("client:a"), None);
    }

    #[test]
    fn stars_are_any_text() {
        for (pattern, text) in [
            ("a", "a"),
            ("a*", "a"),
            ("*a", "ba"),
            ("a*c*e", "abcde"),
            ("**", ""),
            ("a*a", "aa"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*a", "a"), ("*b", "ba"), ("a*c*e", "ace-"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_project_file_names_it() {
        let folder = Folder::new();
        let text = MINIMAL.replace("server = \"curity\"", "server = \"curity\"\nowners = \"OWNERS\"");
        folder.write("iamship.toml", &text);
        let missing = Project::load(folder.path()).expect_err("refused");
        assert_eq!(missing[0].message, "`OWNERS` is not there");
        folder.write("OWNERS", "web-client @web\n");
        let wrong = Project::load(folder.path()).expect_err("refused");
        assert_eq!(wrong[0].message, "`web-client` names no subject");
        assert_eq!(wrong[0].help, ["write what it is: `client:web-client`"]);
        folder.write("OWNERS", "client:web-client @web\n");
        let project = Project::load(folder.path()).expect("valid");
        assert_eq!(project.owners.of("client:web-client"), Some(&["@web".to_owned()][..]));
    }
}
