//! Reads `iamship.toml` into a [`Project`], saying every problem at once.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::paths::{self, PathProblem, Root};
use super::read::{Problems, Table, Value};
use super::{Asset, ConfigSettings, ImageSettings, ParameterSettings, Project, server, signing, stages};
use crate::diagnostic::{Code, Diagnostic, Severity, Source, nearest};
use crate::image::{Location, Reference};
use crate::profile::{ParameterName, ParameterType};

/// The project file's name.
pub const PROJECT_FILE: &str = "iamship.toml";
/// Where images go when `repository` is absent: it works with nothing installed.
const DEFAULT_REPOSITORY: &str = ".iamship/store";
/// A project file, a profile or a key of more bytes than this is a mistake.
pub(super) const LARGEST_TEXT: u64 = 1 << 20;

impl Project {
    /// Reads and checks `root/iamship.toml` and the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file.
    pub fn load(root: &Utf8Path) -> Result<Self, Vec<Diagnostic>> {
        let path = root.join(PROJECT_FILE);
        let (root, text) = Root::open(root)
            .map_err(|error| paths::problem(&error))
            .and_then(|root| Ok((root, paths::read_text(&path, LARGEST_TEXT)?)))
            .map_err(|problem| vec![unreadable(&path, &problem)])?;
        let problems = Problems::new(Source::new(PROJECT_FILE, text));
        let project = read_project(&root, &problems);
        let found = problems.into_sorted();
        match project {
            Some(project) if found.is_empty() => Ok(project),
            _ => Err(found),
        }
    }
}

fn unreadable(path: &Utf8Path, problem: &PathProblem) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::ProjectMissing, format!("`{path}` {problem}"));
    match problem {
        PathProblem::Missing => {
            diagnostic.help("`iamship init` writes a starter project; `-C DIR` works in another folder")
        }
        _ => diagnostic,
    }
}

fn read_project(root: &Root, problems: &Problems) -> Option<Project> {
    let source = problems.source().clone();
    let document = problems.parse(source.text());
    let file = Table::root(problems, &document);

    let project = file.table("project", "`[project]`");
    let name = project.need("name", "\"idsvr\"").and_then(|value| project_name(&value));
    let server = project.need("server", "\"curity\"");
    let server = server.and_then(|value| server::resolve(root, &value));
    if file.get("project").is_none() {
        let message = "the file has no table `[project]`";
        let diagnostic = Diagnostic::new(Code::ProjectMissing, message).at(file.span(), "");
        problems.push(diagnostic.help("begin with `[project]`, `name = \"idsvr\"`, `server = \"curity\"`"));
    }
    project.finish();

    let mut insecure = BTreeSet::new();
    let image = read_image(root, &file, &mut insecure);
    let config = read_config(&file);
    let assets = read_assets(root, &file);
    let parameters = read_parameters(&file);
    let signing = signing::read(root, &file);
    let severities = read_severities(&file);
    let default = image.as_ref().map(|image| image.repository.clone());
    let default = default.unwrap_or_else(|| Location::Layout(DEFAULT_REPOSITORY.into()));
    let stages = stages::read(root, &file, &default, &mut insecure);
    file.finish();

    Some(Project {
        root: root.path().to_owned(),
        source,
        name: name?,
        server: server?,
        image: ImageSettings { insecure, ..image? },
        config: config?,
        assets,
        parameters,
        signing,
        severities,
        stages,
    })
}

fn project_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let sound = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if sound {
        return Some(text.to_owned());
    }
    let message = format!("`{text}` can't name a project: up to 64 of `A-Z a-z 0-9 . _ -`, a letter or digit first");
    value.refuse(message, None)
}

fn read_image(root: &Root, file: &Table<'_>, insecure: &mut BTreeSet<String>) -> Option<ImageSettings> {
    let table = file.table("image", "`[image]`");
    if file.get("image").is_none() {
        let diagnostic = Diagnostic::new(Code::ProjectMissing, "the file has no table `[image]`").at(file.span(), "");
        let help = "say what the image is made on: `[image]`, `base = \"curity.azurecr.io/curity/idsvr:11.3.1\"`";
        file.problems().push(diagnostic.help(help));
    }
    let repository = match table.get("repository") {
        Some(value) => value.parse(),
        None => Some(Location::Layout(DEFAULT_REPOSITORY.into())),
    };
    let base = table.need("base", "\"curity.azurecr.io/curity/idsvr:11.3.1\"");
    let base = base.and_then(|value| value.parse::<Reference>());
    let ca = table.get("ca").and_then(|value| certificate_file(root, &value));
    if let Some(value) = table.get("insecure") {
        read_insecure(&value, repository.as_slice(), insecure);
    }
    table.finish();
    Some(ImageSettings {
        repository: repository?,
        base: base?,
        insecure: BTreeSet::new(),
        ca,
    })
}

/// `true` speaks of the repositories beside it; a list names registries.
pub(super) fn read_insecure(value: &Value<'_>, repositories: &[Location], insecure: &mut BTreeSet<String>) {
    if value.is_flag() {
        if value.flag() == Some(true) {
            insecure.extend(repositories.iter().filter_map(|location| match location {
                Location::Registry { registry, .. } => Some(registry.clone()),
                Location::Layout(_) => None,
            }));
        }
        return;
    }
    for item in value.list().unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        match format!("{text}/x").parse::<Location>() {
            Ok(Location::Registry { registry, .. }) if registry == text => {
                insecure.insert(registry);
            }
            _ => item
                .refuse(
                    format!("`{text}` is not a registry"),
                    "write host and port: `\"10.0.0.5:5000\"`".to_owned(),
                )
                .unwrap_or_default(),
        }
    }
}

