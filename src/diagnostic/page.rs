//! The page of each code: `templates/rules/<code>.md`, as `iamship rule CODE` shows it.

use super::Code;

/// Takes the pages' files into the program.
macro_rules! pages {
    ($($name:literal)*) => {
        const PAGES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../templates/rules/", $name, ".md")))),*];
    };
}

pages! {
    "allow-invalid"
    "allow-unused"
    "build-rejected"
    "certificate-expired"
    "certificate-expires"
    "certificate-not-yet-valid"
    "client-public-without-pkce"
    "cors-wildcard"
    "debug-logging"
    "definition-unused"
    "duplicate-key"
    "env-duplicate"
    "env-syntax"
    "file-unreadable"
    "filled-invalid"
    "grant-implicit"
    "grant-password"
    "https-without-key"
    "json-malformed"
    "key-mismatch"
    "key-shared"
    "key-weak"
    "lifetime-refresh-long"
    "literal-stage-host"
    "lock-invalid"
    "merge-conflict"
    "oidc-parameter"
    "parameter-defaulted"
    "parameter-empty"
    "parameter-missing"
    "parameter-misspelt"
    "parameter-type"
    "parameter-unused"
    "placeholder-lookalike"
    "placeholder-unclear"
    "profile-invalid"
    "project-invalid"
    "project-missing"
    "project-syntax"
    "project-unknown-key"
    "redirect-http"
    "redirect-wildcard"
    "reference-dangling"
    "secret-in-values"
    "secret-literal"
    "secret-shared"
    "secrets-exposed"
    "secrets-name"
    "secrets-unreachable"
    "secrets-unreadable"
    "stage-example-domain"
    "stage-host"
    "stage-localhost"
    "stage-plain-http"
    "toml-malformed"
    "xml-doctype"
    "xml-malformed"
    "xml-root"
    "yaml-malformed"
}

impl Code {
    /// What it means, an example, and how to mend it: Markdown whose first line is `# <code>`.
    pub fn page(self) -> &'static str {
        let found = PAGES.iter().find(|(name, _)| *name == self.as_str());
        found.map_or("", |(_, page)| page)
    }

    /// The page's first paragraph, on one line.
    pub fn explanation(self) -> &'static str {
        let text = self.page().split("\n\n").nth(1);
        text.unwrap_or_else(|| self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/rules");
        let entries = std::fs::read_dir(folder)
            .expect("the pages")
            .map(|entry| entry.expect("a page"));
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        for code in Code::ALL {
            assert!(
                !code.page().is_empty(),
                "{code}: write templates/rules/{code}.md and name it in pages!"
            );
        }
        let named: Vec<_> = PAGES.iter().map(|(name, _)| format!("{name}.md")).collect();
        assert_eq!(files(), named);
        for (name, _) in PAGES {
            assert!(
                Code::ALL.iter().any(|code| code.as_str() == *name),
                "no check has the code `{name}`"
            );
        }
    }

    #[test]
    fn pages_have_their_parts_in_order() {
        for (name, page) in PAGES {
            assert!(page.starts_with(&format!("# {name}\n\n")), "{name}");
            let parts: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
            let usual = ["## Example", "## Mend", "## Source"];
            assert_eq!(parts, usual[..parts.len().max(2)], "{name}");
            assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{name}");
        }
    }
}
