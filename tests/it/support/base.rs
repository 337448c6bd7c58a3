//! Base images as vendors ship them, made on the spot in a layout folder.

use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use iamship::image::{Descriptor, Digest, Manifest, Tag, Target};
use iamship::store::{Layout, Store as _};
use serde_json::{Value, json};

/// The factory configuration, which must not be merged into the project's own.
pub(crate) const FACTORY_FILE: &str = "opt/idsvr/etc/init/min-conf.xml";

/// Which dialect the manifests speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Oci,
    Docker,
}

impl Dialect {
    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    pub(crate) fn layer(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// A layout folder that holds bases.
pub(crate) struct Bases {
    store: Layout,
    runtime: tokio::runtime::Runtime,
}

impl Bases {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let path = camino::Utf8PathBuf::from_path_buf(folder.to_owned()).expect("UTF-8");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            store: Layout::open_or_create(path).expect("a layout"),
            runtime: runtime.expect("a runtime"),
        }
    }

    /// One image for `linux/amd64`; `content` makes its bytes differ from others'.
    pub(crate) fn image(&self, tag: &str, dialect: Dialect, content: &str) -> Digest {
        let layer = self.blob(dialect.layer(), &layer(content).1);
        let manifest = self.manifest(dialect, "amd64", &layer, &layer_diff(content));
        self.tag(&manifest, tag)
    }

    /// One whose layer is zstd, which nobody needs to read.
    pub(crate) fn zstd_image(&self, tag: &str) -> (Digest, Descriptor) {
        // A frame of raw content: magic, descriptor of one segment, length, one last raw block.
        let frame = b"\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00base".to_vec();
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar+zstd", &frame);
        let manifest = self.manifest(Dialect::Oci, "amd64", &layer, &Digest::of(b"base"));
        (self.tag(&manifest, tag), layer)
    }

    /// An index of two platforms, with the statement that BuildKit puts beside them.
    pub(crate) fn index(&self, tag: &str, dialect: Dialect) -> Digest {
        let mut entries = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let layer = self.blob(dialect.layer(), &layer(architecture).1);
            let manifest = self.manifest(dialect, architecture, &layer, &layer_diff(architecture));
            self.push(&manifest, &manifest.digest().into());
            entries.push(json!({
                "mediaType": dialect.manifest(), "digest": manifest.digest(), "size": manifest.bytes().len(),
                "platform": { "os": "linux", "architecture": architecture },
            }));
        }
        let statement = self.blob("application/vnd.in-toto+json", b"{}");
        let config = self.blob(Dialect::Oci.config(), br#"{"architecture":"unknown","os":"unknown"}"#);
        let attestation = parse(&json!({
            "schemaVersion": 2, "mediaType": Dialect::Oci.manifest(), "config": config, "layers": [statement],
        }));
        self.push(&attestation, &attestation.digest().into());
        entries.push(json!({
            "mediaType": Dialect::Oci.manifest(), "digest": attestation.digest(), "size": attestation.bytes().len(),
            "platform": { "os": "unknown", "architecture": "unknown" },
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": entries[0]["digest"],
            },
        }));
        let index = parse(&json!({ "schemaVersion": 2, "mediaType": dialect.index(), "manifests": entries }));
        self.tag(&index, tag)
    }

    fn manifest(&self, dialect: Dialect, architecture: &str, layer: &Descriptor, diff: &Digest) -> Manifest {
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": {
                "User": "10001:10000",
                "Env": ["PATH=/opt/idsvr/bin:/usr/bin:/bin", "IDSVR_HOME=/opt/idsvr"],
                "Cmd": ["idsvr"],
                "Labels": { "vendor": "example" },
            },
            "rootfs": { "type": "layers", "diff_ids": [diff] },
            "x-vendor": { "kept": true },
        });
        let config = self.blob(dialect.config(), config.to_string().as_bytes());
        parse(&json!({
            "schemaVersion": 2, "mediaType": dialect.manifest(), "config": config, "layers": [layer],
        }))
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        let bytes = Bytes::copy_from_slice(bytes);
        let pushed = self.runtime.block_on(self.store.push_blob(&descriptor, &bytes));
        pushed.expect("a blob is stored");
        descriptor
    }

    fn tag(&self, manifest: &Manifest, tag: &str) -> Digest {
        let tag: Tag = tag.parse().expect("a tag");
        self.push(manifest, &Target::from(&tag));
        manifest.digest()
    }

    fn push(&self, manifest: &Manifest, target: &Target) {
        let pushed = self.runtime.block_on(self.store.push_manifest(manifest, target));
        pushed.expect("a manifest is stored");
    }
}

fn parse(document: &Value) -> Manifest {
    Manifest::parse(Bytes::from(document.to_string()), None).expect("a manifest")
}

fn layer_diff(content: &str) -> Digest {
    Digest::of(&layer(content).0)
}

/// The archive and its compressed form.
fn layer(content: &str) -> (Vec<u8>, Vec<u8>) {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in [
        (FACTORY_FILE, "<config xmlns=\"http://tail-f.com/ns/config/1.0\"/>"),
        ("opt/idsvr/etc/content", content),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_uid(10001);
        header.set_gid(10000);
        archive
            .append_data(&mut header, path, text.as_bytes())
            .expect("an entry");
    }
    let archive = archive.into_inner().expect("an archive");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gzip, &archive).expect("compressed");
    (archive, gzip.finish().expect("compressed"))
}
