//! A real engine, and an image small enough to be loaded often.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use iamship::engine::{
    ContainerId, ContainerSpec, ContainerState, Docker, Endpoint, Engine, EnginePatience, Limits, LogBounds, Phase,
};
use iamship::image::{Descriptor, Digest, Manifest, Target};
use iamship::ops::load_image::{Loaded, load_image};
use iamship::ops::{Event, Events};
use iamship::store::{Layout, Store, read_blob};
use serde_json::json;

/// Statically linked, so that it needs nothing else in its image.
const BUSYBOX: &str = "/bin/busybox";

/// Enough of a log for a test.
pub(crate) const BOUNDS: LogBounds = LogBounds {
    lines: 100,
    bytes: 4096,
    within: Duration::from_secs(30),
};

/// A connection of its own to the engine that tests use, as one run of the program has it; `None`, said aloud, where
/// there is none. In a pipeline that is a failure.
pub(crate) async fn engine() -> Option<Docker> {
    let is_given = std::env::var("IAMSHIP_TEST_ENGINE").is_ok_and(|value| !value.is_empty());
    if is_given && std::path::Path::new(BUSYBOX).exists() {
        let endpoint = Endpoint::find(|name| std::env::var_os(name)).expect("an engine is named");
        return Some(
            Docker::connect(&endpoint, EnginePatience::default())
                .await
                .expect("an engine"),
        );
    }
    let help = "an engine is needed, and busybox-static: run ci/tools.sh, then ci/with-engine.sh cargo test";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{help}");
    // Past the test harness, which would keep it to itself.
    let _ = writeln!(std::io::stderr(), "not run: {help}");
    None
}

/// A store with one image of two layers: busybox, and a file that makes it differ from others.
pub(crate) struct Shelf {
    folder: tempfile::TempDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) manifest: Manifest,
}

impl Shelf {
    pub(crate) async fn new(content: &str) -> Self {
        Self::of([busybox(), files(&[("content", content.as_bytes(), 0o644)])]).await
    }

    /// Without busybox, for engines that run nothing.
    pub(crate) async fn plain(content: &str) -> Self {
        Self::of([
            files(&[("base", b"base", 0o644)]),
            files(&[("content", content.as_bytes(), 0o644)]),
        ])
        .await
    }

    /// With these layers.
    async fn of(archives: [Vec<u8>; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("images")).expect("UTF-8");
        let store: Arc<dyn Store> = Arc::new(Layout::open_or_create(path).expect("a layout"));
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for archive in archives {
            diff_ids.push(Digest::of(&archive));
            layers.push(put(&*store, "application/vnd.oci.image.layer.v1.tar+gzip", gzip(&archive)).await);
        }
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": { "User": "10001:10001", "Env": ["PATH=/bin"], "Entrypoint": ["/bin/busybox"], "Cmd": ["true"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = put(
            &*store,
            "application/vnd.oci.image.config.v1+json",
            config.to_string().into(),
        )
        .await;
        let document = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": layers,
        });
        let manifest = Manifest::parse(Bytes::from(document.to_string()), None).expect("a manifest");
        let target = Target::from(manifest.digest());
        store.push_manifest(&manifest, &target).await.expect("stored");
        Self {
            folder,
            store,
            manifest,
        }
    }

    /// Content that no other run has.
    pub(crate) async fn unique() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self::new(&format!("{} {:?}", std::process::id(), now.expect("a time"))).await
    }

    /// The digests of the layers' contents.
    pub(crate) async fn diff_ids(&self) -> Vec<Digest> {
        let config = &self.manifest.image().expect("an image").config;
        let config = read_blob(&*self.store, config, 1 << 20).await.expect("a configuration");
        let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
        serde_json::from_value(config["rootfs"]["diff_ids"].clone()).expect("digests")
    }

    /// Where a blob's bytes lie.
    pub(crate) fn blob(&self, digest: Digest) -> std::path::PathBuf {
        self.folder.path().join("images/blobs/sha256").join(digest.hex())
    }

    pub(crate) async fn load(&self, engine: &dyn Engine) -> Loaded {
        let loaded = load_image(&Heard::default(), engine, &self.store, &self.manifest, "tests").await;
        loaded.expect("loaded")
    }
}

/// Hears what happens.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Events for Heard {
    fn tell(&self, event: Event<'_>) {
        self.0.lock().expect("not poisoned").push(format!("{event:?}"));
    }
}

async fn put(store: &dyn Store, media_type: &str, bytes: Vec<u8>) -> Descriptor {
    let descriptor = Descriptor::of(media_type, &bytes);
    store.push_blob(&descriptor, &Bytes::from(bytes)).await.expect("stored");
    descriptor
}

pub(crate) fn busybox() -> Vec<u8> {
    let program = std::fs::read(BUSYBOX).expect("busybox-static");
    files(&[
        ("bin/busybox", &program, 0o755),
        ("etc/passwd", b"test:x:10001:10001::/:/bin/sh\n", 0o644),
    ])
}

fn files(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        archive.append_data(&mut header, path, *content).expect("an entry");
    }
    archive.into_inner().expect("an archive")
}

fn gzip(archive: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(archive).expect("compressed");
    gzip.finish().expect("compressed")
}

/// A container of busybox that runs a shell script.
pub(crate) fn shell(image: Digest, script: &str) -> ContainerSpec {
    ContainerSpec {
        image,
        name: None,
        labels: BTreeMap::new(),
        is_kept: false,
        environment: BTreeMap::new(),
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]),
        entrypoint: None,
        network: None,
        ports: BTreeMap::new(),
        limits: Limits {
            memory: 64 << 20,
            processes: 64,
            read_only: true,
            tmpfs: vec!["/tmp".to_owned()],
            capabilities: false,
        },
    }
}

/// Looks at a container until it is as it should be.
pub(crate) async fn until(
    engine: &dyn Engine,
    id: &ContainerId,
    is_so: impl Fn(&ContainerState) -> bool,
) -> ContainerState {
    let began = Instant::now();
    loop {
        let state = engine.state(id).await.expect("a state");
        if is_so(&state) {
            return state;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "still {state:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for its end.
pub(crate) async fn ended(engine: &dyn Engine, id: &ContainerId) -> Phase {
    until(engine, id, |state| matches!(state.phase, Phase::Exited { .. }))
        .await
        .phase
}
