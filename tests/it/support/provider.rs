//! The project `tests/projects/provider`: a real identity server, and the program run on it with a real engine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iamship::attest::{Algorithm, SigningKey};
use iamship::image::Digest;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::DecodePrivateKey as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::bao::Bao;
use super::project::{Project, key_pair, text};
use super::registry::TestRegistry;

/// The stages, in order.
pub(crate) const STAGES: [&str; 3] = ["dev", "staging", "prod"];
/// The parameters that are secrets.
const SECRETS: [&str; 5] = [
    "COOKIE_KEY",
    "ORDERS_SERVICE_SECRET",
    "REPORTS_SERVICE_SECRET",
    "API_GATEWAY_SECRET",
    "WEB_SHOP_SECRET",
];
const KEY_VARIABLE: &str = "PROVIDER_SIGNING_KEY";
/// Where the project, as it is kept, has the secrets of `staging`.
pub(crate) const VAULT_PATH: &str = "secret/provider/staging";
const REPOSITORY: &str = "iam/provider";
/// The base's own files are larger.
const LARGEST_LOOKED_AT: u64 = 10_000_000;

/// The project in a folder of its own. Its digest is no other test's; what the engine was given goes with the value.
pub(crate) struct Provider {
    pub(crate) project: Project,
    pub(crate) engine: DockerCommand,
    /// Where the secrets of `staging` are; in a file without it.
    pub(crate) vault: Option<Bao>,
    /// Where the images go; into the project's own store without it.
    pub(crate) registry: Option<TestRegistry>,
    /// By stage: parameter and value.
    secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// What is nobody's parameter, or was one's value once.
    others: Vec<String>,
    key: String,
}

/// A run of the program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) process: u32,
}

impl Provider {
    /// `None`, said aloud, where there is no engine or no base image; in a pipeline that is a failure.
    pub(crate) fn new() -> Option<Self> {
        Self::make(None, None)
    }

    /// The same, with `staging` as it is kept: its secrets are in an OpenBao. The images go to a registry.
    pub(crate) fn with_vault() -> Option<Self> {
        prepared().as_ref()?;
        Self::make(Some(Bao::own(false)?), Some(TestRegistry::start()))
    }

    fn make(vault: Option<Bao>, registry: Option<TestRegistry>) -> Option<Self> {
        let (engine, base) = prepared().as_ref()?;
        let mut project = Project::empty();
        copy_project(project.root());
        project.edit("iamship.toml", "oci:base#1.0", base);
        let key = format!("\"env:{KEY_VARIABLE}\"\ntrusted = [\"keys/iamship.pub\"]");
        project.edit("iamship.toml", "\"file:keys/iamship.key\"", &key);
        let mark = project
            .root()
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        project.append("config/server.yaml", &format!("# {mark}\n"));
        let (key, public) = key_pair();
        project.write("keys/iamship.pub", &public);
        project.set(KEY_VARIABLE, &key);
        project.set("DOCKER_HOST", &engine.host);
        let mut others = Vec::new();
        if let Some(bao) = &vault {
            let (mount, rest) = VAULT_PATH.split_once('/').expect("a mount");
            let policy = format!("path \"{mount}/data/{rest}\" {{ capabilities = [\"read\"] }}");
            let token = bao.token(&policy);
            project.set("VAULT_ADDR", &bao.address);
            project.set("VAULT_TOKEN", &token);
            others.push(token);
        } else {
            let path = format!("vault:{VAULT_PATH}");
            project.edit("iamship.toml", &path, "file:secrets/staging.env");
        }
        if let Some(registry) = &registry {
            let repository = format!("[image]\nrepository = \"{}/{REPOSITORY}\"", registry.address());
            project.edit("iamship.toml", "[image]", &repository);
        }
        let secrets = STAGES.map(|stage| (stage.to_owned(), stage_secrets(stage, &mark)));
        let provider = Self {
            project,
            engine: engine.clone(),
            vault,
            registry,
            secrets: secrets.into(),
            others,
            key,
        };
        STAGES.iter().for_each(|stage| provider.write_secrets(stage));
        Some(provider)
    }

    /// Gives a stage another secret, or takes it away.
    pub(crate) fn set_secret(&mut self, stage: &str, name: &str, value: Option<&str>) {
        let secrets = self.secrets.get_mut(stage).expect("a stage");
        let former = match value {
            Some(value) => secrets.insert(name.to_owned(), value.to_owned()),
            None => secrets.remove(name),
        };
        self.others.extend(former);
        self.write_secrets(stage);
    }

