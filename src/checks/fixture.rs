//! A project, a contract and stages for the tests of rules over values.

use camino::Utf8Path;

use super::StageInput;
use super::view::View;
use crate::diagnostic::{Diagnostic, Source};
use crate::profile::ParameterType;
use crate::project::Project;
use crate::values::{Contract, ContractParameter, Place, stage_values};

/// Stages are `dev`, `staging`, `prod`; each has `env/<stage>.env` and `env:<STAGE>_`.
pub(super) struct Fixture {
    pub(super) project: Project,
    pub(super) contract: Contract,
    pub(super) stages: Vec<StageInput>,
}

const HEAD: &str = r#"
[project]
name = "idsvr"
server = "curity"
[image]
base = "example.com/base:1"
[config]
files = ["config/*.xml"]
"#;

impl Fixture {
    /// `stages`: name and text of its env file. `parameters`: `NAME`, `NAME:type`, `NAME?default`; `!` at the front
    /// makes it secret.
    pub(super) fn new(parameters: &[&str], stages: &[(&str, &str)]) -> Self {
        let mut contract = Contract {
            parameters: parameters.iter().map(|text| parameter(text)).collect(),
        };
        contract.parameters.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            project: project(stages),
            contract,
            stages: stages.iter().map(|(name, text)| stage(name, text)).collect(),
        }
    }

    /// Gives a stage a secret, from `env:<STAGE>_`.
    pub(super) fn secret(mut self, stage: &str, name: &str, value: &str) -> Self {
        let source = format!("env:{}_", stage.to_uppercase());
        let input = self
            .stages
            .iter_mut()
            .find(|input| input.name.as_str() == stage)
            .expect("stage");
        input
            .values
            .insert_secret(name.parse().expect("name"), value.into(), &source);
        self
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            project: &self.project,
            contract: &self.contract,
            stages: &self.stages,
            all_stages: &self.stages,
            bundle: None,
        }
    }

    /// What a rule finds, with its places, their lines as far as they may be shown, and its helps.
    pub(super) fn drawn(&self, rule: fn(&View<'_>) -> Vec<Diagnostic>) -> String {
        let mut drawn = String::new();
        for found in rule(&self.view()) {
            drawn += &format!("{}: {}\n", found.severity.as_str(), found.message);
            for label in found.labels {
                let source = &label.span.source;
                let line = source
                    .text()
                    .get(source.line(label.span.position().line))
                    .unwrap_or("(withheld)");
                drawn += &format!("  {} | {line} | {}\n", label.span, label.text);
            }
            for help in found.help {
                drawn += &format!("  help: {help}\n");
            }
        }
        drawn
    }

    /// What a rule finds, a line each: severity and message.
    pub(super) fn told(&self, rule: fn(&View<'_>) -> Vec<Diagnostic>) -> Vec<String> {
        let told = |found: Diagnostic| format!("{}: {}", found.severity.as_str(), found.message);
        rule(&self.view()).into_iter().map(told).collect()
    }
}

fn project(stages: &[(&str, &str)]) -> Project {
    let folder = tempfile::tempdir().expect("folder");
    let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
    std::fs::create_dir(root.join("env")).expect("folder");
    let mut file = HEAD.to_owned();
    for (name, text) in stages {
        std::fs::write(root.join(format!("env/{name}.env")), text).expect("file");
        let prefix = name.to_uppercase();
        file +=
            &format!("[[stage]]\nname = \"{name}\"\nvalues = [\"env/{name}.env\"]\nsecrets = [\"env:{prefix}_\"]\n");
    }
    std::fs::write(root.join("iamship.toml"), file).expect("file");
    Project::load(root).expect("project")
}

fn stage(name: &str, text: &str) -> StageInput {
    let (values, problems) = stage_values(&[Source::new(format!("env/{name}.env"), text)]);
    assert_eq!(problems, []);
    StageInput {
        name: name.parse().expect("stage"),
        values,
    }
}

fn parameter(text: &str) -> ContractParameter {
    let (secret, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (text, default) = match text.split_once('?') {
        Some((text, default)) => (text, Some(default.to_owned())),
        None => (text, None),
    };
    let (name, kind) = text.split_once(':').unwrap_or((text, "text"));
    let kind: ParameterType = serde_json::from_value(kind.into()).expect("type");
    ContractParameter {
        name: name.parse().expect("name"),
        kind,
        secret,
        may_be_empty: false,
        default,
        uses: 1,
        used: vec![Place {
            file: "config/base.xml".to_owned(),
            line: 12,
            column: 20,
            path: "/a/b".to_owned(),
        }],
    }
}
