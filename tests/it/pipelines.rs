//! The pipelines that `init --ci` writes: as their services read them, and run, step by step, on the starter project.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml_ng::Value;

use crate::support::project::Project;
use crate::support::tools::{output, tool};

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/ci").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(template(name)).expect("there")
}

fn yaml(name: &str) -> Value {
    serde_yaml_ng::from_str(&read(name)).expect("YAML")
}

/// The scripts of a job on GitHub, by the step's name.
fn github(job: &str) -> Vec<(String, String)> {
    let steps = yaml("github.yml")["jobs"][job]["steps"]
        .as_sequence()
        .expect("steps")
        .clone();
    let scripts = steps.iter().filter_map(|step| {
        let name = step["name"].as_str().unwrap_or("without a name").to_owned();
        Some((name, step["run"].as_str()?.to_owned()))
    });
    scripts.collect()
}

/// The script of a job on GitLab, as its runner joins it.
fn gitlab(job: &str) -> String {
    let lines = yaml("gitlab.yml")[job]["script"]
        .as_sequence()
        .expect("a script")
        .clone();
    let lines: Vec<_> = lines.iter().map(|line| line.as_str().expect("a text")).collect();
    lines.join("\n")
}

/// The script of a stage on Jenkins.
fn jenkins(stage: &str) -> String {
    let text = read("Jenkinsfile");
    let from = text.find(&format!("stage('{stage}')")).expect("the stage");
    let script = text[from..].split("sh '''").nth(1).expect("a script");
    script.split("'''").next().expect("its end").to_owned()
}

/// A starter project in git, as a runner checks it out: without secrets and keys.
struct Runner {
    project: Project,
    outside: tempfile::TempDir,
}

impl Runner {
    fn new() -> Self {
        let project = Project::new();
        project.edit(
            "iamship.toml",
            "\"env:SHOP_SIGNING_KEY\"\ntrusted",
            "\"file:keys/iamship.key\"\ntrusted",
        );
        let outside = tempfile::tempdir().expect("a folder");
        let mut runner = Self { project, outside };
        runner.project.set("IAMSHIP_KEY_PASSWORD", "a password of the tests");
        runner.project.run("keygen --out made").expect_code(0);
        let root = runner.project.root().to_owned();
        std::fs::rename(root.join("made.pub"), root.join("keys/iamship.pub")).expect("moved");
        std::fs::rename(root.join("made.key"), runner.outside("iamship.key")).expect("moved");
        for stage in ["dev", "staging", "prod"] {
            let from = root.join(format!("secrets/{stage}.env"));
            std::fs::rename(from, runner.outside(&format!("{stage}.env"))).expect("moved");
        }
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["add", "."],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "commit",
                "-qm",
                "one",
            ],
        ] {
            output(Command::new("git").args(arguments).current_dir(&root));
        }
        runner
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.outside.path().join(name)
    }

    /// Runs a script as a service does, with secrets as texts or as files.
    fn run(&self, script: &str, secrets: &[&str], as_files: bool) -> (bool, String) {
        let root = self.project.root();
        let bin = Path::new(env!("CARGO_BIN_EXE_iamship")).parent().expect("a folder");
        let path = std::env::var("PATH").expect("a path");
        let mut command = Command::new("bash");
        command
            .args(["-e", "-o", "pipefail", "-c", script])
            .current_dir(root)
            .env_clear()
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.outside.path())
            .env("USER", "runner")
            .env("IAMSHIP_KEY_PASSWORD", "a password of the tests")
            .env("GITHUB_WORKSPACE", root)
            .env("CI_PROJECT_DIR", root)
            .env("GITHUB_STEP_SUMMARY", self.outside("summary.md"))
            .env("BASE", "HEAD")
            .env("CI_MERGE_REQUEST_DIFF_BASE_SHA", "HEAD")
            .env("CHANGE_TARGET", "main")
            .env("ALLOW_REMOVAL", "client:*");
        for name in secrets {
            let path = match *name {
                "IAMSHIP_KEY" => self.outside("iamship.key"),
                name => self.outside(&format!("{}.env", name.trim_start_matches("SECRETS_").to_lowercase())),
            };
            match as_files {
                true => command.env(name, path),
                false => command.env(name, std::fs::read_to_string(path).expect("there").trim_end()),
            };
        }
        let ended = command.output().expect("bash runs");
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        (ended.status.success(), told)
    }

    #[track_caller]
    fn runs(&self, script: &str, secrets: &[&str], as_files: bool) {
        let (well, told) = self.run(script, secrets, as_files);
        assert!(well, "{script}\n---\n{told}");
    }

    /// prod runs what dev does, and the reports of the tests are such.
    fn has_promoted(&self) {
        let tags = self.project.store().tags();
        assert_eq!(tags.get("prod"), tags.get("dev"));
        for name in ["test-dev.xml", "test-staging.xml"] {
            let report = self.project.read(name);
            let document = roxmltree::Document::parse(&report).expect("XML");
            let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
            assert!(cases.count() > 0, "{report}");
        }
    }
}