    fn write_secrets(&self, stage: &str) {
        if let (Some(bao), "staging") = (&self.vault, stage) {
            bao.put(VAULT_PATH, 2, &json!(self.secrets[stage]));
            return;
        }
        let lines = self.secrets[stage]
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        let file = format!("secrets/{stage}.env");
        self.project.write(&file, &lines.collect::<String>());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let owner_only = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(self.project.path(&file), owner_only).expect("a mode");
        }
    }

    /// Starts the program.
    pub(crate) fn start(&self, line: &str) -> Running {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut command = self.project.command(&words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("the program starts"))
    }

    /// Runs the program to its end: it must leave nothing in the engine and show no secret.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Ended {
        let ended = self.start(line).end();
        self.is_clean(&ended);
        ended
    }

    /// Runs it and reads its JSON.
    #[track_caller]
    pub(crate) fn json(&self, line: &str, code: i32) -> Value {
        let ended = self.run(&format!("{line} --format json")).ends(code);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// Builds; the digest.
    #[track_caller]
    pub(crate) fn build(&self) -> String {
        text(&self.json("build", 0)["digest"])
    }

    /// Fails the test when a run left something in the engine, or said a secret.
    #[track_caller]
    pub(crate) fn is_clean(&self, ended: &Ended) {
        assert_eq!(self.engine.left_by(ended.process), Vec::<String>::new(), "{ended:?}");
        for text in [&ended.stdout, &ended.stderr] {
            assert_eq!(self.secrets_in(text.as_bytes()), Vec::<String>::new(), "{text}");
        }
    }

    /// Which secrets stand in there, in the form in which somebody could use them.
    pub(crate) fn secrets_in(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let stages = self.secrets.iter();
        let each = stages.flat_map(|(stage, all)| all.iter().map(move |(name, value)| (stage, name, value)));
        let found = each.filter(|(_, _, value)| value.len() > 8 && text.contains(value.as_str()));
        let mut found: Vec<_> = found.map(|(stage, name, _)| format!("{name} of {stage}")).collect();
        // The private part of a key set counts alone.
        for (stage, secrets) in &self.secrets {
            let set = secrets.get("SIGNING_KEYS").map_or("", String::as_str);
            let set: Value = serde_json::from_str(set).unwrap_or_default();
            if set["keys"][0]["d"]
                .as_str()
                .is_some_and(|private| text.contains(private))
            {
                found.push(format!("private key of {stage}"));
            }
        }
        if self.key.lines().nth(1).is_some_and(|line| text.contains(line)) {
            found.push(KEY_VARIABLE.to_owned());
        }
        let others = self.others.iter().filter(|other| text.contains(other.as_str()));
        found.extend(others.map(|_| "a token or a former secret".to_owned()));
        found
    }

    /// Which secrets stand in the project's files, its store and its registry, compressed or not.
    pub(crate) fn secrets_kept(&self) -> Vec<String> {
        let mut found = Vec::new();
        let files = walkdir::WalkDir::new(self.project.root()).into_iter();
        for entry in files.filter_entry(|entry| entry.file_name() != "secrets") {
            let entry = entry.expect("can be read");
            if entry.file_type().is_file() && entry.metadata().expect("metadata").len() < LARGEST_LOOKED_AT {
                let bytes = std::fs::read(entry.path()).expect("can be read");
                let secrets = self.secrets_in(&plain(&bytes)).into_iter();
                found.extend(secrets.map(|secret| format!("{secret} in {}", entry.path().display())));
            }
        }
        let held = self.registry.iter().flat_map(TestRegistry::everything);
        for bytes in held.filter(|bytes| (bytes.len() as u64) < LARGEST_LOOKED_AT) {
            let secrets = self.secrets_in(&plain(&bytes)).into_iter();
            found.extend(secrets.map(|secret| format!("{secret} in the registry")));
        }
        found
    }

    /// The engine's own id of the image that was built, once it has it.
    pub(crate) fn image(&self) -> Option<String> {
        let (digest, manifest) = match &self.registry {
            Some(registry) => {
                let manifest = registry.manifest(REPOSITORY, "dev")?;
                let digest = Digest::of(&manifest).to_string();
                (digest, serde_json::from_slice(&manifest).expect("JSON"))
            }
            None => {
                let store = self.project.store();
                let digest = store.tag("dev")?;
                let manifest = store.json(&digest);
                (digest, manifest)
            }
        };
        let config = text(&manifest["config"]["digest"]);
        [config, digest].into_iter().find(|id| self.engine.has_image(id))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let is_built = self.registry.is_some() || self.project.path(".iamship/store/index.json").exists();
        if is_built && let Some(id) = self.image() {
            self.engine.try_run(&["image", "rm", "--force", &id]);
        }
    }
}

/// A run of the program that goes on; it is killed with the value.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let process = self.process();
        // Both are small: a pipe holds them.
        let output = std::mem::replace(&mut self.0, nothing())
            .wait_with_output()
            .expect("it ends");
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            process,
        }
    }

    /// `INT`, `TERM`, `KILL`
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process().to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "the program has ended already");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn nothing() -> Child {
    Command::new("true").spawn().expect("a process")
}

impl Ended {
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(text), "`{text}` is not in:\n{all}");
        self
    }
}

/// The engine, looked at through Docker's own command.
#[derive(Clone, Debug)]
pub(crate) struct DockerCommand {
    pub(crate) host: String,
}

