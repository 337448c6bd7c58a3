//! An env file for POSIX shells (`set -a; . FILE`), systemd's `EnvironmentFile=`, and our own reader.
//!
//! Single quotes where the value has none: all three take what is between them as it is. Else double quotes, in which `"`,
//! `\`, `$` and the backtick are escaped. What only some of the three could read is refused.

use super::systemd::{NONCHARACTER, is_noncharacter};
use super::{Deployment, Options, RenderError};

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let mut out = deployment.header(options);
    out.push_str(&format!("# for {}\n", deployment.reference()));
    for (name, value) in deployment.inline(options) {
        out.push_str(&format!("{name}={}\n", quoted(name, value)?));
    }
    Ok(out)
}

fn quoted(name: &str, value: &str) -> Result<String, RenderError> {
    let refuse = |because| {
        Err(RenderError::Unwritable {
            name: name.to_owned(),
            target: "env",
            because,
            instead: Some("docker"),
        })
    };
    if value.chars().any(is_noncharacter) {
        return refuse(NONCHARACTER);
    }
    if value.contains("\r\n") {
        return refuse("it has a line break of two characters in it, which some readers make one of");
    }
    if !value.contains('\'') {
        return Ok(format!("'{value}'"));
    }
    let mut out = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, inline, with_values};
    use super::*;
    use crate::diagnostic::Source;
    use crate::values::parse_env;
    use proptest::prelude::*;

    fn read_back(text: &str) -> Vec<(String, String)> {
        let (entries, problems) = parse_env(&Source::new("x.env", text));
        assert!(
            problems.iter().all(|problem| !problem.is_error()),
            "{problems:?}\n{text}"
        );
        entries
            .into_iter()
            .map(|entry| (entry.name.to_string(), entry.value))
            .collect()
    }

    /// What `sh` exports when it reads the file.
    fn by_shell(text: &str, name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.env");
        std::fs::write(&path, text).unwrap();
        let script = format!("set -a; . '{}'; exec printenv {name}", path.display());
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('\n').unwrap().to_owned()
    }

    #[test]
    fn hostile_values_are_read_back_by_a_shell_and_by_us() {
        let text = write(&deployment(), &inline()).unwrap();
        let read = read_back(&text);
        for (name, value) in HOSTILE {
            assert_eq!(by_shell(&text, name), *value, "{name}");
            assert!(
                read.contains(&((*name).to_owned(), (*value).to_owned())),
                "{name}\n{text}"
            );
        }
    }

    #[test]
    fn what_readers_read_differently_is_refused() {
        for value in ["a\r\nb", "\u{fdd0}"] {
            let error = write(&with_values(&[("X", value)]), &inline()).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the value of `X` can't be written for `env`")
            );
        }
    }

    proptest! {
        #[test]
        fn every_other_value_is_read_back(value in "(?s)[^\0]*") {
            prop_assume!(!value.contains("\r\n") && !value.chars().any(is_noncharacter));
            let text = write(&with_values(&[("X", &value)]), &inline()).unwrap();
            prop_assert_eq!(read_back(&text).pop(), Some(("X".to_owned(), value)));
        }
    }
}
