//! A real OpenBao: one that tests share, each with engines of its own, or one for a test alone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ports;
use super::project::{Project, text};

/// An OpenBao that answers, and who may do everything there.
pub(crate) struct Bao {
    /// `http://127.0.0.1:8200`
    pub(crate) address: String,
    pub(crate) root: String,
    own: Option<(Child, TempDir)>,
}

impl Drop for Bao {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.own {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `None`, said aloud, where OpenBao is not there. In a pipeline that is a failure.
fn missing<T>() -> Option<T> {
    let help = "OpenBao is needed: run ci/tools.sh, then ci/with-vault.sh cargo test";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{help}");
    #[expect(clippy::print_stderr, reason = "a reader must see that it did not run")]
    {
        eprintln!("not run: {help}");
    }
    None
}

impl Bao {
    /// The one that `ci/with-vault.sh` runs.
    pub(crate) fn shared() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        match (variable("IAMSHIP_TEST_VAULT"), variable("IAMSHIP_TEST_VAULT_TOKEN")) {
            (Some(address), Some(root)) => Some(Self {
                address,
                root,
                own: None,
            }),
            _ => missing(),
        }
    }

    /// A development server for one test, which may seal it. With `tls`, its CA is at [`Self::ca`].
    pub(crate) fn own(tls: bool) -> Option<Self> {
        if Command::new("bao").arg("version").output().is_err() {
            return missing();
        }
        for _ in 0..5 {
            let started = Self::start(tls);
            if started.is_some() {
                return started;
            }
        }
        panic!("bao does not start");
    }

    fn start(tls: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let address = ports::listener().local_addr().expect("an address").to_string();
        let mut command = Command::new("bao");
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
        command.arg(format!("-dev-listen-address={address}"));
        if tls {
            command
                .arg("-dev-tls")
                .arg(format!("-dev-tls-cert-dir={}", folder.path().display()));
        }
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        command
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .stdout(log);
        let child = command.spawn().expect("bao runs");
        let scheme = if tls { "https" } else { "http" };
        let mut bao = Self {
            address: format!("{scheme}://{address}"),
            root: "root".to_owned(),
            own: Some((child, folder)),
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let (child, folder) = bao.own.as_mut()?;
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            if log.contains("Root Token:") {
                return Some(bao);
            }
            if child.try_wait().expect("can be asked").is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// The PEM file of the CA of a server with TLS.
    pub(crate) fn ca(&self) -> String {
        let (_, folder) = self.own.as_ref().expect("a server of its own");
        let entries = std::fs::read_dir(folder.path()).expect("a folder");
        let mut names = entries.map(|entry| entry.expect("an entry").path());
        let ca = names.find(|path| path.to_str().is_some_and(|name| name.ends_with("-ca.pem")));
        ca.expect("a CA").to_str().expect("UTF-8").to_owned()
    }

    /// A name that no other test has.
    pub(crate) fn name(what: &str) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks the API; the answer must be good.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call_in("", method, path, body)
    }

    /// The same, in a namespace.
    pub(crate) fn call_in(&self, namespace: &str, method: &str, path: &str, body: &Value) -> Value {
        let host = self.address.strip_prefix("http://").expect("without TLS");
        let body = body.to_string();
        let head = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Vault-Token: {}\r\n\
             X-Vault-Namespace: {namespace}\r\nContent-Length: {}\r\n\r\n",
            self.root,
            body.len()
        );
        let mut stream = TcpStream::connect(host).expect("it listens");
        stream.write_all((head + &body).as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let good = ["HTTP/1.1 200", "HTTP/1.1 204"]
            .iter()
            .any(|good| answer.starts_with(good));
        assert!(good, "{method} {path}: {answer}");
        let document = answer
            .find('{')
            .map(|start| &answer[start..=answer.rfind('}').expect("its end")]);
        document.map_or(Value::Null, |document| serde_json::from_str(document).expect("JSON"))
    }

    /// A KV engine of this test's own; its path.
    pub(crate) fn kv(&self, version: u8) -> String {
        let name = Self::name("kv");
        let body = json!({ "type": "kv", "options": { "version": version.to_string() } });
        self.call("POST", &format!("sys/mounts/{name}"), &body);
        name
    }

    /// A transit engine with a key `iamship`; its path.
    pub(crate) fn transit(&self, kind: &str) -> String {
        let name = Self::name("transit");
        self.call("POST", &format!("sys/mounts/{name}"), &json!({ "type": "transit" }));
        self.call("POST", &format!("{name}/keys/iamship"), &json!({ "type": kind }));
        name
    }

    /// A token that may do what a policy says.
    pub(crate) fn token(&self, policy: &str) -> String {
        let name = self.policy(policy);
        let body = json!({ "policies": [name], "no_default_policy": true });
        text(&self.call("POST", "auth/token/create", &body)["auth"]["client_token"])
    }

    /// A policy's name.
    pub(crate) fn policy(&self, policy: &str) -> String {
        let name = Self::name("policy");
        self.call(
            "POST",
            &format!("sys/policies/acl/{name}"),
            &json!({ "policy": policy }),
        );
        name
    }

    /// Puts an env file's values where a stage of a project then reads them, in place of that file. `path` is with the
    /// mount; `api` is what the engine calls it.
    pub(crate) fn move_in(&self, project: &Project, stage: &str, path: &str, version: u8) -> Value {
        let (entries, _) = iamship::values::parse_secret_env("x", &project.read(&format!("secrets/{stage}.env")));
        let values = entries.iter().map(|entry| {
            let value = secrecy::ExposeSecret::expose_secret(&entry.value);
            (entry.name.to_string(), Value::from(value))
        });
        let values = Value::Object(values.collect());
        self.put(path, version, &values);
        project.edit(
            "iamship.toml",
            &format!("\"file:secrets/{stage}.env\""),
            &format!("\"vault:{path}\""),
        );
        values
    }

    /// Stores values.
    pub(crate) fn put(&self, path: &str, version: u8, values: &Value) {
        let (mount, rest) = path.split_once('/').expect("a mount");
        match version {
            1 => self.call("POST", path, values),
            _ => self.put_version(mount, rest, values),
        };
    }

    /// The second version's engine may still set itself up when it is asked first.
    fn put_version(&self, mount: &str, rest: &str, values: &Value) -> Value {
        self.call("POST", &format!("{mount}/data/{rest}"), &json!({ "data": values }))
    }
}
