//! `secrets`: where a stage's secrets come from, as written.

use super::read::Value;
use super::signing::is_variable;
use super::vault::is_path;
use super::{CommandLine, SecretReference};

pub(super) fn read(value: &Value<'_>) -> Option<SecretReference> {
    if value.is_table() {
        return read_program(value);
    }
    let text = value.text()?;
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(SecretReference::File(path.into())),
        Some(("env", prefix)) if is_variable(prefix) => Some(SecretReference::Environment(prefix.to_owned())),
        Some(("env", prefix)) => value.refuse(
            format!("`{prefix}` can't begin the name of an environment variable"),
            "write a prefix: `\"env:STAGING_\"` gives `DB_PASSWORD` from `STAGING_DB_PASSWORD`".to_owned(),
        ),
        Some(("vault", path)) => vault(value, path),
        Some(("exec", command)) => match command.parse() {
            Ok(command) => Some(SecretReference::Program(command)),
            Err::<CommandLine, _>(problem) => value.refuse(
                format!("`exec:` can't run this: {problem}"),
                "quote what belongs together, or run a shell: `\"exec:sh -c 'sops -d secrets/prod.env'\"`".to_owned(),
            ),
        },
        _ => value.refuse(
            format!("`{text}` does not say where the secrets are"),
            "write `\"file:PATH\"` (an env file outside git), `\"env:PREFIX_\"`, `\"vault:PATH\"` or `\"exec:PROGRAM\"`"
                .to_owned(),
        ),
    }
}

fn vault(value: &Value<'_>, path: &str) -> Option<SecretReference> {
    let path = path.trim_matches('/');
    match is_path(path) && path.contains('/') {
        true => Some(SecretReference::Vault(path.to_owned())),
        false => value.refuse(
            format!("`{path}` is no path of a KV engine"),
            "write mount and path as for `vault kv get`: `\"vault:secret/iam/staging\"`; its keys are the parameters"
                .to_owned(),
        ),
    }
}

/// `{ exec = ["sops", "-d", "secrets/prod.json"] }`
fn read_program(value: &Value<'_>) -> Option<SecretReference> {
    let table = value.table("the secret source")?;
    let list = table.need("exec", "[\"sops\", \"-d\", \"secrets/prod.json\"]");
    table.finish();
    let list = list?;
    let items = list.list()?;
    let words: Option<Vec<String>> = items.iter().map(|word| word.text().map(str::to_owned)).collect();
    match CommandLine::of(words?) {
        Some(command) => Some(SecretReference::Program(command)),
        None => list.refuse("`exec` names no program", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;
    use crate::project::fixture::{Folder, MINIMAL};

    fn secrets(text: &str) -> Result<Vec<SecretReference>, String> {
        let folder = Folder::new();
        folder.write("iamship.toml", &format!("{MINIMAL}\nsecrets = {text}\n"));
        match Project::load(folder.path()) {
            Ok(mut project) => Ok(project.stages.pop().expect("a stage").secrets),
            Err(found) => Err(found
                .iter()
                .map(|found| found.message.clone())
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    #[test]
    fn four_kinds_in_the_order_in_which_they_win() {
        let found = secrets(
            "[\"vault:secret/iam/dev\", \"exec:sops -d 'my secrets.json'\", { exec = [\"op\", \"item get\"] }, \"env:DEV_\", \"file:x\"]",
        );
        let words = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            SecretReference::Program(CommandLine::of(words).expect("a program"))
        };
        let expected = vec![
            SecretReference::Vault("secret/iam/dev".to_owned()),
            words(&["sops", "-d", "my secrets.json"]),
            words(&["op", "item get"]),
            SecretReference::Environment("DEV_".to_owned()),
            SecretReference::File("x".into()),
        ];
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn refusals() {
        for (text, part) in [
            ("\"vault:\"", "no path"),
            ("\"vault:secret\"", "no path"),
            ("\"vault:secret/../sys\"", "no path"),
            ("\"vault:secret/a#KEY\"", "no path"),
            ("\"exec:\"", "no program"),
            ("\"exec:sops -d x | jq\"", "no shell"),
            ("{ exec = [] }", "no program"),
            ("{ exec = \"sops\" }", "must be a list"),
            ("{ run = [\"sops\"] }", "no `exec`"),
            ("\"aws:x\"", "does not say where"),
        ] {
            let told = secrets(text).expect_err(text);
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
