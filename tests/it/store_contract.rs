//! What every store promises, asked of each of them.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store_copy::lacks;
use crate::support::registry::TestRegistry;
use bytes::Bytes;
use iamship::image::{
    Descriptor, Digest, ImageIndex, ImageManifest, Location, Manifest, Platform, Tag, Target, media_type,
};
use iamship::store::{
    CopyOptions, Layout, Listed, Memory, Registry, RegistryOptions, Store, StoreError, copy, push_with_blobs, read_blob,
};

/// A store with what must outlive it.
pub(crate) struct Made {
    pub(crate) store: Arc<dyn Store>,
    _keeps: Box<dyn Any>,
}

pub(crate) async fn memory() -> Made {
    let location = Location::Layout("memory".into());
    Made {
        store: Arc::new(Memory::new(location)),
        _keeps: Box::new(()),
    }
}

pub(crate) async fn layout() -> Made {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("store")).expect("UTF-8");
    Made {
        store: Arc::new(Layout::open_or_create(path).expect("nothing is there")),
        _keeps: Box::new(folder),
    }
}

pub(crate) async fn registry() -> Made {
    in_registry(TestRegistry::start())
}

pub(crate) async fn registry_that_lists_referrers() -> Made {
    in_registry(TestRegistry::builder().referrers_api().page(1).start())
}

/// A repository of the docker-registry that `ci/with-registry.sh` starts; `None` outside of it.
#[expect(clippy::print_stderr, reason = "says which tests did not run")]
pub(crate) async fn docker_registry() -> Option<Made> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let Ok(registry) = std::env::var("IAMSHIP_TEST_REGISTRY") else {
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !strict,
            "`IAMSHIP_TEST_REGISTRY` is not set: run the tests under ci/with-registry.sh"
        );
        eprintln!("did not run: there is no docker-registry; ci/with-registry.sh starts one");
        return None;
    };
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let repository = format!("contract/{}-{number}", std::process::id());
    let location = Location::Registry { registry, repository };
    Some(Made {
        store: Arc::new(Registry::new(location, RegistryOptions::default()).expect("a registry")),
        _keeps: Box::new(()),
    })
}

fn in_registry(server: TestRegistry) -> Made {
    let location = server.location("iam/idsvr");
    Made {
        store: Arc::new(Registry::new(location, RegistryOptions::default()).expect("a registry")),
        _keeps: Box::new(server),
    }
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// An image and its blobs.
pub(crate) struct Sample {
    pub(crate) manifest: Manifest,
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
}

impl Sample {
    pub(crate) fn new(name: &str) -> Self {
        let config = Bytes::from(format!("{{\"name\":\"{name}\"}}"));
        let layers = [
            Bytes::from(format!("layer of {name}")),
            Bytes::from_static(b"shared layer"),
        ];
        let config = (Descriptor::of(media_type::OCI_CONFIG, &config), config);
        let layers = layers.map(|bytes| (Descriptor::of(media_type::OCI_LAYER_GZIP, &bytes), bytes));
        let manifest = Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            config: config.0.clone(),
            layers: layers.iter().map(|(descriptor, _)| descriptor.clone()).collect(),
            subject: None,
            annotations: [("name".to_owned(), name.to_owned())].into(),
        });
        Self {
            manifest,
            blobs: std::iter::once(config).chain(layers).collect(),
        }
    }

    pub(crate) async fn push_blobs(&self, store: &dyn Store) {
        for (descriptor, bytes) in &self.blobs {
            store.push_blob(descriptor, bytes).await.expect("the blob is stored");
        }
    }

    pub(crate) async fn push(&self, store: &dyn Store, target: impl Into<Target>) {
        self.push_blobs(store).await;
        push_with_blobs(store, &self.manifest, &self.blobs, &target.into())
            .await
            .expect("the manifest is stored");
    }
}

