//! Secrets from what a program prints: sops, op, aws, or a script of the project's own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use super::vault::named;
use super::{SecretError, SecretSource, Secrets};
use crate::program::{self, Group};
use crate::project::CommandLine;
use crate::values::parse_secret_env;

/// A program; its standard output is a JSON object or env lines.
///
/// It runs in the project's folder, with this process's environment but for what signs and pushes, in a process
/// group of its own, which ends with it.
pub struct ProgramSource {
    root: Utf8PathBuf,
    command: CommandLine,
    deadline: Duration,
}

/// The last bytes of its error output that a message may show.
const MAX_SHOWN: usize = 400;

impl ProgramSource {
    /// More output is refused, in bytes.
    pub const LARGEST: usize = 4 * 1024 * 1024;

    /// How long a program may take.
    pub const DEADLINE: Duration = Duration::from_secs(60);

    /// A program and its arguments, seen from the project's root.
    pub fn new(root: &Utf8Path, command: &CommandLine) -> Self {
        Self {
            root: root.to_owned(),
            command: command.clone(),
            deadline: Self::DEADLINE,
        }
    }

    fn unreadable(&self, because: String, help: Option<&str>) -> SecretError {
        SecretError::Unreadable {
            source_name: self.name(),
            because,
            help: help.map(str::to_owned),
        }
    }

    fn malformed(&self, because: impl Into<String>) -> SecretError {
        SecretError::Malformed {
            source_name: self.name(),
            because: because.into(),
            diagnostics: Vec::new(),
        }
    }

    fn start(&self) -> Result<Group, SecretError> {
        let program = &self.command.program;
        let started = program::command(&self.root, &self.command).spawn();
        let child = started.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SecretError::Unusable {
                source_name: self.name(),
                because: format!("there is no program `{program}`"),
                help: Some("install it, or write its path, seen from the project's folder".to_owned()),
            },
            _ => self.unreadable(format!("`{program}` can't be run: {error}"), None),
        })?;
        Ok(Group::of(child))
    }

    async fn output(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let mut group = self.start()?;
        let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
        let run = async {
            let (output, said) = futures::join!(bounded(stdout, Self::LARGEST), tail(stderr));
            let Some(output) = output else {
                return Err(self.malformed(format!("it printed more than {} MiB", Self::LARGEST >> 20)));
            };
            let status = group
                .child
                .wait()
                .await
                .map_err(|error| self.unreadable(error.to_string(), None))?;
            match status.success() {
                true => Ok(output),
                false => Err(self.failed(status, &said, &output)),
            }
        };
        let ended = tokio::time::timeout(self.deadline, run).await;
        ended.unwrap_or_else(|_| {
            let because = format!("it did not end within {} s", self.deadline.as_secs());
            Err(self.unreadable(because, Some("it must not ask anybody: its input is empty")))
        })
    }

    fn failed(&self, status: std::process::ExitStatus, said: &str, output: &[u8]) -> SecretError {
        let mut because = match status.code() {
            Some(code) => format!("it ended with {code}"),
            None => "it was killed".to_owned(),
        };
        let said = said.trim();
        // What it printed may be secrets, and some print the same twice.
        if !said.is_empty() && !repeats(said, output) {
            because = format!("{because}: {said}");
        }
        self.unreadable(because, None)
    }

    fn secrets(&self, output: &[u8]) -> Result<Secrets, SecretError> {
        let text = std::str::from_utf8(output).map_err(|_| self.malformed("it printed what is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let secrets = match text.trim_start().starts_with('{') {
            true => self.json(text)?,
            false => self.env(text)?,
        };
        // What sops writes when nobody asked it to decrypt.
        let encrypted = |text: &SecretString| text.expose_secret().starts_with("ENC[AES256_GCM,");
        match secrets.values.iter().find(|(_, text)| encrypted(text)) {
            Some((name, _)) => Err(self.malformed(format!("`{name}` is still encrypted: sops decrypts with `-d`"))),
            None => Ok(secrets),
        }
    }

    fn json(&self, text: &str) -> Result<Secrets, SecretError> {
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
            // serde's message may quote what it read.
            let (line, column) = (error.line(), error.column());
            self.malformed(format!(
                "what it printed is not a JSON object (line {line}, column {column})"
            ))
        })?;
        let entries = crate::vault::Entries::of(&object);
        // sops keeps its own notes beside the values.
        let mut structures = entries.skipped.iter().filter(|skipped| skipped.name != "sops");
        if let Some(skipped) = structures.next() {
            let name: String = skipped.name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(self.malformed(format!("`{name}` is an object or a list, and a value is a text")));
        }
        let values = entries.values.iter().map(|(name, text)| (name.as_str(), text.clone()));
        Ok(named(&self.name(), values))
    }

    fn env(&self, text: &str) -> Result<Secrets, SecretError> {
        let (entries, diagnostics) = parse_secret_env(&self.name(), text);
        if let Some(first) = diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            let place = first
                .labels
                .first()
                .map(|label| format!("{}: ", label.span))
                .unwrap_or_default();
            return Err(SecretError::Malformed {
                source_name: self.name(),
                because: format!(
                    "it printed neither a JSON object nor env lines: {place}{}",
                    first.message
                ),
                diagnostics,
            });
        }
        Ok(Secrets {
            values: entries.into_iter().map(|entry| (entry.name, entry.value)).collect(),
            warnings: diagnostics,
        })
    }
}

#[async_trait]
impl SecretSource for ProgramSource {
    fn name(&self) -> String {
        format!("exec:{}", self.command)
    }

