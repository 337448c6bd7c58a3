//! A project whose server is busybox, in a registry and on the real engine: it serves its configuration over HTTP.

use std::collections::BTreeMap;
use std::process::Command;

use bytes::Bytes;
use iamship::image::{Descriptor, Digest, Manifest, media_type};
use serde_json::{Value, json};

use super::engine::{busybox, engine};
use super::registry::TestRegistry;
use super::shop::Shop;
use super::tools::output;

/// The project, and everything that must go from the engine in the end.
pub(crate) struct Yard {
    pub(crate) shop: Shop,
    pub(crate) name: String,
    _registry: TestRegistry,
}

/// The profile of the generic server, with a health check and a command that protects.
const PROFILE: &str = r#"
[health]
port = 8080
path = "/server.yaml"
status = 200

[protect]
names = ["*_SEALED"]
mark = "^sealed:"
form = "^sealed:[A-Za-z0-9+/]+=*$"
environment = ["SEAL_KEY"]
"#;

impl Yard {
    /// A built project of this name in this run, whose stage `dev` has these lines more; `None` where there is no engine.
    pub(crate) fn new(test: &str, more: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(engine())?;
        let registry = TestRegistry::start();
        seed(&registry);
        let repository = format!("{}/iam/idsvr", registry.address());
        let base = format!("{}/vendor/idsvr:1.0", registry.address());
        let mut shop = Shop::with(&repository, &base, &super::shop::stage("dev", more));
        if let Ok(host) = std::env::var("DOCKER_HOST") {
            shop.set("DOCKER_HOST", &host);
        }
        let name = format!("yard-{test}-{}", std::process::id());
        let toml = shop.read("iamship.toml");
        let toml = toml.replace("name = \"shop\"", &format!("name = \"{name}\""));
        shop.write(
            "iamship.toml",
            &toml.replace("server = \"generic\"", "server = \"own\""),
        );
        let profile = iamship::profile::built_in_text("generic").expect("a profile");
        let profile = profile.replace("name = \"generic\"", "name = \"own\"");
        shop.write("servers/own.toml", &format!("{profile}{PROFILE}"));
        Some(Self {
            shop,
            name,
            _registry: registry,
        })
    }

    /// Replaces a text in a file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.shop.read(path);
        assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
        self.shop.write(path, &text.replace(from, to));
    }

    /// The containers of this project: name and whether it runs.
    pub(crate) fn containers(&self) -> Vec<(String, bool)> {
        let filter = format!("label=dev.iamship.project={}", self.name);
        let mut command = Command::new("docker");
        command.args(["ps", "--all", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let lines = output(&mut command);
        let mut all: Vec<_> = lines
            .lines()
            .map(|line| {
                let (name, state) = line.split_once(' ').expect("two words");
                (name.to_owned(), state == "running")
            })
            .collect();
        all.sort();
        all
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        let filter = format!("label=dev.iamship.project={}", self.name);
        let containers = Command::new("docker")
            .args(["ps", "--all", "--quiet", "--filter", &filter])
            .output();
        let images = Command::new("docker")
            .args(["images", "--quiet", "--filter", &format!("reference=*/*/{}", self.name)])
            .output();
        for (verb, found) in [("rm", containers), ("rmi", images)] {
            let ids = found
                .map(|found| String::from_utf8_lossy(&found.stdout).into_owned())
                .unwrap_or_default();
            for id in ids.split_whitespace() {
                let _ = Command::new("docker").args([verb, "--force", id]).output();
            }
        }
    }
}

/// What the engine gave a container as its environment.
pub(crate) fn environment(id: &str) -> BTreeMap<String, String> {
    let inspected = inspect(id);
    let all = inspected["Config"]["Env"].as_array().expect("variables").clone();
    let pair = |text: &Value| {
        let (name, value) = text.as_str().and_then(|text| text.split_once('=')).expect("NAME=value");
        (name.to_owned(), value.to_owned())
    };
    all.iter().map(pair).collect()
}

/// A container as the engine sees it.
pub(crate) fn inspect(id: &str) -> Value {
    let text = output(Command::new("docker").args(["inspect", id]));
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all[0].clone()
}

fn seed(registry: &TestRegistry) {
    let layer = Bytes::from(busybox());
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": {
            "User": "10001:10001", "Entrypoint": ["/bin/busybox", "sh", "-c"],
            // The first process of a container ends at a signal only if it asked for it.
            "Cmd": ["trap 'exit 0' TERM; /bin/busybox httpd -f -p 8080 -h /config & wait"],
            "Labels": { "org.opencontainers.image.version": "1.0" },
        },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(&layer)] },
        "history": [{ "created": "2026-01-01T00:00:00Z" }],
    });
    let config = Bytes::from(config.to_string());
    let document = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": Descriptor::of(media_type::OCI_CONFIG, &config),
        "layers": [Descriptor::of("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = Manifest::parse(Bytes::from(document.to_string()), None).expect("a manifest");
    registry.put_blob("vendor/idsvr", config);
    registry.put_blob("vendor/idsvr", layer);
    registry.put_manifest("vendor/idsvr", "1.0", manifest.media_type(), manifest.bytes());
}
