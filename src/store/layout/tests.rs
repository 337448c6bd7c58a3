//! Folders as other tools, other processes and other people leave them.

use std::os::unix::fs::symlink;
use std::process::Command;

use camino::Utf8PathBuf;
use tempfile::TempDir;

use super::*;
use crate::image::{ImageIndex, ImageManifest, media_type};
use crate::store::read_blob;

struct Place {
    _folder: TempDir,
    path: Utf8PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("store")).expect("UTF-8");
        Self { _folder: folder, path }
    }

    fn layout(&self) -> Layout {
        Layout::open_or_create(&self.path).expect("a layout or nothing")
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path.join(file)).expect("is there")
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path.join(file), text).expect("is written");
    }

    fn blob(&self, digest: Digest) -> Utf8PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    fn names(&self) -> Vec<String> {
        let index: serde_json::Value = serde_json::from_str(&self.read("index.json")).expect("JSON");
        let entries = index["manifests"].as_array().expect("entries");
        let name = |entry: &serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"].clone();
        entries
            .iter()
            .map(|entry| name(entry).as_str().unwrap_or("-").to_owned())
            .collect()
    }
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn image(note: &str, subject: Option<Descriptor>) -> Manifest {
    Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: Descriptor::empty(),
        layers: Vec::new(),
        subject,
        annotations: [("note".to_owned(), note.to_owned())].into(),
    })
}

async fn push(layout: &Layout, manifest: &Manifest, target: impl Into<Target>) {
    layout
        .push_blob(&Descriptor::empty(), &Bytes::from_static(b"{}"))
        .await
        .expect("is stored");
    layout.push_manifest(manifest, &target.into()).await.expect("is stored");
}

fn is_bad<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::BadLayout { .. }))
}

