//! How a trial goes, with an engine and a server that fail on demand.

mod engine;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use camino::Utf8Path;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use self::engine::{Course, FakeEngine};
use super::*;
use crate::attest::TrustedKeys;
use crate::image::Location;
use crate::ops::{Engines, Events, FingerprintKey, Keys, Stores};
use crate::probe::fake::{FakeServer, Fault, ISSUER, SECRET, nobody};
use crate::profile::ParameterType;
use crate::project::{Permission, Project};
use crate::store::{Store, StoreError};
use crate::values::{ContractParameter, stage_values};

const PROFILE: &str = r#"
name = "own"
title = "Own"
format = "text"
ports = [{ name = "runtime", port = 8080 }]
health = { port = 8080, path = "/health", status = 200, json = { "/up" = true } }
[config]
folder = "/config"
uid = 1
gid = 1
replace = true
subfolders = true
[placeholder]
open = "${"
close = "}"
[run]
read-only = true
tmpfs = ["/tmp"]
memory = 64
timeout = 5
environment = { MODE = "test" }
command = ["serve"]
[[probe]]
name = "up"
port = 8080
path = "/health"
"#;

const PROJECT: &str = r#"
[project]
name = "shop"
server = "own"
[image]
base = "example.com/base:1"
[config]
files = ["config/*"]
[oidc]
issuer = "${BASE_URL}/oauth"
[[oidc.client]]
id = "machine"
secret = "MACHINE_SECRET"
[[stage]]
name = "dev"
[stage.run]
memory = "128MiB"
[stage.test]
kind = "engine"
suite = ["boot", "oidc"]
"#;

/// Nobody asks for stores, keys or engines here.
struct World {
    trusted: TrustedKeys,
    told: Mutex<Vec<String>>,
}

impl Stores for World {
    fn open(&self, location: &Location) -> Result<Arc<dyn Store>, StoreError> {
        Err(StoreError::Unsupported {
            location: location.clone(),
            action: "testing".to_owned(),
        })
    }
}

#[async_trait]
impl Keys for World {
    fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    async fn signing_key(&self, _: Permission) -> Result<Arc<crate::attest::Signatory>, OpsError> {
        Err(OpsError::world("no key"))
    }

    async fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, OpsError> {
        Ok(None)
    }
}

#[async_trait]
impl Engines for World {
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Err(EngineError::Settings("no engine".to_owned()))
    }
}

impl Events for World {
    fn tell(&self, event: Event<'_>) {
        self.told.lock().expect("not poisoned").push(format!("{event:?}"));
    }
}

/// What a trial is made from, and what came of it.
struct Run {
    folder: tempfile::TempDir,
    server: FakeServer,
    engine: FakeEngine,
    world: World,
}

impl Run {
    async fn new(course: Course, fault: Fault) -> Self {
        Self::with_log(course, fault, b"").await
    }

    async fn with_log(course: Course, fault: Fault, log: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("servers")).expect("a folder");
        std::fs::write(folder.path().join("servers/own.toml"), PROFILE).expect("written");
        let server = FakeServer::start(fault).await;
        Self {
            folder,
            engine: FakeEngine::new(server.address, course, log),
            server,
            world: World {
                trusted: TrustedKeys::default(),
                told: Mutex::default(),
            },
        }
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).expect("UTF-8")
    }

    /// One try of the project with one change.
    async fn go(&self, from: &str, to: &str) -> Result<Tried, OpsError> {
        assert!(PROJECT.contains(from), "{from}");
        std::fs::write(self.root().join("iamship.toml"), PROJECT.replacen(from, to, 1)).expect("written");
        let project = Project::load(self.root()).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let environment = [
            ("OWN", "1"),
            ("PATH", "/usr/bin:/bin"),
            ("IAMSHIP_KEY_PASSWORD", "withheld-1"),
            ("IAMSHIP_REGISTRY_PASSWORD", "withheld-2"),
            ("VAULT_TOKEN", "withheld-3"),
            ("BAO_TOKEN", "withheld-4"),
            ("VAULT_SECRET_ID", "withheld-5"),
            ("APPROLE", "withheld-6"),
            ("PROD_DB_PASSWORD", "withheld-7"),
            ("VAULT_ADDR", "https://vault.example.com"),
        ];
        let environment = environment.map(|(name, text)| (name.into(), text.into()));
        let vault = Arc::new(crate::vault::Vault::new(
            project.vault.clone(),
            self.root().to_owned(),
            Vec::new(),
        ));
        let context = Context {
            vault: &vault,
            project: &project,
            stores: &self.world,
            keys: &self.world,
            engines: &self.world,
            environment: &environment,
            clock: Timestamp::now,
            actor: "tester",
            events: &self.world,
        };
        let (mut values, _) = stage_values(&[crate::diagnostic::Source::new(
            "dev.env",
            "BASE_URL=https://login.example.com\n",
        )]);
        values.insert_secret("MACHINE_SECRET".parse().expect("a name"), SECRET.into(), "env:X_");
        let contract = Contract {
            parameters: ["BASE_URL", "MACHINE_SECRET"].map(parameter).into(),
        };
        let stage = &project.stages[0];
        let trial = Trial {
            context: &context,
            engine: &self.engine,
            image: Digest::of(b"image"),
            digest: Digest::of(b"digest"),
            stage,
            values: &values,
            contract: &contract,
            environment: [("MACHINE_SECRET".to_owned(), SecretString::from(SECRET))].into(),
            redactor: Redactor::of(&values),
            suites: &stage.test.suites,
        };
        trial.run().await
    }

    async fn plain(&self) -> Result<Tried, OpsError> {
        self.go("dev", "dev").await
    }

    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(self.engine.seen().there, Vec::<String>::new());
    }
}