impl DockerCommand {
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Option<String> {
        let mut docker = Command::new("docker");
        let output = docker.args(arguments).env("DOCKER_HOST", &self.host).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments)
            .unwrap_or_else(|| panic!("docker {arguments:?} failed"))
    }

    pub(crate) fn has_image(&self, id: &str) -> bool {
        self.try_run(&["image", "inspect", "--format", "{{.Id}}", id]).is_some()
    }

    /// The containers that a process has now, running or not.
    pub(crate) fn containers_of(&self, process: u32) -> Vec<String> {
        self.labelled(&["container", "ls", "--all"], process)
    }

    /// Containers and networks that carry a process's label.
    pub(crate) fn left_by(&self, process: u32) -> Vec<String> {
        let mut left = self.containers_of(process);
        left.extend(self.labelled(&["network", "ls"], process));
        left
    }

    fn labelled(&self, list: &[&str], process: u32) -> Vec<String> {
        let format = "{{.ID}} {{.Label \"dev.iamship.process\"}}";
        let listed = self.run(
            &[
                list,
                &[
                    "--no-trunc",
                    "--filter",
                    "label=dev.iamship.process",
                    "--format",
                    format,
                ],
            ]
            .concat(),
        );
        let middle = format!("/{process}/");
        let own = listed.lines().filter(|line| line.contains(&middle));
        own.filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
            .collect()
    }

    /// What the engine tells of since then, one JSON document a line.
    pub(crate) fn events_since(&self, seconds: u64) -> String {
        let (since, until) = (seconds.to_string(), now().to_string());
        self.run(&["events", "--since", &since, "--until", &until, "--format", "{{json .}}"])
    }
}

/// What a blob holds, uncompressed.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let unpacked = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut text);
    match unpacked {
        Ok(_) => text,
        Err(_) => bytes.to_vec(),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// Asks until something is there.
pub(crate) fn wait_for<T>(what: &str, within: Duration, ask: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The engine and the base image; asked for once.
fn prepared() -> &'static Option<(DockerCommand, String)> {
    static PREPARED: OnceLock<Option<(DockerCommand, String)>> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let prepared = find_engine().and_then(|engine| Ok((engine, make_base()?)));
        prepared.map_err(|why| not_run(&why)).ok()
    })
}

fn find_engine() -> Result<DockerCommand, String> {
    let is_given = std::env::var("IAMSHIP_TEST_ENGINE").is_ok_and(|value| !value.is_empty());
    let host = std::env::var("DOCKER_HOST").ok().filter(|_| is_given);
    let host = host.ok_or_else(|| "an engine is needed".to_owned())?;
    let engine = DockerCommand { host };
    match engine.try_run(&["version", "--format", "{{.Server.Version}}"]) {
        Some(_) => Ok(engine),
        None => Err(format!("no engine answers at {}, or there is no `docker`", engine.host)),
    }
}

fn make_base() -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provider-base");
    let made = Command::new(root.join("ci/provider-base.sh")).arg(&folder).output();
    let made = made.map_err(|error| error.to_string())?;
    match made.status.success() {
        true => Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&made.stderr).trim().to_owned()),
    }
}

fn not_run(why: &str) {
    let help = format!("{why}: run ci/tools.sh, then ci/with-engine.sh cargo test");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{help}");
    // Past the test harness, which would keep it to itself.
    let _ = writeln!(std::io::stderr(), "not run: {help}");
}

/// The project as it is kept, without the server's own source.
fn copy_project(target: &Path) {
    let source: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/provider");
    let entries = walkdir::WalkDir::new(&source).min_depth(1).into_iter();
    for entry in entries.filter_entry(|entry| entry.file_name() != "server") {
        let entry = entry.expect("can be read");
        let target = target.join(entry.path().strip_prefix(&source).expect("below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a folder");
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// No two stages have the same, and no two tests.
fn stage_secrets(stage: &str, mark: &str) -> BTreeMap<String, String> {
    let plain = SECRETS.iter().map(|name| {
        let value = format!("{stage}-{mark}-{}", name.to_lowercase().replace('_', "-"));
        ((*name).to_owned(), value)
    });
    let keys = ("SIGNING_KEYS".to_owned(), key_set(stage).to_string());
    let protect = (stage == "prod").then(|| ("PROTECT_KEY".to_owned(), format!("{stage}-{mark}-protect-key")));
    plain.chain([keys]).chain(protect).collect()
}

/// A JWKS with one private key.
pub(crate) fn key_set(name: &str) -> Value {
    let key = SigningKey::generate(Algorithm::P256).expect("a key");
    let pem = key.to_plain_pem().expect("PEM");
    let key = p256::SecretKey::from_pkcs8_pem(pem.expose_secret()).expect("a key");
    let public = key.public_key().to_sec1_point(false);
    let (x, y) = (public.x().expect("x"), public.y().expect("y"));
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": name,
        "x": text(x), "y": text(y), "d": text(&key.to_bytes()),
    }]})
}
