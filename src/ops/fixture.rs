//! Pieces of a project, for tests.

use crate::diagnostic::Source;
use crate::project::{EnterRules, LeaveRules, Stage, TestKind, TestSettings};

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
        },
        enter: EnterRules::default(),
        test: TestSettings {
            kind: TestKind::Static,
            suite: "static".into(),
        },
    }
}
