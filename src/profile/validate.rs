//! Reads a profile's file and refuses what would fail later.

use std::ops::Range;

use super::{Format, InvalidProfile, PathPattern, Probe, ServerProfile};

/// The largest user or group number that engines and tar headers take.
const LARGEST_ID: u32 = 2_097_151;

impl ServerProfile {
    /// Reads the text of `servers/<name>.toml`; `name` is the one that a project asked for.
    ///
    /// Says everything that is wrong once the text has the right shape; before that, the first thing.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<InvalidProfile>> {
        let invalid = |reason: String, range: Option<Range<usize>>| InvalidProfile {
            name: name.to_owned(),
            reason,
            range,
        };
        let profile: Self =
            toml::from_str(text).map_err(|error| vec![invalid(error.message().to_owned(), error.span())])?;
        let problems = profile.problems(name);
        if problems.is_empty() {
            return Ok(profile);
        }
        Err(problems
            .into_iter()
            .map(|(reason, what)| invalid(reason, quoted(text, &what)))
            .collect())
    }

    /// Each with the text in the file that it is about.
    fn problems(&self, name: &str) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.name != name {
            let reason = format!("its name is `{}`, but its file is named `{name}`", self.name);
            problems.push((reason, self.name.clone()));
        }
        self.folder_problems(&mut problems);
        self.placeholder_problems(&mut problems);
        if self.format == Format::Xml && self.xml.is_none() {
            let reason = "format `xml` needs a table `[xml]` with its `root`".to_owned();
            problems.push((reason, "xml".to_owned()));
        }
        for hint in self.names.iter().chain(&self.types) {
            if let Err(error) = hint.pattern.parse::<PathPattern>() {
                problems.push((error.to_string(), hint.pattern.clone()));
            }
            if hint.kind.is_none() && hint.secret.is_none() {
                let reason = format!("`{}` tells nothing: give `type` or `secret`", hint.pattern);
                problems.push((reason, hint.pattern.clone()));
            }
        }
        for hint in self.names.iter().filter(|hint| hint.pattern.contains('/')) {
            let reason = format!("`{}` is matched with names, which have no `/`", hint.pattern);
            problems.push((reason, hint.pattern.clone()));
        }
        for glob in self.references.iter().flat_map(|rule| &rule.files) {
            if let Err(error) = globset::Glob::new(glob) {
                problems.push((format!("`{glob}` is not a glob: {}", error.kind()), glob.clone()));
            }
        }
        for rule in &self.changes {
            problems.extend(rule.problem().map(|reason| (reason, rule.because.clone())));
        }
        problems.extend(self.iam.iter().flat_map(|rule| rule.problems()));
        self.probe_problems(&mut problems);
        self.protect_problems(&mut problems);
        problems
    }

    fn probe_problems(&self, problems: &mut Vec<(String, String)>) {
        if let Some(health) = &self.health {
            problems.extend(health.expected().problems(&health.path));
        }
        for (index, probe) in self.probes.iter().enumerate() {
            problems.extend(probe.problems());
            let same = |other: &Probe| other.name == probe.name && other.suite == probe.suite;
            if self.probes[..index].iter().any(same) {
                problems.push((format!("two probes are called `{}`", probe.name), probe.name.clone()));
            }
        }
    }

    fn protect_problems(&self, problems: &mut Vec<(String, String)>) {
        let Some(protect) = &self.protect else { return };
        for pattern in [&protect.mark, &protect.form] {
            match regex_lite::Regex::new(pattern) {
                Err(error) => {
                    let reason = format!("`{pattern}` is not a regular expression: {error}");
                    problems.push((reason, pattern.clone()));
                }
                Ok(regex) if regex.is_match("") => {
                    problems.push((format!("`{pattern}` matches an empty text"), pattern.clone()));
                }
                Ok(_) => {}
            }
        }
        if protect.types.is_empty() && protect.names.is_empty() && protect.paths.is_empty() {
            let reason = "`[protect]` marks no parameter: give `types`, `names` or `paths`".to_owned();
            problems.push((reason, "protect".to_owned()));
        }
    }

    fn folder_problems(&self, problems: &mut Vec<(String, String)>) {
        let folder = &self.config.folder;
        let sound = is_sound_folder(folder);
        if !sound {
            let reason =
                format!("`{folder}` must be an absolute path of a folder below `/`, without `..` or a `/` at its end");
            problems.push((reason, folder.clone()));
        }
        for above in self.config.folders.iter().filter(|_| sound) {
            let holds = folder
                .strip_prefix(above.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
            if !holds || !is_sound_folder(above) {
                problems.push((format!("`{above}` is no folder above `{folder}`"), above.clone()));
            }
        }
        if self.config.folder_mode > 0o7777 {
            let reason = format!("{} is no mode: write `0o755`", self.config.folder_mode);
            problems.push((reason, "folder-mode".to_owned()));
        }
        for id in [self.config.uid, self.config.gid] {
            if id > LARGEST_ID {
                problems.push((
                    format!("{id} is not a user or group number up to {LARGEST_ID}"),
                    id.to_string(),
                ));
            }
        }
    }

    fn placeholder_problems(&self, problems: &mut Vec<(String, String)>) {
        let syntax = &self.placeholder;
        for (what, text) in [("open", &syntax.open), ("close", &syntax.close)] {
            if text.is_empty() {
                problems.push((format!("placeholder `{what}` is empty"), what.to_owned()));
            }
        }
        if syntax.default.as_deref() == Some("") {
            problems.push((
                "placeholder `default` is empty: leave it out instead".to_owned(),
                "default".to_owned(),
            ));
        }
        let lookalikes = syntax.lookalikes.iter().map(|lookalike| &lookalike.pattern);
        let patterns = syntax.name.iter().chain(lookalikes);
        for pattern in patterns {
            match regex_lite::Regex::new(pattern) {
                Err(error) => problems.push((
                    format!("`{pattern}` is not a regular expression: {error}"),
                    pattern.clone(),
                )),
                Ok(regex) if regex.is_match("") => {
                    problems.push((format!("`{pattern}` matches an empty text"), pattern.clone()));
                }
                Ok(_) => {}
            }
        }
    }
}

