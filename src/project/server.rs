//! Finds the server profile that a project names: its own file first, then the built-in ones.

use super::load::LARGEST_TEXT;
use super::paths::{self, PathProblem, Root};
use super::read::{Value, listed};
use crate::diagnostic::{Code, Diagnostic, Source, nearest};
use crate::profile::{BUILT_IN, InvalidProfile, ServerProfile};

/// The profile called `value`; what is wrong is reported at the place that it is about.
pub(super) fn resolve(root: &Root, value: &Value<'_>) -> Option<ServerProfile> {
    let name = value.text()?;
    let sound = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !sound {
        let message = format!("`{name}` can't name a server profile: letters, digits, `-` and `_`");
        return value.refuse(message, format!("built-in profiles: {}", listed(BUILT_IN)));
    }
    let path = format!("servers/{name}.toml");
    match root.existing_file(&path) {
        Ok(relative) => read(root, value, name, relative.as_str()),
        Err(PathProblem::Missing) => ServerProfile::built_in(name).or_else(|| unknown(value, name, &path)),
        Err(problem) => value.refuse_as(Code::ProfileInvalid, format!("`{path}` {problem}"), None),
    }
}

fn unknown(value: &Value<'_>, name: &str, path: &str) -> Option<ServerProfile> {
    let help = match nearest(name, BUILT_IN.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "built-in profiles: {}; another one is a file `{path}`",
            listed(BUILT_IN)
        ),
    };
    value.refuse(format!("no server profile is called `{name}`"), help)
}

fn read(root: &Root, value: &Value<'_>, name: &str, path: &str) -> Option<ServerProfile> {
    let text = match paths::read_text(&root.path().join(path), LARGEST_TEXT) {
        Ok(text) => text,
        Err(problem) => return value.refuse_as(Code::ProfileInvalid, format!("`{path}` {problem}"), None),
    };
    match ServerProfile::parse(name, &text) {
        Ok(profile) => Some(profile),
        Err(invalid) => {
            let source = Source::new(path, text);
            value
                .problems()
                .extend(invalid.iter().map(|invalid| diagnostic(invalid, &source)));
            None
        }
    }
}

fn diagnostic(invalid: &InvalidProfile, source: &Source) -> Diagnostic {
    let span = source.span(invalid.range.clone().unwrap_or_default());
    Diagnostic::new(Code::ProfileInvalid, invalid.to_string()).at(span, "")
}