/// An artifact about a manifest.
pub(crate) fn artifact(about: &Manifest, note: &str) -> Manifest {
    let empty = Descriptor::empty();
    Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: Some(media_type::RECORD.to_owned()),
        config: empty.clone(),
        layers: vec![empty],
        subject: Some(about.descriptor()),
        annotations: [("note".to_owned(), note.to_owned())].into(),
    })
}

pub(crate) fn index(images: &[&Sample]) -> Manifest {
    let architectures = ["amd64", "arm64"];
    let manifests = images
        .iter()
        .zip(architectures)
        .map(|(sample, architecture)| Descriptor {
            platform: Some(Platform {
                architecture: architecture.to_owned(),
                os: "linux".to_owned(),
                os_version: None,
                os_features: Vec::new(),
                variant: None,
            }),
            ..sample.manifest.descriptor()
        });
    Manifest::from_index(ImageIndex {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        manifests: manifests.collect(),
        subject: None,
        annotations: Default::default(),
    })
}

async fn gives_back_what_it_was_given(store: &dyn Store) {
    let sample = Sample::new("one");
    sample.push(store, &tag("v1")).await;
    let digest = sample.manifest.digest();
    for target in [Target::Tag(tag("v1")), Target::Digest(digest)] {
        let manifest = store.manifest(&target).await.expect("answers").expect("is there");
        assert_eq!(manifest, sample.manifest);
    }
    assert_eq!(store.resolve(&tag("v1")).await.expect("answers"), Some(digest));
    for (descriptor, bytes) in &sample.blobs {
        assert!(store.has_blob(descriptor).await.expect("answers"));
        assert_eq!(read_blob(store, descriptor, 1 << 20).await.expect("is there"), bytes);
    }
}

