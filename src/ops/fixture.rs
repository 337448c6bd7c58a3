//! Pieces of a project, for tests.

use camino::Utf8Path;

use crate::diagnostic::Source;
use crate::project::{EnterRules, LeaveRules, Project, RunSettings, Stage, TestKind, TestSettings};

/// A project of one stage in a folder.
pub(super) fn project_in(root: &Utf8Path, server: &str, more: &str) -> Project {
    let text = format!(
        "[project]\nname = \"idsvr\"\nserver = \"{server}\"\n[image]\nbase = \"example.com/base:1\"\n\
         [config]\nfiles = [\"config/*\"]\n{more}\n[[stage]]\nname = \"dev\"\n"
    );
    std::fs::write(root.join("iamship.toml"), text).unwrap();
    Project::load(root).unwrap()
}

/// A project of a server, without files.
pub(super) fn project(server: &str) -> Project {
    let folder = tempfile::tempdir().unwrap();
    project_in(Utf8Path::from_path(folder.path()).unwrap(), server, "")
}

pub(super) fn stage(name: &str) -> Stage {
    Stage {
        name: name.parse().unwrap(),
        span: Source::new("iamship.toml", name).span(0..name.len()),
        tag: name.parse().unwrap(),
        values: Vec::new(),
        secrets: Vec::new(),
        repositories: vec!["registry.example.com/iam/idsvr".parse().unwrap()],
        leave: LeaveRules {
            tests: vec!["static".into()],
            soak: std::time::Duration::ZERO,
        },
        enter: EnterRules::default(),
        test: TestSettings {
            kind: TestKind::Static,
            suites: vec!["static".into()],
            timeout: None,
            probes: Vec::new(),
            programs: std::collections::BTreeMap::new(),
        },
        run: RunSettings::default(),
        protect: None,
        severities: Default::default(),
    }
}
