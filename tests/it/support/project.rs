//! A project in a folder of its own, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use iamship::attest::{Algorithm, SigningKey};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;

use super::base::{Bases, Dialect};
use super::layout::LayoutFolder;

/// Where the fast tests keep their key: opening an encrypted one costs 160 ms a command.
pub(crate) const KEY_VARIABLE: &str = "SHOP_SIGNING_KEY";

/// A project that passes `check`, with a base image and a key. It goes away with the value.
pub(crate) struct Project {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a run of the program gave back.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    command: String,
}

impl Project {
    /// The starter project, with a base of one platform.
    pub(crate) fn new() -> Self {
        let project = Self::without_base();
        project.bases().image("1.0", Dialect::Oci, "base");
        project
    }

    /// The starter project; the layout `base` is for the test to fill.
    pub(crate) fn without_base() -> Self {
        let mut project = Self::empty();
        project.run("init . --quiet").expect_code(0);
        project.edit("iamship.toml", "curity.azurecr.io/curity/idsvr:11.3.1", "oci:base#1.0");
        project.edit(
            "iamship.toml",
            "\"file:keys/iamship.key\"",
            &format!("\"env:{KEY_VARIABLE}\"\ntrusted = [\"keys/iamship.pub\"]"),
        );
        let (private, public) = key_pair();
        project.write("keys/iamship.pub", &public);
        project.set(KEY_VARIABLE, &private);
        project
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: Vec::new(),
        }
    }

    /// The same files in another folder, as a second checkout has them; without the store.
    pub(crate) fn checkout(&self) -> Self {
        let other = Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: self.environment.clone(),
        };
        let mut paths: Vec<_> = walkdir::WalkDir::new(self.root())
            .into_iter()
            .map(|entry| entry.expect("can be read").into_path())
            .filter(|path| path.is_file() && !path.starts_with(self.root().join(".iamship")))
            .collect();
        // Another order of creation: a folder is then listed otherwise.
        paths.reverse();
        for path in paths {
            let name = path.strip_prefix(self.root()).expect("below").to_owned();
            let target = other.root().join(name);
            std::fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
            std::fs::copy(&path, target).expect("copied");
        }
        other
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Sets a variable for every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("can be read")
    }

    /// Replaces a text that must be in the file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}:\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Appends to a file.
    pub(crate) fn append(&self, name: &str, text: &str) {
        self.write(name, &(self.read(name) + text));
    }

    pub(crate) fn bases(&self) -> Bases {
        Bases::in_folder(&self.path("base"))
    }

    /// The project's own store.
    pub(crate) fn store(&self) -> LayoutFolder {
        LayoutFolder(self.path(".iamship/store"))
    }

    /// The program with these arguments, in this folder; its environment holds nothing of the tests' own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iamship"));
        command
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root().join("no-home"))
            .env("USER", "tester")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program; the arguments are words.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        let words: Vec<_> = arguments.split_whitespace().collect();
        Run::of(self.command(&words))
    }

    /// Runs it with `--format json`; the answer must be one document of the verb's schema, and nothing else.
    pub(crate) fn json(&self, arguments: &str, code: i32) -> Value {
        let run = self.run(&format!("{arguments} --format json"));
        run.expect_code(code);
        let document = run.document();
        let verb = arguments.split_whitespace().next().expect("a verb");
        assert_eq!(document["schema"], format!("iamship.{verb}/v1"), "{run:?}");
        document
    }

    /// Builds, which enters dev; the digest.
    pub(crate) fn build(&self) -> String {
        text(&self.json("build", 0)["digest"])
    }

    /// Tests a stage, which must pass.
    pub(crate) fn test(&self, stage: &str) {
        self.run(&format!("test {stage}")).expect_code(0);
    }

    /// Tests and promotes; the promotion's document.
    pub(crate) fn promote(&self, from: &str, to: &str) -> Value {
        self.test(from);
        self.json(&format!("promote {from} {to}"), 0)
    }

    /// Changes the configuration, so that the next build is another image.
    pub(crate) fn change_configuration(&self, mark: &str) {
        self.append("config/services.xml", &format!("<!-- {mark} -->\n"));
    }

    /// The verdicts of a promotion's document, by gate.
    pub(crate) fn held(document: &Value) -> Vec<String> {
        let gates = document["gates"].as_array().expect("gates");
        let held = gates.iter().filter(|gate| gate["verdict"] == "hold");
        held.map(|gate| text(&gate["gate"])).collect()
    }

    /// One stage of `status`.
    pub(crate) fn stage(&self, name: &str) -> Value {
        let status = self.json("status", 0);
        let stages = status["stages"].as_array().expect("stages").clone();
        stages
            .into_iter()
            .find(|stage| stage["name"] == name)
            .expect("the stage")
    }
}

impl Run {
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().expect("the program runs");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            command: format!("{:?}", command.get_args().collect::<Vec<_>>()),
        }
    }

    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The one document on stdout.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command and kills it after a while; whether it was killed before it ended.
pub(crate) fn kill_after(mut command: Command, delay: Duration) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program runs");
    std::thread::sleep(delay);
    let ended = child.try_wait().expect("can be asked").is_some();
    // On Unix this is SIGKILL: nothing is tidied up.
    let _ = child.kill();
    child.wait().expect("it ends");
    !ended
}

/// A private and a public key as PEM.
pub(crate) fn key_pair() -> (String, String) {
    let key = SigningKey::generate(Algorithm::P256).expect("a key");
    let private = key.to_plain_pem().expect("PEM").expose_secret().to_owned();
    (private, key.public_key().to_pem())
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// Whether this is `sha256:<64 hex>`.
pub(crate) fn is_digest(value: &Value) -> bool {
    let hex = value.as_str().and_then(|text| text.strip_prefix("sha256:"));
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Whether this is a time as RFC 3339 in UTC.
pub(crate) fn is_time(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}

/// Digests, versions and times are different each time.
pub(crate) fn masked(text: &str) -> String {
    let patterns = [
        (r"sha256:[0-9a-f]{64}", "sha256:…"),
        (r"1\.0-[0-9a-f]{12}", "1.0-…"),
        (r"\b[0-9a-f]{12}\b", "…"),
        (r"\d{4}-\d\d-\d\d-\d+", "DAY-N"),
        (r"\d{4}-\d\d-\d\d[T ][0-9:]+Z?", "TIME"),
    ];
    patterns.iter().fold(text.to_owned(), |text, (pattern, by)| {
        regex_lite::Regex::new(pattern)
            .expect("a pattern")
            .replace_all(&text, *by)
            .into_owned()
    })
}
