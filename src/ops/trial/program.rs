//! A suite that a program of the project's runs: it is told where the server is, and its JUnit report is read back.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use camino::Utf8Path;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::health::{Ports, seconds};
use super::log::Tail;
use super::{Check, Trial, provider};
use crate::ops::{OpsError, junit};
use crate::program::{self, Group};
use crate::project::{KeyReference, ProgramSuite, Project, SecretReference, TextSource, VaultLogin};
use crate::values::Redactor;

/// The largest report that is read: 64 MiB.
const MAX_REPORT_BYTES: u64 = 64 << 20;
/// The newest that is kept of what a program writes.
const MAX_OUTPUT_BYTES: usize = 64 << 10;
/// How long the output of a program that has ended is read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Beside what is withheld from every program: who has these can read every stage's secrets.
const OPENS_VAULT: [&str; 4] = ["VAULT_TOKEN", "BAO_TOKEN", "VAULT_SECRET_ID", "BAO_SECRET_ID"];

/// Runs it to its end, or to its deadline.
///
/// # Errors
/// It can't be run at all.
pub(super) async fn run(
    trial: &Trial<'_>,
    suite: &str,
    program: &ProgramSuite,
    ports: &Ports,
    tails: &mut Vec<Tail>,
) -> Result<Vec<Check>, OpsError> {
    let folder = tempfile::tempdir()?;
    let folder = Utf8Path::from_path(folder.path())
        .ok_or_else(|| OpsError::world("the folder for temporary files is not UTF-8"))?;
    let report = folder.join("junit.xml");
    let child = command(trial, program, ports, &report).spawn().map_err(|error| {
        let message = format!("suite `{suite}` can't be run: `{}`: {error}", program.command.program);
        OpsError::input(message).help(format!("see `[stage.test.suites]`, `{suite}`"))
    })?;
    let mut running = Running::of(child);
    let finished = tokio::time::timeout(program.timeout, running.finish()).await;
    let (ended, written) = match finished {
        Ok(ended) => {
            let (status, written) = ended?;
            (Some(status), written)
        }
        Err(_) => (None, running.written()),
    };
    drop(running);
    let hidden = Hidden::of(trial);
    let mut checks = read_report(&hidden, &report);
    checks.extend(verdict(suite, program, ended, &checks));
    if checks.iter().any(Check::has_failed) {
        tails.push(Tail::new(
            format!("suite `{suite}`"),
            &hidden.bytes(&written),
            &trial.redactor,
        ));
    }
    Ok(checks)
}

fn command(trial: &Trial<'_>, program: &ProgramSuite, ports: &Ports, report: &Utf8Path) -> Command {
    let mut command = program::command(trial.root(), &program.command);
    command
        .env_clear()
        .envs(inherited(trial))
        .env("IAMSHIP_DIGEST", trial.digest.to_string())
        .env("IAMSHIP_STAGE", trial.stage.name.as_str())
        .env("IAMSHIP_JUNIT", report);
    if let Some(address) = base_url(trial, ports) {
        command.env("IAMSHIP_BASE_URL", address);
    }
    if let Some(issuer) = provider::issuer(trial) {
        command.env("IAMSHIP_ISSUER", issuer);
    }
    command
}

/// The environment without what only this program needs: a suite has no use for the signing key, for what opens the
/// vault, or for other stages' secrets.
fn inherited<'a>(trial: &Trial<'a>) -> impl Iterator<Item = (&'a OsString, &'a OsString)> {
    let project = trial.context.project;
    let all = trial.context.environment.iter().map(|(name, value)| (name, value));
    all.filter(move |(name, _)| !is_ours(project, name))
}

fn is_ours(project: &Project, name: &OsStr) -> bool {
    // What is not a text names none of them.
    let Some(name) = name.to_str() else { return false };
    let is_key = matches!(&project.signing.key, Some(KeyReference::Environment(key)) if key == name);
    let mut sources = project.stages.iter().flat_map(|stage| &stage.secrets);
    let holds_secret = sources
        .any(|source| matches!(source, SecretReference::Environment(prefix) if name.starts_with(prefix.as_str())));
    program::WITHHELD.contains(&name)
        || OPENS_VAULT.contains(&name)
        || is_key
        || holds_secret
        || opens_vault(&project.vault.login, name)
}

fn opens_vault(login: &VaultLogin, name: &str) -> bool {
    let is_it = |source: &TextSource| matches!(source, TextSource::Variable(variable) if variable == name);
    match login {
        VaultLogin::Token | VaultLogin::Agent => false,
        VaultLogin::TokenFrom(token) | VaultLogin::Jwt { token, .. } => is_it(token),
        VaultLogin::AppRole { role_id, secret_id, .. } => is_it(role_id) || is_it(secret_id),
    }
}