async fn knows_what_it_does_not_have(store: &dyn Store) {
    let sample = Sample::new("absent");
    let (blob, _) = &sample.blobs[0];
    assert_eq!(store.manifest(&Target::Tag(tag("v1"))).await.expect("answers"), None);
    assert_eq!(
        store.manifest(&sample.manifest.digest().into()).await.expect("answers"),
        None
    );
    assert_eq!(store.resolve(&tag("v1")).await.expect("answers"), None);
    assert!(!store.has_blob(blob).await.expect("answers"));
    let error = read_blob(store, blob, 1 << 20).await.expect_err("is not there");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

async fn names_all_missing_children(store: &dyn Store) {
    let sample = Sample::new("incomplete");
    let (descriptor, bytes) = &sample.blobs[1];
    store.push_blob(descriptor, bytes).await.expect("the blob is stored");
    let target = Target::Tag(tag("v1"));
    let error = store
        .push_manifest(&sample.manifest, &target)
        .await
        .expect_err("blobs are missing");
    let StoreError::MissingContent { missing, .. } = error else {
        panic!("{error}");
    };
    let mut expected = vec![sample.blobs[0].0.digest, sample.blobs[2].0.digest];
    expected.sort();
    assert_eq!(sorted(missing), expected);
    assert_eq!(store.resolve(&tag("v1")).await.expect("answers"), None);
    assert_eq!(
        store.manifest(&sample.manifest.digest().into()).await.expect("answers"),
        None
    );

    let error = store
        .push_manifest(&index(&[&sample]), &target)
        .await
        .expect_err("a child is missing");
    let StoreError::MissingContent { missing, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(missing, [sample.manifest.digest()]);
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

async fn refuses_wrong_content_and_keeps_none_of_it(store: &dyn Store) {
    let right = Bytes::from_static(b"right");
    let described = Descriptor::of("application/octet-stream", &right);
    for wrong in ["wrong", "righ", "right and more", ""] {
        let error = store
            .push_blob(&described, &Bytes::from_static(wrong.as_bytes()))
            .await
            .expect_err("is refused");
        let named = matches!(error, StoreError::WrongDigest { .. } | StoreError::WrongSize { .. });
        assert!(named, "{error}");
        assert!(!store.has_blob(&described).await.expect("answers"));
    }
    let mut too_long = described.clone();
    too_long.size += 1;
    let error = store.push_blob(&too_long, &right).await.expect_err("is refused");
    assert!(matches!(error, StoreError::WrongSize { .. }), "{error}");
    assert!(!store.has_blob(&described).await.expect("answers"));
    store
        .push_blob(&described, &right)
        .await
        .expect("the right bytes are welcome");
}

async fn refuses_a_manifest_under_another_digest(store: &dyn Store) {
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push_blobs(store).await;
    let target = Target::Digest(other.manifest.digest());
    let error = store
        .push_manifest(&one.manifest, &target)
        .await
        .expect_err("is refused");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    assert_eq!(store.manifest(&target).await.expect("answers"), None);
}

async fn takes_the_same_twice(store: &dyn Store) {
    let sample = Sample::new("one");
    for _ in 0..2 {
        sample.push(store, &tag("v1")).await;
        sample.push(store, sample.manifest.digest()).await;
    }
    assert_eq!(store.tags().await.expect("answers"), [tag("v1")]);
}

async fn moves_a_tag_and_keeps_the_old_content(store: &dyn Store) {
    let (old, new) = (Sample::new("old"), Sample::new("new"));
    old.push(store, &tag("dev")).await;
    new.push(store, &tag("dev")).await;
    assert_eq!(
        store.resolve(&tag("dev")).await.expect("answers"),
        Some(new.manifest.digest())
    );
    let kept = store.manifest(&old.manifest.digest().into()).await.expect("answers");
    assert_eq!(kept, Some(old.manifest.clone()));
    old.push(store, &tag("dev")).await;
    assert_eq!(
        store.resolve(&tag("dev")).await.expect("answers"),
        Some(old.manifest.digest())
    );
}

async fn lists_its_tags(store: &dyn Store) {
    assert_eq!(store.tags().await.expect("answers"), []);
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push(store, &tag("v1")).await;
    one.push(store, &tag("dev")).await;
    other.push(store, &tag("v2")).await;
    other.push(store, other.manifest.digest()).await;
    assert_eq!(
        sorted(store.tags().await.expect("answers")),
        [tag("dev"), tag("v1"), tag("v2")]
    );
}

async fn lists_what_is_about_a_manifest(store: &dyn Store) {
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push(store, &tag("v1")).await;
    assert_eq!(store.referrers(&one.manifest.digest()).await.expect("answers"), []);
    store
        .push_blob(&Descriptor::empty(), &Bytes::from_static(b"{}"))
        .await
        .expect("the blob is stored");
    let first = artifact(&one.manifest, "first");
    // The subject need not be there (OCI distribution spec, *Pushing Manifests with Subject*).
    let (second, elsewhere) = (
        artifact(&one.manifest, "second"),
        artifact(&other.manifest, "elsewhere"),
    );
    let pushed = store
        .push_manifest(&first, &first.digest().into())
        .await
        .expect("is stored");
    assert_ne!(pushed.listed, Listed::NoSubject);
    store
        .push_manifest(&second, &tag("record").into())
        .await
        .expect("is stored");
    store
        .push_manifest(&elsewhere, &tag("elsewhere").into())
        .await
        .expect("is stored");

    let found = store.referrers(&one.manifest.digest()).await.expect("answers");
    let digests = found.iter().map(|descriptor| descriptor.digest).collect();
    assert_eq!(sorted::<Digest>(digests), sorted(vec![first.digest(), second.digest()]));
    for descriptor in &found {
        assert_eq!(descriptor.artifact_type.as_deref(), Some(media_type::RECORD));
        assert!(descriptor.annotations.contains_key("note"));
    }
}

async fn takes_a_tag_away_and_keeps_the_content(store: &dyn Store) {
    let sample = Sample::new("one");
    sample.push(store, &tag("v1")).await;
    match store.remove_tag(&tag("v1")).await {
        Err(StoreError::Unsupported { .. }) => return,
        result => result.expect("the tag is taken away"),
    }
    assert_eq!(store.resolve(&tag("v1")).await.expect("answers"), None);
    assert_eq!(store.tags().await.expect("answers"), []);
    let kept = store.manifest(&sample.manifest.digest().into()).await.expect("answers");
    assert_eq!(kept, Some(sample.manifest.clone()));
}

async fn keeps_tags_written_at_one_time(store: &dyn Store) {
    let samples: Vec<_> = (0..12).map(|number| Sample::new(&number.to_string())).collect();
    let tags: Vec<_> = (0..samples.len()).map(|number| tag(&format!("v{number}"))).collect();
    futures::future::join_all(samples.iter().zip(&tags).map(|(sample, tag)| sample.push(store, tag))).await;
    let expected = sorted(tags.clone());
    assert_eq!(sorted(store.tags().await.expect("answers")), expected);
    for (sample, tag) in samples.iter().zip(&tags) {
        assert_eq!(
            store.resolve(tag).await.expect("answers"),
            Some(sample.manifest.digest())
        );
    }
}

async fn streams_a_large_blob(store: &dyn Store) {
    let bytes: Bytes = (0..3_000_017_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let described = Descriptor::of("application/octet-stream", &bytes);
    store.push_blob(&described, &bytes).await.expect("the blob is stored");
    assert_eq!(read_blob(store, &described, 4 << 20).await.expect("is there"), bytes);
    let error = read_blob(store, &described, 1 << 20)
        .await
        .expect_err("is over the limit");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

async fn receives_an_index_and_moves_nothing_the_second_time(store: &dyn Store) {
    let source = memory().await.store;
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push(&*source, one.manifest.digest()).await;
    other.push(&*source, other.manifest.digest()).await;
    let root = index(&[&one, &other]);
    // What is there is left alone.
    let (present, bytes) = &one.blobs[0];
    store.push_blob(present, bytes).await.expect("the blob is stored");
    let first = copy(&*source, store, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    assert_eq!((first.blobs_moved, first.blobs_present), (4, 1));
    assert_eq!(lacks(store, &root).await, None);
    let second = copy(&*source, store, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    assert_eq!((second.blobs_moved, second.blobs_present, second.bytes), (0, 5, 0));
    store.push_manifest(&root, &tag("v1").into()).await.expect("is tagged");
    assert_eq!(store.tags().await.expect("answers"), [tag("v1")]);
}

async fn gives_an_index_away(store: &dyn Store) {
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push(store, one.manifest.digest()).await;
    other.push(store, other.manifest.digest()).await;
    let root = index(&[&one, &other]);
    store.push_manifest(&root, &tag("v1").into()).await.expect("is stored");
    let target = memory().await.store;
    let copied = copy(store, &*target, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    assert_eq!(copied.blobs_moved, 5);
    assert_eq!(lacks(&*target, &root).await, None);
}

/// The whole contract for one kind of store.
macro_rules! contract {
    ($name:ident, $make:path) => {
        contract!($name, $make:
            gives_back_what_it_was_given, knows_what_it_does_not_have, names_all_missing_children,
            refuses_wrong_content_and_keeps_none_of_it, refuses_a_manifest_under_another_digest, takes_the_same_twice,
            moves_a_tag_and_keeps_the_old_content, lists_its_tags, lists_what_is_about_a_manifest,
            takes_a_tag_away_and_keeps_the_content, keeps_tags_written_at_one_time, streams_a_large_blob,
            receives_an_index_and_moves_nothing_the_second_time, gives_an_index_away);
    };
    ($name:ident, $make:path: $($case:ident),*) => {
        mod $name {
            $(#[tokio::test]
            async fn $case() {
                // Some stores are not there to be tested on every machine.
                if let Some(made) = Option::<super::Made>::from($make().await) {
                    super::$case(&*made.store).await;
                }
            })*
        }
    };
}

contract!(in_memory, super::memory);
contract!(in_a_layout, super::layout);
contract!(in_a_registry, super::registry);
contract!(in_a_registry_that_lists_referrers, super::registry_that_lists_referrers);
contract!(in_a_docker_registry, super::docker_registry);
