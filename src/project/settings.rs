//! `[parameters]` and `[checks]`: what the project says of parameters and of rules.

use std::collections::BTreeMap;

use super::read::{Table, Value};
use super::{ParameterSettings, allowance};
use crate::diagnostic::{Code, Diagnostic, Severity, nearest};
use crate::profile::{ParameterName, ParameterType};

pub(super) fn read_parameters(file: &Table<'_>) -> BTreeMap<ParameterName, ParameterSettings> {
    let table = file.table("parameters", "`[parameters]`");
    let mut parameters = BTreeMap::new();
    for (name, span, value) in table.entries() {
        let settings = parameter_settings(name, &value);
        match name.parse::<ParameterName>() {
            Ok(name) => {
                parameters.insert(name, settings.unwrap_or_default());
            }
            Err(error) => {
                let diagnostic = Diagnostic::new(Code::ProjectInvalid, error.to_string()).at(span, "");
                file.problems().push(diagnostic);
            }
        }
    }
    parameters
}

fn parameter_settings(name: &str, value: &Value<'_>) -> Option<ParameterSettings> {
    use ParameterType as Type;
    let table = value.table(&format!("parameter `{name}`"))?;
    let kinds = [
        Type::Text,
        Type::Url,
        Type::Host,
        Type::Port,
        Type::Boolean,
        Type::Integer,
        Type::PasswordHash,
        Type::Encrypted,
        Type::Pem,
    ]
    .map(|kind| (kind.as_str(), kind));
    let settings = ParameterSettings {
        secret: table.get("secret").and_then(|value| value.flag()),
        kind: table.get("type").and_then(|value| value.choice(&kinds)),
        may_be_empty: table.get("optional").and_then(|value| value.flag()).unwrap_or_default(),
        shared: table.get("shared").and_then(|value| value.flag()),
    };
    table.finish();
    Some(settings)
}

/// Codes whose findings leave nothing to go on with: a project can't wish them away.
const FIXED: &[Code] = &[
    Code::ProjectSyntax,
    Code::ProjectUnknownKey,
    Code::ProjectInvalid,
    Code::ProjectMissing,
    Code::ProfileInvalid,
    Code::LockInvalid,
    Code::FileUnreadable,
    Code::XmlMalformed,
    Code::XmlDoctype,
    Code::EnvSyntax,
    Code::ParameterMissing,
    Code::SecretsUnreadable,
    Code::SecretsUnreachable,
    Code::FilledInvalid,
];

/// What `[checks]`, or a stage's, says of codes. Its `allow` is no code.
pub(super) fn read_severities(table: &Table<'_>) -> BTreeMap<String, Option<Severity>> {
    let mut severities = BTreeMap::new();
    let choices = [
        ("off", None),
        ("warning", Some(Severity::Warning)),
        ("error", Some(Severity::Error)),
    ];
    for (name, span, value) in table.entries() {
        if name == allowance::KEY && value.is_list() {
            continue;
        }
        let severity = value.choice(&choices);
        let free = || {
            Code::ALL
                .iter()
                .filter(|code| !FIXED.contains(code))
                .map(|code| code.as_str())
        };
        let diagnostic = match Code::named(name) {
            Some(code) if FIXED.contains(&code) => {
                let message = format!("`{name}` can't be changed: nothing can be built on what it finds");
                Diagnostic::new(Code::ProjectInvalid, message)
            }
            Some(_) => {
                severities.extend(severity.map(|severity| (name.to_owned(), severity)));
                continue;
            }
            None => {
                let diagnostic = Diagnostic::new(Code::ProjectUnknownKey, format!("no check has the code `{name}`"));
                match nearest(name, free()) {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                    None => diagnostic.help("`iamship rule` lists all"),
                }
            }
        };
        table.problems().push(diagnostic.at(span, ""));
    }
    severities
}