const BUILD: &[&str] = &["IAMSHIP_KEY", "SECRETS_DEV", "SECRETS_STAGING"];
const PROMOTE: &[&str] = &["IAMSHIP_KEY", "SECRETS_STAGING", "SECRETS_PROD"];

#[test]
fn on_github_the_steps_bring_the_starter_project_to_prod() {
    let runner = Runner::new();
    for (name, script) in github("check") {
        for secrets in [&["SECRETS_DEV"][..], &[]] {
            runner.runs(&script, secrets, false);
        }
        assert!(["check", "diff"].contains(&name.as_str()), "{name}");
    }
    for name in ["iamship.sarif", "check.xml", "diff.md"] {
        assert!(runner.project.path(name).is_file(), "{name}");
    }
    // A finding fails the step, and all reports are there.
    let services = runner.project.read("config/services.xml");
    runner
        .project
        .edit("config/services.xml", "<id>web-shop</id>", "<id>#{WEB SHOP}</id>");
    let (_, check) = github("check").remove(0);
    let (well, told) = runner.run(&check, &[], false);
    assert!(!well && told.contains("::error"), "{told}");
    assert!(runner.project.read("check.xml").contains("<failure"));
    assert!(runner.project.read("iamship.sarif").contains("\"level\": \"error\""));
    runner.project.write("config/services.xml", &services);
    for (job, secrets) in [("build", BUILD), ("promote", PROMOTE)] {
        for (_, script) in github(job) {
            runner.runs(&script, secrets, false);
        }
    }
    runner.has_promoted();
}

#[test]
fn on_gitlab_the_steps_bring_the_starter_project_to_prod() {
    let runner = Runner::new();
    runner.runs(&gitlab("check"), &["SECRETS_DEV"], true);
    runner.runs(&gitlab("check"), &[], true);
    runner.runs(&gitlab("build"), BUILD, true);
    runner.runs(&gitlab("promote-prod"), PROMOTE, true);
    runner.has_promoted();
}

#[test]
fn on_jenkins_the_steps_bring_the_starter_project_to_prod_and_leave_no_secret() {
    let runner = Runner::new();
    let root = runner.project.root();
    output(
        Command::new("git")
            .args(["update-ref", "refs/remotes/origin/main", "HEAD"])
            .current_dir(root),
    );
    runner.runs(&jenkins("check"), &[], true);
    runner.runs(&jenkins("build"), BUILD, true);
    runner.runs(&jenkins("promote"), PROMOTE, true);
    runner.has_promoted();
    for name in [
        "keys/iamship.key",
        "secrets/dev.env",
        "secrets/staging.env",
        "secrets/prod.env",
    ] {
        assert!(!runner.project.path(name).exists(), "{name}");
    }
}

/// What an event says is anybody's text: in a script it would be part of the script.
#[test]
fn nothing_of_an_event_stands_in_a_script() {
    let jobs = yaml("github.yml")["jobs"].as_mapping().expect("jobs").clone();
    let mut scripts = 0;
    for job in jobs.keys().filter_map(Value::as_str) {
        for (name, script) in github(job) {
            assert!(!script.contains("${{"), "{job}, {name}: {script}");
            scripts += 1;
        }
    }
    assert!(scripts >= 5);
    // Nor in one that Groovy fills in before the shell sees it.
    assert!(!read("Jenkinsfile").contains("sh \""));
}

#[test]
fn the_services_own_schemas_take_them() {
    let Some(check) = tool("check-jsonschema") else {
        return;
    };
    for (name, arguments) in [
        ("github.yml", &["--builtin-schema", "vendor.github-workflows"][..]),
        (
            "gitlab.yml",
            &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
        ),
    ] {
        output(Command::new(&check).args(arguments).arg(template(name)));
    }
}