    async fn read(&self) -> Result<Secrets, SecretError> {
        let output = self.output().await?;
        self.secrets(&output)
    }
}

/// All of a stream, if it has no more than `limit` bytes.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
    if let Some(stream) = stream {
        let _ = stream.take(limit as u64 + 1).read_to_end(&mut bytes).await;
    }
    (bytes.len() <= limit).then_some(bytes)
}

/// The end of a stream, in one line; it is read to its end, so that nobody waits for a reader.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept: Vec<u8> = Vec::new();
    if let Some(mut stream) = stream {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            kept.extend_from_slice(&chunk[..read]);
            let surplus = kept.len().saturating_sub(MAX_SHOWN);
            kept.drain(..surplus);
        }
    }
    let text = String::from_utf8_lossy(&kept);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).collect()
}

/// Whether an error output holds a line of what was printed.
fn repeats(said: &str, output: &[u8]) -> bool {
    const TELLING: usize = 6;
    let output = String::from_utf8_lossy(output);
    let pieces = output.split(|c: char| c.is_whitespace() || "=\"':,{}".contains(c));
    pieces
        .filter(|piece| piece.len() >= TELLING)
        .any(|piece| said.contains(piece))
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    fn source(script: &str) -> ProgramSource {
        let words = ["sh", "-c", script].map(str::to_owned);
        ProgramSource::new(Utf8Path::new("."), &CommandLine::of(words.into()).expect("words"))
    }

    async fn read(script: &str) -> Result<Vec<(String, String)>, SecretError> {
        let secrets = source(script).read().await?;
        let values = secrets.values.iter();
        Ok(values
            .map(|(name, text)| (name.to_string(), text.expose_secret().to_owned()))
            .collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[tokio::test]
    async fn json_and_env_lines_are_read() {
        let json = read(r#"echo '{"A":"x y","N":1.50,"B":true,"Z":null,"sops":{"mac":"m","version":"3"}}'"#);
        assert_eq!(
            json.await.expect("secrets"),
            pairs(&[("A", "x y"), ("B", "true"), ("N", "1.50")])
        );
        let env = read(r#"printf "export A='x y'\nB=2\n# c\n""#);
        assert_eq!(env.await.expect("secrets"), pairs(&[("A", "x y"), ("B", "2")]));
        assert_eq!(read("true").await.expect("none"), []);
        let named = source(r#"echo '{"db-password":"x"}'"#).read().await.expect("secrets");
        assert_eq!(named.warnings[0].code, crate::diagnostic::Code::SecretsName);
        assert_eq!(source("x").name(), "exec:sh");
    }

    #[tokio::test]
    async fn what_it_prints_is_never_shown() {
        for (script, part, is_input) in [
            ("echo hunter2; exit 3", "it ended with 3", false),
            ("echo hunter2; echo hunter2 >&2; exit 1", "it ended with 1", false),
            (
                "echo hunter2; echo no such vault >&2; exit 1",
                "it ended with 1: no such vault",
                false,
            ),
            ("printf 'x\\033[31my' >&2; exit 1", "it ended with 1: x[31my", false),
            ("kill -9 $$", "it was killed", false),
            ("echo hunter2", "neither a JSON object nor env lines", true),
            ("echo '{hunter2'", "not a JSON object (line 1", true),
            (r#"echo '{"A":{"b":"hunter2"}}'"#, "`A` is an object", true),
            ("printf 'A=hunter2\\377'", "not UTF-8", true),
            (
                r#"echo '{"A":"ENC[AES256_GCM,data:hunter2]"}'"#,
                "`A` is still encrypted",
                true,
            ),
            ("yes hunter2", "more than 4 MiB", true),
        ] {
            let error = read(script).await.expect_err(script);
            assert!(error.to_string().contains(part), "{script}: {error}");
            assert_eq!(error.is_input(), is_input, "{script}");
            assert!(!format!("{error:?}").contains("hunter2"), "{script}: {error:?}");
        }
    }

    #[tokio::test]
    async fn what_it_says_is_bounded_and_never_blocks_it() {
        let error = read("yes so much to say | head -c 1000000 >&2; exit 1")
            .await
            .expect_err("failed");
        assert!(error.to_string().len() < 600, "{error}");
    }

    #[tokio::test]
    async fn no_such_program_is_told() {
        for program in ["no-such-program", "./none"] {
            let command = CommandLine::of(vec![program.to_owned()]).expect("a word");
            let error = ProgramSource::new(Utf8Path::new("."), &command)
                .read()
                .await
                .expect_err(program);
            assert!(error.to_string().contains(&format!("no program `{program}`")) && error.is_input());
        }
    }

    #[tokio::test]
    async fn it_and_what_it_started_end_at_the_deadline() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("child");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let mut slow = source(&script);
        slow.deadline = Duration::from_millis(500);
        let began = Instant::now();
        let error = slow.read().await.expect_err("too slow");
        assert!(
            error.to_string().contains("did not end within") && !error.is_input(),
            "{error}"
        );
        assert!(began.elapsed() < Duration::from_secs(20));
        let child = std::fs::read_to_string(file).expect("the child's number");
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        // Killed; a zombie until somebody takes notice.
        while began.elapsed() < Duration::from_secs(20) && !state().is_empty() && !state().contains(") Z ") {
            tokio::task::yield_now().await;
        }
        assert!(state().is_empty() || state().contains(") Z "), "{}", state());
    }
}