/// Roots lie where the machine keeps them, so any path will do.
fn certificate_file(root: &Root, value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    match paths::read_bytes(&root.path().join(text), LARGEST_TEXT) {
        Ok(_) => Some(text.into()),
        Err(problem) => value.refuse_as(Code::ProjectMissing, format!("`{text}` {problem}"), None),
    }
}

fn read_config(file: &Table<'_>) -> Option<ConfigSettings> {
    let table = file.table("config", "`[config]`");
    let files = table.need("files", "[\"config/**/*.xml\"]");
    if file.get("config").is_none() {
        let diagnostic = Diagnostic::new(Code::ProjectMissing, "the file has no table `[config]`").at(file.span(), "");
        let help = "say which files are the configuration: `[config]`, `files = [\"config/**/*.xml\"]`";
        file.problems().push(diagnostic.help(help));
    }
    table.finish();
    let files = files?;
    let span = files.span();
    let items = files.one_or_list();
    if items.is_empty() {
        let diagnostic = Diagnostic::new(Code::ProjectInvalid, "`files` names no file").at(span, "");
        file.problems()
            .push(diagnostic.help("write a pattern: `files = [\"config/**/*.xml\"]`"));
        return None;
    }
    let globs: Vec<_> = items
        .iter()
        .filter_map(|item| Some((glob(item)?, item.span())))
        .collect();
    let (files, spans) = globs.into_iter().unzip();
    Some(ConfigSettings {
        files,
        span: Some(span),
        spans,
    })
}

fn glob(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if let Err(problem) = paths::plain_relative(text) {
        return value.refuse(format!("`{text}` {problem}"), None);
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    match globset::Glob::new(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => value.refuse(format!("`{text}` is not a pattern of files: {}", error.kind()), None),
    }
}

fn read_assets(root: &Root, file: &Table<'_>) -> Vec<Asset> {
    let Some(assets) = file.get("asset") else {
        return Vec::new();
    };
    let items = assets.list().unwrap_or_default();
    let asset = |value: &Value<'_>| {
        let table = value.table("`[[asset]]`")?;
        let from = table
            .need("from", "\"procedures/\"")
            .and_then(|from| asset_source(root, &from));
        let to = table.need("to", "\"/opt/idsvr/etc/init/token-procedures/\"");
        let to = to.and_then(|to| asset_target(&to));
        table.finish();
        Some(Asset { from: from?, to: to? })
    };
    items.iter().filter_map(asset).collect()
}

fn asset_source(root: &Root, value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    match root.existing(text) {
        Ok(path) => Some(path),
        Err(PathProblem::Missing) => {
            value.refuse_as(Code::ProjectMissing, format!("`{text}` {}", PathProblem::Missing), None)
        }
        Err(problem) => value.refuse(format!("`{text}` {problem}"), None),
    }
}

fn asset_target(value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    let below = text.strip_prefix('/').unwrap_or_default();
    if !text.starts_with('/') {
        let help = format!("write `to = \"/{text}\"`");
        return value.refuse(format!("`{text}` must be an absolute path in the image"), help);
    }
    let parts = below.strip_suffix('/').unwrap_or(below);
    if parts
        .split('/')
        .any(|part| matches!(part, "" | "." | "..") || part.contains('\0'))
    {
        let message = format!("`{text}` must be a path below `/`, without `.`, `..` and double `/`");
        return value.refuse(message, None);
    }
    Some(text.into())
}

fn read_parameters(file: &Table<'_>) -> BTreeMap<ParameterName, ParameterSettings> {
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
    Code::FilledInvalid,
];

fn read_severities(file: &Table<'_>) -> BTreeMap<String, Option<Severity>> {
    let table = file.table("checks", "`[checks]`");
    let mut severities = BTreeMap::new();
    let choices = [
        ("off", None),
        ("warning", Some(Severity::Warning)),
        ("error", Some(Severity::Error)),
    ];
    for (name, span, value) in table.entries() {
        let severity = value.choice(&choices);
        let free = || {
            Code::ALL
                .iter()
                .filter(|code| !FIXED.contains(code))
                .map(|code| code.as_str())
        };
        let diagnostic = match Code::ALL.iter().find(|code| code.as_str() == name) {
            Some(code) if FIXED.contains(code) => {
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
        file.problems().push(diagnostic.at(span, ""));
    }
    severities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::fixture::{Folder, MINIMAL};

    #[test]
    fn the_least_project_has_defaults_that_work_with_nothing_installed() {
        let folder = Folder::new();
        folder.write("iamship.toml", MINIMAL);
        let project = Project::load(folder.path()).expect("valid");
        assert_eq!(project.server.name, "curity");
        assert_eq!(project.image.repository.to_string(), "oci:.iamship/store");
        let stage = project.stage("dev").expect("there");
        assert_eq!(stage.tag.as_str(), "dev");
        assert_eq!(stage.repositories, [project.image.repository.clone()]);
        assert_eq!(stage.leave.tests, ["static"]);
        assert_eq!(stage.span.text(), "\"dev\"");
        assert!(project.signing.key.is_none());
    }
}
