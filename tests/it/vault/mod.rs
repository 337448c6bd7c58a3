//! Secrets and keys in Vault: against a real OpenBao, and against servers that are none.

mod faults;
mod logins;
mod programs;
mod secrets;
mod transit;

use serde_json::Value;

use crate::support::bao::Bao;
use crate::support::project::{Project, Run};

/// In every secret of these tests.
const CANARY: &str = "canary-vault-51c7";

/// A project whose stage `dev` has its secrets in OpenBao.
struct Scene {
    bao: Bao,
    project: Project,
    /// With the mount.
    path: String,
    values: Value,
}

impl Scene {
    fn new(version: u8) -> Option<Self> {
        let bao = Bao::shared()?;
        let mut project = Project::new();
        let path = format!("{}/iam/dev", bao.kv(version));
        project.edit("secrets/dev.env", "example-db-password-dev", CANARY);
        let values = bao.move_in(&project, "dev", &path, version);
        project.set("VAULT_ADDR", &bao.address);
        project.set("VAULT_TOKEN", &bao.root);
        Some(Self {
            bao,
            project,
            path,
            values,
        })
    }

    /// Stores the values with one changed.
    fn change(&mut self, name: &str, value: impl Into<Value>) {
        self.values[name] = value.into();
        self.bao.put(&self.path, 2, &self.values);
    }

    /// `secret/data/iam/dev`
    fn data(&self) -> String {
        let (mount, rest) = self.path.split_once('/').expect("a mount");
        format!("{mount}/data/{rest}")
    }
}

/// Runs with every trace there is, and looks that nothing of a secret is in it.
fn quiet(project: &Project, arguments: &str, code: i32) -> Run {
    let mut words: Vec<_> = arguments.split_whitespace().collect();
    words.push("-vv");
    let mut command = project.command(&words);
    command.env("IAMSHIP_LOG", "trace");
    let run = Run::of(command);
    run.expect_code(code);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(CANARY) && !text.contains("hvs."), "{text}");
    }
    run
}

/// How often a run asked Vault.
fn asked(run: &Run) -> usize {
    run.stderr.matches("asked Vault").count()
}

fn tested(project: &Project) -> Value {
    project.stage("dev")["tested"].clone()
}