fn parameter(name: &str) -> ContractParameter {
    ContractParameter {
        name: name.parse().expect("a name"),
        kind: ParameterType::Text,
        secret: name.contains("SECRET"),
        may_be_empty: false,
        default: None,
        uses: 1,
        used: Vec::new(),
    }
}

/// Suite, check, detail of all that failed.
fn failed(tried: &Tried) -> Vec<String> {
    let start = tried.start.iter().map(|check| ("start", check));
    let suites = tried
        .suites
        .iter()
        .flat_map(|(suite, checks)| checks.iter().map(move |check| (suite.as_str(), check)));
    start
        .chain(suites)
        .filter(|(_, check)| check.has_failed())
        .map(|(suite, check)| {
            format!(
                "{suite}/{}: {}",
                check.name,
                check.detail.as_deref().unwrap_or_default()
            )
        })
        .collect()
}

fn log(tried: &Tried) -> String {
    tried
        .tails
        .iter()
        .flat_map(|tail| tail.lines.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn a_good_server_passes_and_nothing_stays() {
    let run = Run::new(Course::Runs, Fault::None).await;
    let tried = run.plain().await.expect("tried");
    assert_eq!(failed(&tried), [""; 0]);
    assert!(
        tried.start[0]
            .detail
            .as_deref()
            .is_some_and(|detail| detail.starts_with("HTTP 200, `/up` = true after "))
    );
    let names: Vec<_> = tried
        .suites
        .iter()
        .map(|(name, checks)| (name.as_str(), checks.len()))
        .collect();
    assert_eq!(names, [("boot", 1), ("oidc", 6)]);
    assert!(tried.tails.is_empty());
    run.is_clean();
    let seen = run.engine.seen();
    let spec = seen.spec.as_ref().expect("a container");
    assert!(spec.network.is_some() && !spec.is_kept && spec.limits.read_only && !spec.limits.capabilities);
    assert_eq!(spec.limits.memory, 128 << 20);
    assert_eq!(spec.command.as_deref(), Some(&["serve".to_owned()][..]));
    assert_eq!(spec.labels["dev.iamship.stage"], "dev");
    assert!(
        spec.ports
            .values()
            .all(|address| address.ip().is_loopback() && address.port() == 0)
    );
    assert_eq!(spec.environment["MACHINE_SECRET"].expose_secret(), SECRET);
    let heard = run.server.heard();
    let health = heard.iter().find(|heard| heard.line == "GET /health").expect("asked");
    assert!(
        health.host.starts_with("127.0.0.1"),
        "the engine's own look has no proxy: {health:?}"
    );
    let behind = heard.iter().filter(|heard| heard.host == "login.example.com").count();
    assert_eq!(behind, heard.len() - 1, "{heard:#?}");
}

#[tokio::test]
async fn a_server_that_boots_and_gives_no_token_fails_its_suite_only() {
    let run = Run::with_log(
        Course::Runs,
        Fault::LazyClient,
        format!("error: {SECRET} is odd\n").as_bytes(),
    )
    .await;
    let tried = run.plain().await.expect("tried");
    let failed = failed(&tried);
    assert!(failed[0].starts_with("oidc/token:machine: asked POST https://login.example.com/oauth/token; came HTTP 400 `invalid_client_metadata`"), "{failed:#?}");
    assert!(!failed.iter().any(|line| line.starts_with("boot/")), "{failed:#?}");
    assert_eq!(log(&tried), "error: *** is odd");
    assert_eq!(ISSUER, "https://login.example.com/oauth");
    run.is_clean();
}

#[tokio::test]
async fn a_server_that_ends_is_told_at_once_with_what_it_said() {
    for (course, says) in [
        (
            Course::ExitsAtOnce,
            "start/healthy: it ended with exit code 64 before it was healthy",
        ),
        (
            Course::OutOfMemory,
            "start/healthy: it ended: it took more than its 128 MiB of memory",
        ),
        (
            Course::EndsAtLook(2),
            "boot/running: it ended with exit code 1 while it was looked at",
        ),
        (
            Course::StartRefused,
            "start/started: it can't be started: exec: \"idsvr\": executable file not found",
        ),
    ] {
        let run = Run::with_log(course, Fault::None, b"can't start: no key set\n").await;
        let tried = run.plain().await.expect("tried");
        let failed = failed(&tried);
        assert!(
            failed.iter().any(|line| line.starts_with(says)),
            "{course:?}: {failed:#?}"
        );
        assert_eq!(log(&tried), "can't start: no key set", "{course:?}");
        assert_eq!(tried.suites.len(), 2, "{course:?}: each suite has a result");
        run.is_clean();
    }
}

#[tokio::test]
async fn one_that_never_gets_healthy_fails_at_its_deadline_with_the_last_answer() {
    for (fault, came) in [
        (
            Fault::NotFound,
            "came HTTP 404 (text/plain): nothing here; expected HTTP 200",
        ),
        (Fault::Slow, "came no answer"),
    ] {
        let run = Run::new(Course::Runs, fault).await;
        let tried = run
            .go("kind = \"engine\"", "kind = \"engine\"\ntimeout = \"1s\"")
            .await
            .expect("tried");
        let failed = failed(&tried);
        assert!(
            failed[0].starts_with("start/healthy: it was not healthy within 1.0 s: asked GET /health on port 8080"),
            "{failed:#?}"
        );
        assert!(failed[0].contains(came), "{failed:#?}");
        run.is_clean();
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told() {
    let mut run = Run::new(Course::Runs, Fault::None).await;
    let (_socket, free) = nobody();
    run.engine = FakeEngine::new(free, Course::Runs, b"");
    let tried = run
        .go("kind = \"engine\"", "kind = \"engine\"\ntimeout = \"1s\"")
        .await
        .expect("tried");
    assert!(
        failed(&tried)[0].contains("came no connection"),
        "{:#?}",
        failed(&tried)
    );
    assert_eq!(tried.tails[0].lines, Vec::<String>::new());
    run.is_clean();
}

#[tokio::test]
async fn an_engine_that_goes_makes_the_run_void_and_says_what_may_be_left() {
    for course in [
        Course::EngineGoneAtLook(1),
        Course::EngineGoneAtLook(2),
        Course::EngineGoneAtLook(3),
        Course::StartBroken,
    ] {
        let run = Run::new(course, Fault::None).await;
        let error = run.plain().await.expect_err("void");
        assert!(matches!(error, OpsError::World { .. }), "{course:?}: {error}");
        run.is_clean();
    }
    let run = Run::new(Course::Stays, Fault::None).await;
    assert_eq!(
        failed(&run.plain().await.expect("tried")),
        [""; 0],
        "what was seen counts"
    );
    let told = run.world.told.lock().expect("not poisoned").join("\n");
    assert!(told.contains("something may be left in the engine"), "{told}");
    assert_eq!(
        run.engine.seen().there,
        ["container"],
        "the network is tried all the same"
    );
}

#[tokio::test]
async fn a_flood_is_cut_and_a_log_that_can_not_be_read_hides_nothing() {
    let flood = "0123456789".repeat(1 << 18);
    let run = Run::with_log(
        Course::ExitsAtOnce,
        Fault::None,
        format!("{flood}\nthe end\n").as_bytes(),
    )
    .await;
    let tried = run.plain().await.expect("tried");
    let lines = &tried.tails[0].lines;
    assert!(lines.iter().map(String::len).sum::<usize>() < 2000, "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("the end"));
    let run = Run::new(Course::NoLog, Fault::LazyClient).await;
    let tried = run.plain().await.expect("tried");
    assert!(!failed(&tried).is_empty());
    assert!(log(&tried).contains("its log can't be read"));
}

#[tokio::test]
async fn a_program_is_told_where_the_server_is_and_its_report_counts() {
    let run = Run::new(Course::Runs, Fault::None).await;
    let script = run.root().join("smoke.sh");
    let written = |text: &str| {
        std::fs::write(&script, format!("#!/bin/sh\n{text}\n")).expect("written");
        let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).expect("a mode");
    };
    let suite =
        "suite = [\"smoke\", \"oidc\"]\nsuites = { smoke = { run = \"exec:sh ./smoke.sh 'a b'\", timeout = \"1s\" } }";
    let elsewhere = "[vault.login]\nmethod = \"approle\"\nrole-id = \"r\"\nsecret-id = \"env:APPROLE\"\n\
                     [[stage]]\nname = \"prod\"\nsecrets = [\"env:PROD_\"]";
    let suite = &format!("{suite}\n{elsewhere}");
    let go = || run.go("suite = [\"boot\", \"oidc\"]", suite);
    written("env | sort >seen; echo \"$1\" >>seen; exit 0");
    let tried = go().await.expect("tried");
    assert_eq!(failed(&tried), [""; 0]);
    assert_eq!(
        tried.suites[0].1[0].detail.as_deref(),
        Some("`sh` ended with exit code 0")
    );
    let seen = std::fs::read_to_string(run.root().join("seen")).expect("it ran in the project");
    let base = format!("IAMSHIP_BASE_URL=http://{}\n", run.server.address);
    let digest = format!("IAMSHIP_DIGEST={}\n", Digest::of(b"digest"));
    for line in [
        base.as_str(),
        &digest,
        "IAMSHIP_STAGE=dev\n",
        "IAMSHIP_ISSUER=https://login.example.com/oauth\n",
        "IAMSHIP_JUNIT=/",
        "OWN=1\n",
        "a b\n",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    assert!(seen.contains("VAULT_ADDR=https://vault.example.com\n"), "{seen}");
    assert!(!seen.contains("withheld") && !seen.contains(SECRET), "{seen}");
    written("echo 'it read withheld-3 withheld-7 and withheld-6 elsewhere'; exit 1");
    assert_eq!(log(&go().await.expect("tried")), "it read *** *** and *** elsewhere");
    written(
        "echo '<testsuite><testcase name=\"a\"/><testcase name=\"b\"><failure/></testcase></testsuite>' >$IAMSHIP_JUNIT; exit 1",
    );
    assert_eq!(failed(&go().await.expect("tried")), ["smoke/b: failed"]);
    written("echo '<testsuite><testcase name=\"a\"/></testsuite>' >$IAMSHIP_JUNIT; exit 3");
    assert_eq!(
        failed(&go().await.expect("tried")),
        ["smoke/smoke: `sh` ended with exit status: 3"]
    );
    written("echo '<testsuite/>' >$IAMSHIP_JUNIT; exit 0");
    assert!(failed(&go().await.expect("tried"))[0].starts_with("smoke/report: its JUnit report can't be read"));
    written(&format!("echo 'login with {SECRET} went wrong'; exit 1"));
    let tried = go().await.expect("tried");
    assert_eq!(log(&tried), "login with *** went wrong");
    assert_eq!(tried.tails[1].of, "suite `smoke`");
    written("sleep 60 & echo started; wait");
    assert_eq!(
        failed(&go().await.expect("tried")),
        ["smoke/smoke: `sh` did not end within 1.0 s"]
    );
    let error = run
        .go(
            "suite = [\"boot\", \"oidc\"]",
            &suite.replace("sh ./smoke.sh", "./none.sh"),
        )
        .await
        .expect_err("no program");
    assert!(
        matches!(&error, OpsError::Input { .. }) && error.to_string().contains("`./none.sh`"),
        "{error}"
    );
    run.is_clean();
}