/// Absolute, below the root, normal.
fn is_sound_folder(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| !rest.is_empty() && rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// Where a text stands in the file: the validated value no longer knows.
fn quoted(text: &str, what: &str) -> Option<Range<usize>> {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.find(&format!("{quote}{what}{quote}")).map(|at| at + 1))
        .or_else(|| text.find(what))
        .map(|at| at..at + what.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{BUILT_IN, ParameterType, built_in_text};

    const SMALL: &str = r#"
name = "own"
title = "Own"
format = "text"
[config]
folder = "/config"
uid = 1
gid = 1
replace = true
subfolders = true
[placeholder]
open = "${"
close = "}"
"#;

    fn reasons(text: &str) -> Vec<String> {
        let problems = ServerProfile::parse("own", text).expect_err("refused");
        problems.into_iter().map(|problem| problem.reason).collect()
    }

    #[test]
    fn each_built_in_profile_is_valid() {
        for name in BUILT_IN {
            let text = built_in_text(name).expect(name);
            assert_eq!(
                ServerProfile::parse(name, text).map(|profile| profile.name),
                Ok((*name).to_owned())
            );
        }
        assert!(ServerProfile::built_in("nothing").is_none());
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = SMALL
            .replace("/config", "/config/../etc")
            .replace("uid = 1", "uid = 4294967295")
            .replace(
                "[placeholder]",
                "[[names]]\npattern = \"a//b\"\nsecret = true\n[placeholder]\nname = \"[A-Z\"",
            );
        let problems = ServerProfile::parse("own", &text).expect_err("refused");
        assert_eq!(problems.len(), 5, "{problems:#?}");
        let places: Vec<_> = problems
            .iter()
            .filter_map(|problem| problem.range.clone().map(|range| &text[range]))
            .collect();
        assert_eq!(places, ["/config/../etc", "4294967295", "[A-Z", "a//b", "a//b"]);
    }

    #[test]
    fn an_unknown_key_and_a_wrong_name_are_refused() {
        assert!(reasons(&SMALL.replace("title", "titel"))[0].contains("titel"));
        assert!(reasons(&SMALL.replace("\"own\"", "\"other\""))[0].contains("named `own`"));
        assert!(reasons(&SMALL.replace("\"text\"", "\"xml\""))[0].contains("[xml]"));
        assert!(reasons(&format!("{SMALL}name = \".*\"\n"))[0].contains("empty text"));
    }

    #[test]
    fn listed_folders_lie_above_the_configuration() {
        let with = |line: &str| SMALL.replace("\"/config\"", &format!("\"/opt/a/config\"\n{line}"));
        assert!(ServerProfile::parse("own", &with("folders = [\"/opt/a\"]\nfolder-mode = 0o775")).is_ok());
        assert!(reasons(&with("folders = [\"/opt/a/config\"]"))[0].contains("no folder above"));
        assert!(reasons(&with("folders = [\"/op\"]"))[0].contains("no folder above"));
        assert!(reasons(&with("folder-mode = 75500"))[0].contains("0o755"));
    }

    #[test]
    fn probes_are_read_and_each_mistake_in_one_is_told() {
        let good = format!(
            "{SMALL}[[probe]]\nname = \"serving\"\nport = 1\npath = \"/serving\"\njson = {{ \"/up\" = true }}\n"
        );
        let profile = ServerProfile::parse("own", &good).expect("valid");
        let probe = &profile.probes[0];
        assert_eq!((probe.suite.as_str(), probe.status), ("boot", 200));
        assert_eq!(probe.json["/up"], true);
        let bad = good
            .replace("\"serving\"", "\"ser ving\"")
            .replace("/serving", "serving")
            .replace("/up", "up")
            .replace("port = 1\n", "port = 1\nstatus = 20\nmatches = \"(\"\n");
        let told = reasons(&bad).join("\n");
        for part in [
            "`ser ving` can't name",
            "begin with `/`",
            "JSON pointer",
            "20 is no",
            "regular expression",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn keycloak_leaves_its_own_keys_alone() {
        let profile = ServerProfile::built_in("keycloak").expect("built in");
        let name = profile.placeholder.name_expression().expect("has one");
        assert!(name.is_match("CLIENT_SECRET"));
        assert!(!name.is_match("role_uma_authorization"));
        assert!(!name.is_match("authBaseUrl"));
        assert!(
            ServerProfile::built_in("curity")
                .expect("built in")
                .placeholder
                .name_expression()
                .is_none()
        );
    }

    #[test]
    fn generic_leaves_java_properties_alone() {
        let profile = ServerProfile::built_in("generic").expect("built in");
        let name = profile.placeholder.name_expression().expect("has one");
        assert!(name.is_match("db_password") && name.is_match("DB_PASSWORD"));
        assert!(!name.is_match("carbon.management.port"));
        let silent = |text: &str| {
            let lookalikes = profile.placeholder.lookalikes.iter();
            lookalikes
                .filter(|lookalike| lookalike.help.is_none())
                .any(|lookalike| regex_lite::Regex::new(&lookalike.pattern).is_ok_and(|regex| regex.is_match(text)))
        };
        assert!(silent("${carbon.management.port}"));
        assert!(!silent("${PORT}") && !silent("${PORT:-a.b}"));
    }

    #[test]
    fn names_tell_types_the_first_hint_wins() {
        let profile = ServerProfile::built_in("curity").expect("built in");
        let hint = |name: &str| {
            let hint = profile.names.iter().find(|hint| hint.fits_name(name));
            hint.map_or((None, None), |hint| (hint.kind, hint.secret))
        };
        assert_eq!(hint("RUNTIME_BASE_URL"), (Some(ParameterType::Url), Some(false)));
        assert_eq!(hint("DB_CONNECTION"), (None, Some(true)));
        assert_eq!(hint("SIGNING_KEY"), (None, Some(true)));
        assert_eq!(hint("LICENSE_KEY"), (None, Some(true)));
        assert_eq!(hint("VERIFICATION_KEY"), (None, Some(false)));
        assert_eq!(hint("SIGNING_KEY_ID"), (None, Some(false)));
        assert_eq!(hint("DB_USERNAME"), (None, Some(false)));
        assert_eq!(hint("SMTP_PORT"), (Some(ParameterType::Port), Some(false)));
        assert_eq!(hint("OAUTH_PROXY_TYPE"), (None, None));
    }
}