#[tokio::test]
async fn is_an_empty_store_until_the_first_write() {
    let place = Place::new();
    assert!(is_bad(Layout::open(&place.path)));
    let layout = place.layout();
    assert_eq!(layout.tags().await.expect("answers"), []);
    assert_eq!(layout.manifest(&tag("v1").into()).await.expect("answers"), None);
    assert_eq!(layout.referrers(&Digest::of(b"")).await.expect("answers"), []);
    layout.remove_tag(&tag("v1")).await.expect("there is nothing to do");
    assert!(!place.path.exists());
    push(&layout, &image("one", None), tag("v1")).await;
    assert_eq!(place.read("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert_eq!(
        Layout::open(&place.path)
            .expect("is there")
            .tags()
            .await
            .expect("answers"),
        [tag("v1")]
    );
}

#[tokio::test]
async fn does_not_take_a_folder_of_other_things_for_its_own() {
    let place = Place::new();
    std::fs::create_dir(&place.path).expect("is made");
    place.write("notes.txt", "mine");
    assert!(is_bad(Layout::open_or_create(&place.path)));
    std::fs::remove_file(place.path.join("notes.txt")).expect("is removed");
    place.layout();
    place.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#);
    assert!(is_bad(Layout::open_or_create(&place.path)));
    place.write("oci-layout", "{");
    assert!(is_bad(Layout::open(&place.path)));
    assert!(is_bad(Layout::open(place.path.join("oci-layout"))));
}

#[tokio::test]
async fn finishes_what_an_interrupted_beginning_left() {
    let place = Place::new();
    std::fs::create_dir_all(place.path.join("blobs/sha256")).expect("is made");
    place.write("index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    place.write(".tmp-iamship-x", "{");
    push(&place.layout(), &image("one", None), tag("v1")).await;
    Layout::open(&place.path).expect("is whole");
}

#[tokio::test]
async fn enters_each_manifest_once() {
    let place = Place::new();
    let layout = place.layout();
    let (one, other) = (image("one", None), image("other", None));
    let index = Manifest::from_index(ImageIndex {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        manifests: vec![one.descriptor(), other.descriptor()],
        subject: None,
        annotations: Default::default(),
    });
    push(&layout, &one, one.digest()).await;
    push(&layout, &other, other.digest()).await;
    assert_eq!(place.names(), ["-", "-"]);
    push(&layout, &index, index.digest()).await;
    assert_eq!(place.names(), ["-"], "the children are found through the index");
    push(&layout, &index, tag("v1")).await;
    assert_eq!(place.names(), ["v1"]);
    push(&layout, &index, tag("dev")).await;
    assert_eq!(place.names(), ["v1", "dev"]);
    push(&layout, &image("alone", None), tag("dev")).await;
    assert_eq!(place.names(), ["v1", "dev"]);
    push(&layout, &index, tag("dev")).await;
    assert_eq!(
        place.names(),
        ["v1", "-", "dev"],
        "what loses its last tag keeps an entry"
    );
}

#[tokio::test]
async fn writes_nothing_for_what_is_there() {
    let place = Place::new();
    push(&place.layout(), &image("one", None), tag("v1")).await;
    let inode =
        || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(place.path.join("index.json")).expect("is there"));
    let before = inode();
    push(&place.layout(), &image("one", None), tag("v1")).await;
    assert_eq!(inode(), before);
}

#[tokio::test]
async fn keeps_what_other_tools_wrote() {
    let place = Place::new();
    let layout = place.layout();
    push(&layout, &image("one", None), tag("v1")).await;
    let foreign = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha512:00","size":7,"later":{"a":1},"annotations":{"org.opencontainers.image.ref.name":"docker.io/library/x:1"}}"#;
    let index = place.read("index.json").replacen('[', &format!("[{foreign},"), 1);
    place.write(
        "index.json",
        &format!("{},\"annotations\":{{\"who\":\"other\"}}}}", &index[..index.len() - 1]),
    );
    push(&layout, &image("other", None), tag("v2")).await;
    assert!(place.read("index.json").contains(foreign));
    assert!(
        place
            .read("index.json")
            .ends_with(r#"],"annotations":{"who":"other"}}"#)
    );
    assert_eq!(layout.tags().await.expect("answers"), [tag("v1"), tag("v2")]);
}

#[tokio::test]
async fn refuses_an_index_it_can_not_rely_on() {
    let place = Place::new();
    let layout = place.layout();
    push(&layout, &image("one", None), tag("v1")).await;
    let deep = "[".repeat(100_000);
    for junk in [
        "",
        "[]",
        "{",
        "null",
        r#"{"manifests":{}}"#,
        r#"{"manifests":[1]}"#,
        r#"{"manifests":[{"digest":1}]}"#,
        &deep,
    ] {
        place.write("index.json", junk);
        assert!(is_bad(layout.tags().await), "{junk:.40}");
        assert!(is_bad(layout.resolve(&tag("v1")).await), "{junk:.40}");
        assert!(is_bad(layout.remove_tag(&tag("v1")).await), "{junk:.40}");
    }
    std::fs::File::options()
        .write(true)
        .open(place.path.join("index.json"))
        .and_then(|file| file.set_len((64 << 20) + 1))
        .expect("is grown");
    assert!(is_bad(layout.tags().await));
}

#[tokio::test]
async fn a_tag_of_two_manifests_names_neither_until_it_is_written() {
    let place = Place::new();
    let layout = place.layout();
    let (one, other) = (image("one", None), image("other", None));
    push(&layout, &one, tag("v1")).await;
    push(&layout, &other, tag("v2")).await;
    place.write("index.json", &place.read("index.json").replace("\"v2\"", "\"v1\""));
    assert!(is_bad(layout.resolve(&tag("v1")).await));
    assert!(is_bad(layout.manifest(&tag("v1").into()).await));
    push(&layout, &one, tag("v1")).await;
    assert_eq!(layout.resolve(&tag("v1")).await.expect("answers"), Some(one.digest()));
    assert_eq!(place.names(), ["v1", "-"]);
}

#[tokio::test]
async fn opens_nothing_but_regular_files_of_its_own() {
    let place = Place::new();
    let layout = place.layout();
    let manifest = image("one", None);
    push(&layout, &manifest, tag("v1")).await;
    let blob = Descriptor::empty();
    let file = place.blob(blob.digest);

    let aside = place.path.join("aside");
    std::fs::rename(&file, &aside).expect("is moved");
    symlink(&aside, &file).expect("is linked");
    assert!(is_bad(layout.has_blob(&blob).await), "a link");
    assert!(is_bad(read_blob(&layout, &blob, 10).await), "a link");
    std::fs::remove_file(&file).expect("is removed");

    let fifo = |path: &Utf8PathBuf| {
        Command::new("mkfifo")
            .arg(path)
            .status()
            .expect("mkfifo runs")
            .success()
    };
    assert!(fifo(&file));
    assert!(is_bad(read_blob(&layout, &blob, 10).await), "a FIFO");
    std::fs::remove_file(&file).expect("is removed");

    std::fs::create_dir(&file).expect("is made");
    assert!(is_bad(layout.manifest(&blob.digest.into()).await), "a folder");
    std::fs::remove_dir(&file).expect("is removed");
    std::fs::rename(&aside, &file).expect("is moved");

    for name in ["index.json", "oci-layout", "index.json.lock"] {
        std::fs::remove_file(place.path.join(name)).expect("is removed");
        assert!(fifo(&place.path.join(name)));
        assert!(
            is_bad(layout.push_manifest(&image("other", None), &tag("v2").into()).await),
            "{name}"
        );
        std::fs::remove_file(place.path.join(name)).expect("is removed");
        if name == "oci-layout" {
            place.write(name, r#"{"imageLayoutVersion":"1.0.0"}"#);
        }
    }

    let elsewhere = place.path.with_file_name("elsewhere");
    std::fs::rename(place.path.join("blobs"), &elsewhere).expect("is moved");
    symlink(&elsewhere, place.path.join("blobs")).expect("is linked");
    assert!(is_bad(layout.manifest(&manifest.digest().into()).await));
    assert!(is_bad(
        layout
            .push_blob(&Descriptor::of("a", b"b"), &Bytes::from_static(b"b"))
            .await
    ));
}

#[tokio::test]
async fn notices_changed_content_and_takes_it_anew() {
    let place = Place::new();
    let layout = place.layout();
    let manifest = image("one", None);
    push(&layout, &manifest, tag("v1")).await;
    std::fs::write(place.blob(Descriptor::empty().digest), "[]").expect("is changed");
    let error = read_blob(&layout, &Descriptor::empty(), 10)
        .await
        .expect_err("is changed");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    std::fs::write(place.blob(manifest.digest()), manifest.bytes().to_ascii_uppercase()).expect("is changed");
    for target in [Target::Tag(tag("v1")), manifest.digest().into()] {
        let error = layout.manifest(&target).await.expect_err("is changed");
        assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    }
    push(&layout, &manifest, tag("v1")).await;
    assert_eq!(
        read_blob(&layout, &Descriptor::empty(), 10).await.expect("is whole"),
        "{}"
    );
    assert_eq!(
        layout.manifest(&tag("v1").into()).await.expect("is whole"),
        Some(manifest.clone())
    );
    std::fs::remove_file(place.blob(manifest.digest())).expect("is removed");
    let error = layout.manifest(&tag("v1").into()).await.expect_err("is not there");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn finds_referrers_that_other_tools_entered() {
    let place = Place::new();
    let layout = place.layout();
    let about = image("one", None);
    let (ours, theirs) = (
        image("ours", Some(about.descriptor())),
        image("theirs", Some(about.descriptor())),
    );
    push(&layout, &about, tag("v1")).await;
    push(&layout, &ours, tag("ours")).await;
    push(&layout, &theirs, theirs.digest()).await;
    let hint = format!("\"io.iamship.subject\":\"{}\"", about.digest());
    assert_eq!(place.read("index.json").matches(&hint).count(), 2);
    place.write("index.json", &place.read("index.json").replacen(&hint, "\"x\":\"\"", 1));
    assert_eq!(layout.referrers(&about.digest()).await.expect("answers").len(), 2);
}

#[test]
fn writers_in_several_threads_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &place.path;
            scope.spawn(move || {
                let layout = Layout::open_or_create(path).expect("a layout or nothing");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .expect("a runtime");
                for number in 0..10 {
                    let name = format!("t{thread}-{number}");
                    runtime.block_on(push(&layout, &image(&name, None), tag(&name)));
                }
            });
        }
    });
    assert_eq!(place.names().len(), 40);
    // Nothing is left over from writing.
    let files = std::fs::read_dir(place.path.join("blobs/sha256")).expect("is there");
    assert_eq!(files.count(), 41);
}

#[tokio::test]
async fn locations_are_as_the_project_writes_them_wherever_it_is_seen_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = camino::Utf8Path::from_path(folder.path()).expect("UTF-8");
    let open = |path: &str| Layout::open_or_create_under(root, path).expect("nothing is there");
    let (from, to) = (open("base"), open(".iamship/store"));
    assert_eq!(to.location().to_string(), "oci:.iamship/store");
    let bytes = Bytes::from_static(b"layer");
    let blob = Descriptor::new("application/octet-stream", Digest::of(&bytes), bytes.len() as u64);
    from.push_blob(&blob, &bytes).await.expect("is stored");
    let mounted = to.mount_blob(&blob, from.location()).await.expect("answers");
    assert_eq!(mounted, Mounted::Yes);
    assert!(
        root.join(".iamship/store/blobs/sha256")
            .join(blob.digest.hex())
            .exists()
    );
}

