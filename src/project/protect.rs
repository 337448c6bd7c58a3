//! `[stage.protect]`: how a stage's secrets are encrypted before the server gets them.

use super::read::{Table, Value};
use super::{ProtectSettings, Stage};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::{ParameterName, ServerProfile};

pub(super) fn read(table: &Table<'_>) -> Option<ProtectSettings> {
    let value = table.get("protect")?;
    let span = value.span();
    let protect = value.table("`[stage.protect]`")?;
    let command = protect.get("command").map(|value| words(&value));
    let environment = protect.get("environment").map(Value::one_or_list).unwrap_or_default();
    let environment = environment.iter().filter_map(Value::parse::<ParameterName>).collect();
    protect.finish();
    Some(ProtectSettings {
        command: command.unwrap_or_default(),
        environment,
        span,
    })
}

fn words(value: &Value<'_>) -> Vec<String> {
    let items = value.list().unwrap_or_default();
    let words: Vec<_> = items.iter().filter_map(|item| Some(item.text()?.to_owned())).collect();
    if words.first().is_some_and(String::is_empty) || (items.is_empty() && value.is_list()) {
        let _: Option<()> = value.refuse(
            "`command` names no program",
            "write `command = [\"/opt/server/bin/protect\"]`, a program in the image".to_owned(),
        );
    }
    words
}

/// What stages want protected that the server's profile does not know, or nothing can protect.
pub(super) fn problems(server: &ServerProfile, stages: &[Stage]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for stage in stages {
        let Some(settings) = &stage.protect else { continue };
        let problem = |message: String| Diagnostic::new(Code::ProjectInvalid, message).at(settings.span.clone(), "");
        match &server.protect {
            None => {
                found.push(problem(format!("{} knows no protected values", server.title)).help(
                    "a table `[protect]` in the server's profile says which values are protected, and their form",
                ))
            }
            Some(protect) if protect.command.is_empty() && settings.command.is_empty() => found.push(
                problem(format!("no `command` protects the secrets of `{}`", stage.name)).help(
                    "name a program in the image that reads a value on stdin and writes the protected one to stdout: \
                     `command = [\"/opt/server/bin/protect\"]`",
                ),
            ),
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Folder, MINIMAL};
    use crate::project::{PROJECT_FILE, Project};

    fn load(server: &str, protect: &str) -> Result<Project, Vec<String>> {
        let folder = Folder::new();
        let text = MINIMAL.replace("curity", server);
        folder.write(PROJECT_FILE, &format!("{text}{protect}\n"));
        let messages =
            |problems: Vec<crate::diagnostic::Diagnostic>| problems.into_iter().map(|problem| problem.message);
        Project::load(folder.path()).map_err(|problems| messages(problems).collect())
    }

    #[test]
    fn a_command_and_its_keys() {
        let text = "[stage.protect]\ncommand = [\"/bin/seal\", \"-\"]\nenvironment = [\"SEAL_KEY\"]";
        let project = load("curity", text).expect("a project");
        let settings = project.stages[0].protect.as_ref().expect("settings");
        assert_eq!(settings.command, ["/bin/seal", "-"]);
        assert_eq!(settings.environment[0].as_str(), "SEAL_KEY");
    }

    #[test]
    fn what_protects_nothing_is_refused() {
        let one = |server: &str, text: &str| load(server, text).expect_err(text);
        assert_eq!(
            one("generic", "[stage.protect]\ncommand = [\"/bin/seal\"]"),
            ["a server that reads text files knows no protected values"]
        );
        assert_eq!(
            one("curity", "protect = {}"),
            ["no `command` protects the secrets of `dev`"]
        );
        assert_eq!(
            one("curity", "protect = { command = [\"\"] }"),
            ["`command` names no program"]
        );
        assert!(one("curity", "protect = { command = [] }").contains(&"`command` names no program".to_owned()));
        let told = one("curity", "protect = { comand = [\"x\"] }");
        assert!(
            told.iter().any(|message| message.contains("has no key `comand`")),
            "{told:?}"
        );
    }
}
