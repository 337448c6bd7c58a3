//! Reads `iamship.toml` into a [`Project`], saying every problem at once.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::paths::{self, PathProblem, Root};
use super::read::{Problems, Table, Value};
use super::{
    ConfigSettings, ImageSettings, Project, allowance, assets, image, oidc, owners, protect, run, server, settings,
    signing, stages, test_settings, vault,
};
use crate::diagnostic::{Code, Diagnostic, Source};

/// The project file's name.
pub const PROJECT_FILE: &str = "iamship.toml";
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
    let shown = path.strip_prefix(".").unwrap_or(path);
    let diagnostic = Diagnostic::new(Code::ProjectMissing, format!("`{shown}` {problem}"));
    match problem {
        PathProblem::Missing => {
            diagnostic.help("`iamship init` writes a starter project; `-C DIR` works in another folder")
        }
        _ => diagnostic,
    }
}

fn read_project(root: &Root, problems: &Problems) -> Option<Project> {
    let source = problems.source().clone();
    let document = problems.parse(source.text())?;
    let file = Table::root(problems, &document);

    let project = file.table("project", "`[project]`");
    let name = project.need("name", "\"idsvr\"").and_then(|value| project_name(&value));
    let server = project.need("server", "\"curity\"");
    let server = server.and_then(|value| server::resolve(root, &value));
    if file.get("project").is_none() {
        let help = "begin with `[project]`, `name = \"idsvr\"`, `server = \"curity\"`";
        problems.missing("the file has no table `[project]`", file.span(), help);
    }
    let owners = project.get("owners").and_then(|value| owners::load(root, &value));
    project.finish();

    let mut insecure = BTreeSet::new();
    let image_settings = image::read(root, &file, &mut insecure);
    let config = read_config(&file);
    let assets = assets::read(root, &file);
    let parameters = settings::read_parameters(&file);
    let signing = signing::read(root, &file);
    let vault = vault::read(&file);
    let checks = file.table("checks", "`[checks]`");
    let severities = settings::read_severities(&checks);
    let allowances = allowance::read(&checks);
    let default = image_settings.as_ref().map(|image| image.repository.clone());
    let default = default.unwrap_or_else(image::default_repository);
    let oidc = oidc::read(&file, server.as_ref());
    let known = test_settings::Known {
        server: server.as_ref(),
        is_provider: file.get("oidc").is_some(),
        // What is wrong with an `[oidc]` that can't be read is told already.
        has_clients: oidc.as_ref().is_none_or(|oidc| !oidc.clients.is_empty()),
    };
    let stages = stages::read(root, &file, &default, &signing, &mut insecure, known);
    if let Some(server) = &server {
        problems.extend(run::port_problems(server, &stages));
        problems.extend(protect::problems(server, &stages));
    }
    problems.extend(
        oidc.as_ref()
            .and_then(|oidc| test_settings::untested_provider(oidc, &stages)),
    );
    file.finish();

    Some(Project {
        root: root.path().to_owned(),
        source,
        name: name?,
        server: server?,
        owners: owners.unwrap_or_default(),
        image: ImageSettings {
            insecure,
            ..image_settings?
        },
        config: config?,
        assets,
        parameters,
        signing,
        oidc,
        vault,
        severities,
        allowances,
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

fn read_config(file: &Table<'_>) -> Option<ConfigSettings> {
    let table = file.table("config", "`[config]`");
    let files = table.need("files", "[\"config/**/*.xml\"]");
    if file.get("config").is_none() {
        let help = "say which files are the configuration: `[config]`, `files = [\"config/**/*.xml\"]`";
        file.problems()
            .missing("the file has no table `[config]`", file.span(), help);
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
        assert_eq!(stage.repositories, std::slice::from_ref(&project.image.repository));
        assert_eq!(stage.leave.tests, ["static"]);
        assert_eq!(stage.span.text(), "\"dev\"");
        assert!(project.signing.key.is_none());
    }
}