#[tokio::test]
async fn a_mount_takes_no_changed_blob() {
    let (from, to) = (Place::new(), Place::new());
    let blob = Descriptor::empty();
    push(&from.layout(), &image("one", None), tag("v1")).await;
    std::fs::write(from.blob(blob.digest), "[]").expect("is changed");
    let source = Location::Layout(from.path.clone());
    assert_eq!(
        to.layout().mount_blob(&blob, &source).await.expect("answers"),
        Mounted::No
    );
    assert!(!to.layout().has_blob(&blob).await.expect("answers"));
    std::fs::write(from.blob(blob.digest), "{}").expect("is mended");
    assert_eq!(
        to.layout().mount_blob(&blob, &source).await.expect("answers"),
        Mounted::Yes
    );
    assert_eq!(
        to.layout().mount_blob(&blob, &source).await.expect("answers"),
        Mounted::Yes
    );
    assert!(to.layout().has_blob(&blob).await.expect("answers"));
    let files = std::fs::read_dir(to.path.join("blobs/sha256")).expect("is there");
    assert_eq!(files.count(), 1);
}

#[tokio::test]
async fn reads_the_type_of_a_manifest_from_its_entry() {
    let place = Place::new();
    let layout = place.layout();
    push(&layout, &image("one", None), tag("v1")).await;
    let empty = serde_json::to_string(&Descriptor::empty()).expect("JSON");
    let text = format!("{{\"schemaVersion\":2,\"config\":{empty},\"layers\":[]}}");
    let manifest = Manifest::parse(text.into(), Some(media_type::DOCKER_MANIFEST)).expect("valid");
    push(&layout, &manifest, tag("docker")).await;
    for target in [Target::Tag(tag("docker")), manifest.digest().into()] {
        let read = layout.manifest(&target).await.expect("answers").expect("is there");
        assert_eq!(read.media_type(), media_type::DOCKER_MANIFEST);
    }
}