/// What must not stand in a program's output: the stage's secrets, and what was withheld, should it find that elsewhere.
struct Hidden<'a> {
    withheld: Redactor,
    stage: &'a Redactor,
}

impl<'a> Hidden<'a> {
    fn of(trial: &'a Trial<'_>) -> Self {
        let project = trial.context.project;
        let withheld = trial
            .context
            .environment
            .iter()
            .filter(|(name, _)| is_ours(project, name));
        Self {
            withheld: Redactor::new(withheld.filter_map(|(_, value)| value.to_str())),
            stage: &trial.redactor,
        }
    }

    fn bytes(&self, written: &[u8]) -> Vec<u8> {
        self.stage.bytes(&self.withheld.bytes(written))
    }

    fn text(&self, text: &str) -> String {
        self.stage.text(&self.withheld.text(text))
    }
}

/// The issuer's port, else the first one.
fn base_url(trial: &Trial<'_>, ports: &Ports) -> Option<String> {
    let oidc = trial.context.project.oidc.as_ref().map(|oidc| oidc.port);
    let port = oidc.or_else(|| trial.profile().ports.first().map(|port| port.port))?;
    let address: &SocketAddr = ports.get(&port)?;
    let scheme = if trial.speaks_tls(port) { "https" } else { "http" };
    Some(format!("{scheme}://{address}"))
}

/// The tests of the report; nothing where the program wrote none.
fn read_report(hidden: &Hidden<'_>, path: &Utf8Path) -> Vec<Check> {
    let Ok(metadata) = std::fs::metadata(path) else {
        return Vec::new();
    };
    let bad = |why: String| {
        vec![Check::failed(
            "report",
            format!("its JUnit report can't be read: {}", hidden.text(&why)),
        )]
    };
    if metadata.len() > MAX_REPORT_BYTES {
        return bad(format!("{} bytes are over the limit", metadata.len()));
    }
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    match read.and_then(|text| junit::read(&text)) {
        Err(why) => bad(why),
        Ok(report) => {
            let name = |name: &String| hidden.text(name);
            let failed = report.failed.iter().map(|test| Check::failed(name(test), "failed"));
            let passed = report.passed.iter().map(|test| Check::passed(name(test), "passed"));
            failed.chain(passed).collect()
        }
    }
}

/// What its end says, beside its report: a runner that breaks after its tests has failed, too.
fn verdict(suite: &str, program: &ProgramSuite, ended: Option<ExitStatus>, tests: &[Check]) -> Option<Check> {
    let failed = tests.iter().any(Check::has_failed);
    match ended {
        None => Some(Check::failed(
            suite,
            format!("`{}` did not end within {}", program.command, seconds(program.timeout)),
        )),
        Some(status) if status.success() => tests
            .is_empty()
            .then(|| Check::passed(suite, format!("`{}` ended with exit code 0", program.command))),
        // Its tests say what failed.
        Some(_) if failed => None,
        Some(status) => Some(Check::failed(
            suite,
            format!("`{}` ended with {status}", program.command),
        )),
    }
}

/// A program that runs, and the newest of what it wrote.
struct Running {
    group: Group,
    output: Newest,
    errors: Newest,
}

impl Running {
    fn of(child: Child) -> Self {
        Self {
            group: Group::of(child),
            output: Newest::default(),
            errors: Newest::default(),
        }
    }

    async fn finish(&mut self) -> Result<(ExitStatus, Vec<u8>), OpsError> {
        let (output, errors) = (self.group.child.stdout.take(), self.group.child.stderr.take());
        let status = {
            let reading = async { tokio::join!(self.output.read(output), self.errors.read(errors)) };
            let mut reading = std::pin::pin!(reading);
            tokio::select! {
                status = self.group.child.wait() => {
                    // What it started may hold its output open for as long as it likes.
                    let _ = tokio::time::timeout(LAST_WORDS, &mut reading).await;
                    status?
                }
                _ = &mut reading => self.group.child.wait().await?,
            }
        };
        Ok((status, self.written()))
    }

    fn written(&self) -> Vec<u8> {
        [self.output.bytes.as_slice(), self.errors.bytes.as_slice()].concat()
    }
}

/// The newest bytes of a stream.
#[derive(Default)]
struct Newest {
    bytes: Vec<u8>,
}

impl Newest {
    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut piece = vec![0; 16 << 10];
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            self.bytes.extend_from_slice(&piece[..read]);
            if self.bytes.len() > 2 * MAX_OUTPUT_BYTES {
                self.bytes.drain(..self.bytes.len() - MAX_OUTPUT_BYTES);
                // Of a line that was cut, the rest may be the end of a secret.
                let line = self
                    .bytes
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map_or(0, |end| end + 1);
                self.bytes.drain(..line);
            }
        }
    }
}