/// A source that breaks off in the middle.
struct BreaksOff;

#[async_trait]
impl BlobSource for BreaksOff {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        let location = Location::Layout("source".into());
        let broken = StoreError::Unreachable {
            location,
            reason: "connection reset".to_owned(),
        };
        Ok(Box::pin(futures::stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err(broken),
        ])))
    }
}

#[tokio::test]
async fn a_blob_that_breaks_off_or_is_refused_leaves_no_file() {
    let place = Place::new();
    let layout = place.layout();
    let blob = Descriptor::of("text/plain", b"half and half");
    let error = layout.push_blob(&blob, &BreaksOff).await.expect_err("it breaks off");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    layout
        .push_blob(&blob, &Bytes::from_static(b"other content"))
        .await
        .expect_err("is another content");
    assert_eq!(
        std::fs::read_dir(place.path.join("blobs/sha256"))
            .expect("is there")
            .count(),
        0
    );
}

#[test]
fn a_layout_that_comes_to_be_is_never_taken_for_something_else() {
    for _ in 0..100 {
        let place = Place::new();
        let (start, layout) = (std::sync::Barrier::new(4), place.layout());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    start.wait();
                    while !place.path.join("oci-layout").exists() {
                        place.layout();
                    }
                });
            }
            start.wait();
            let bytes = Bytes::from_static(b"blob");
            let blob = Descriptor::of("text/plain", &bytes);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime");
            runtime.block_on(layout.push_blob(&blob, &bytes)).expect("is pushed");
        });
    }
}
