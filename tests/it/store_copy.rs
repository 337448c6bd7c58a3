//! Copies between stores of which one lies: they end with an error or a complete target.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use iamship::image::{Descriptor, Location, Manifest, Target};
use iamship::store::{
    Arrival, Copied, CopyOptions, CopyProgress, Memory, RegistryClient, RegistryOptions, Security, Store, StoreError,
    copy, push_with_blobs, read_blob,
};

use crate::store_contract::{Sample, index, layout};
use crate::support::flaky::{Fault, Flaky};
use crate::support::registry::TestRegistry;

fn memory(name: &str) -> Arc<dyn Store> {
    let location = format!("registry.example.com/{name}").parse::<Location>();
    Arc::new(Memory::new(location.expect("a location")))
}

/// A source with an index of two images.
async fn source() -> (Arc<dyn Store>, Manifest) {
    let store = memory("source");
    let (one, other) = (Sample::new("one"), Sample::new("other"));
    one.push(&*store, one.manifest.digest()).await;
    other.push(&*store, other.manifest.digest()).await;
    let root = index(&[&one, &other]);
    store
        .push_manifest(&root, &root.digest().into())
        .await
        .expect("is stored");
    (store, root)
}

/// The first thing that a store lacks of a manifest and all below it.
pub(crate) async fn lacks(store: &dyn Store, root: &Manifest) -> Option<String> {
    let mut waiting = vec![root.descriptor()];
    while let Some(descriptor) = waiting.pop() {
        let found = store
            .manifest(&Target::Digest(descriptor.digest))
            .await
            .expect("answers");
        let Some(manifest) = found else {
            return Some(format!("manifest {}", descriptor.digest));
        };
        for child in manifest.children() {
            if manifest.index().is_some() {
                waiting.push(child.clone());
            } else if let Err(error) = read_blob(store, child, 1 << 20).await {
                return Some(error.to_string());
            }
        }
    }
    None
}

const FAULTS: [Fault; 13] = [
    Fault::None,
    Fault::TruncatesBlobs,
    Fault::ChangesBlobs,
    Fault::BreaksOffBlobs,
    Fault::ClaimsBlobs,
    Fault::ClaimsMounts,
    Fault::ChecksNothing,
    Fault::NamesNothing,
    Fault::RefusesPlainly,
    Fault::DeniesABlobOnce,
    Fault::SwapsManifests,
    Fault::ForgetsManifests,
    Fault::FailsTags,
];

#[tokio::test]
async fn a_lying_source_gives_an_error_and_no_manifest_without_its_blobs() {
    let (inner, root) = source().await;
    for fault in FAULTS {
        let target = memory("target");
        let result = copy(
            &Flaky::new(Arc::clone(&inner), fault),
            &*target,
            &root,
            &CopyOptions::default(),
        )
        .await;
        let lies = [
            Fault::TruncatesBlobs,
            Fault::ChangesBlobs,
            Fault::BreaksOffBlobs,
            Fault::SwapsManifests,
            Fault::ForgetsManifests,
        ];
        assert_eq!(result.is_err(), lies.contains(&fault), "{fault:?}: {result:?}");
        if result.is_ok() {
            assert_eq!(lacks(&*target, &root).await, None, "{fault:?}");
        } else {
            assert_eq!(
                target.manifest(&root.digest().into()).await.expect("answers"),
                None,
                "{fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_lying_target_is_complete_or_refused() {
    let (source, root) = source().await;
    for fault in FAULTS {
        let target = Flaky::new(memory("target"), fault);
        let result = copy(&*source, &target, &root, &CopyOptions::default()).await;
        assert!(result.is_ok(), "{fault:?}: {result:?}");
        let honest = Flaky::new(Arc::clone(&target.inner), Fault::None);
        match fault {
            // Only this view of it knows the manifests that it should not have taken.
            Fault::ChecksNothing | Fault::ClaimsMounts => assert_eq!(lacks(&target, &root).await, None, "{fault:?}"),
            _ => assert_eq!(lacks(&honest, &root).await, None, "{fault:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_call_leaves_nothing_half_done_and_the_next_run_finishes() {
    let (source, root) = source().await;
    let untroubled = Flaky::new(memory("target"), Fault::None);
    copy(&*source, &untroubled, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    for call in 1..=untroubled.calls() {
        let target = Flaky::new(memory("target"), Fault::FailsCall(call));
        let result = copy(&*source, &target, &root, &CopyOptions::default()).await;
        if result.is_err() {
            assert_eq!(
                target.inner.manifest(&root.digest().into()).await.expect("answers"),
                None,
                "call {call}"
            );
        } else {
            assert_eq!(lacks(&*target.inner, &root).await, None, "call {call}");
        }
        copy(&*source, &*target.inner, &root, &CopyOptions::default())
            .await
            .expect("the next run finishes");
        assert_eq!(lacks(&*target.inner, &root).await, None, "call {call}");
    }
}

#[tokio::test]
async fn a_source_that_breaks_off_at_any_call_is_an_error() {
    let (inner, root) = source().await;
    let untroubled = Flaky::new(Arc::clone(&inner), Fault::None);
    copy(&untroubled, &*memory("target"), &root, &CopyOptions::default())
        .await
        .expect("is copied");
    for call in 1..=untroubled.calls() {
        let (source, target) = (Flaky::new(Arc::clone(&inner), Fault::FailsCall(call)), memory("target"));
        let error = copy(&source, &*target, &root, &CopyOptions::default())
            .await
            .expect_err("it breaks");
        assert!(matches!(error, StoreError::Unreachable { .. }), "call {call}: {error}");
        assert_eq!(
            target.manifest(&root.digest().into()).await.expect("answers"),
            None,
            "call {call}"
        );
        copy(&*inner, &*target, &root, &CopyOptions::default())
            .await
            .expect("the next run finishes");
        assert_eq!(lacks(&*target, &root).await, None, "call {call}");
    }
}

#[tokio::test]
async fn asks_a_target_that_names_what_it_lacks_for_no_single_blob() {
    let (source, root) = source().await;
    let target = Flaky::new(memory("other/target"), Fault::None);
    copy(&*source, &target, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    // Two images, each pushed twice; five blobs, each refused to be mounted and moved; the index.
    assert_eq!(target.calls(), 4 + 10 + 1);
}

#[tokio::test]
async fn a_layout_takes_blobs_over_from_another_and_both_stay_whole() {
    let (memory, root) = source().await;
    let (one, other) = (layout().await, layout().await);
    copy(&*memory, &*one.store, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    let copied = copy(&*one.store, &*other.store, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    let expected = Copied {
        blobs_mounted: 5,
        ..Copied::default()
    };
    assert_eq!(copied, expected);
    assert_eq!(lacks(&*other.store, &root).await, None);
    assert_eq!(lacks(&*one.store, &root).await, None);
}

#[tokio::test]
async fn within_a_registry_no_blob_is_read_and_each_takes_one_request() {
    let (memory, root) = source().await;
    let server = TestRegistry::start();
    let client = RegistryClient::new(RegistryOptions::default());
    let open = |repository: &str| {
        client
            .registry(server.location(repository), Security::Required)
            .expect("a registry")
    };
    let (dev, prod) = (open("dev"), open("prod"));
    copy(&*memory, &dev, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    server.take_lines();
    let copied = copy(&dev, &prod, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    let expected = Copied {
        blobs_mounted: 5,
        ..Copied::default()
    };
    assert_eq!(copied, expected);
    let lines = server.take_lines();
    assert!(
        lines
            .iter()
            .all(|line| !line.starts_with("GET") || line.contains("/manifests/")),
        "{lines:#?}"
    );
    // Two manifests read, each written twice; five mounts; the index.
    assert_eq!(lines.len(), 2 + 4 + 5 + 1, "{lines:#?}");
    assert_eq!(lacks(&prod, &root).await, None);
}

#[tokio::test]
async fn a_manifest_is_pushed_with_the_blobs_that_the_store_asks_for() {
    let sample = Sample::new("one");
    let target = Target::Digest(sample.manifest.digest());
    for (fault, calls) in [(Fault::None, 5), (Fault::NamesNothing, 5), (Fault::DeniesABlobOnce, 7)] {
        let store = Flaky::new(memory("target"), fault);
        push_with_blobs(&store, &sample.manifest, &sample.blobs, &target)
            .await
            .expect("is pushed");
        assert_eq!(store.calls(), calls, "{fault:?}");
        push_with_blobs(&store, &sample.manifest, &sample.blobs, &target)
            .await
            .expect("is pushed");
        assert_eq!(store.calls(), calls + 1, "{fault:?}");
        assert_eq!(lacks(&*store.inner, &sample.manifest).await, None, "{fault:?}");
    }
    let error = push_with_blobs(&*memory("target"), &sample.manifest, &sample.blobs[1..], &target).await;
    assert!(matches!(error, Err(StoreError::MissingContent { .. })), "{error:?}");
}

#[derive(Default)]
struct Counting {
    planned: AtomicU64,
    advanced: AtomicU64,
    restarted: AtomicU64,
    moved: AtomicU64,
}

impl CopyProgress for Counting {
    fn planned(&self, _blobs: usize, bytes: u64) {
        self.planned.fetch_add(bytes, Ordering::SeqCst);
    }

    fn advanced(&self, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::SeqCst);
    }

    fn restarted(&self, bytes: u64) {
        self.restarted.fetch_add(bytes, Ordering::SeqCst);
    }

    fn finished(&self, _blob: &Descriptor, how: Arrival) {
        assert_eq!(how, Arrival::Moved);
        self.moved.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn tells_how_far_it_is() {
    let (source, root) = source().await;
    let progress = Arc::new(Counting::default());
    let options = CopyOptions {
        fresh: std::collections::HashSet::new(),
        parallel: 2,
        progress: Arc::clone(&progress) as Arc<dyn CopyProgress>,
    };
    let copied = copy(&*source, &*memory("target"), &root, &options)
        .await
        .expect("is copied");
    let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    assert_eq!(copied.blobs_moved, 5);
    assert_eq!(read(&progress.moved), 5);
    assert_eq!(read(&progress.planned), copied.bytes);
    assert_eq!(read(&progress.advanced) - read(&progress.restarted), copied.bytes);
}

#[tokio::test]
async fn refuses_indexes_that_stand_in_one_another_without_end() {
    let store = memory("source");
    let sample = Sample::new("one");
    sample.push(&*store, sample.manifest.digest()).await;
    let mut root = index(&[&sample]);
    for _ in 0..12 {
        store
            .push_manifest(&root, &root.digest().into())
            .await
            .expect("is stored");
        let mut around = index(&[]).index().expect("an index").clone();
        around.manifests.push(root.descriptor());
        root = Manifest::from_index(around);
    }
    let error = copy(&*store, &*memory("target"), &root, &CopyOptions::default())
        .await
        .expect_err("is refused");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_layer_that_is_elsewhere_is_copied_or_an_error() {
    let sample = Sample::new("one");
    let mut image = sample.manifest.image().expect("an image").clone();
    let foreign = Bytes::from_static(b"foreign");
    image.layers.push(Descriptor {
        urls: vec!["https://example.com/layer".to_owned()],
        ..Descriptor::of("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", &foreign)
    });
    let root = Manifest::from_image(image);
    let source = Flaky::new(memory("source"), Fault::ChecksNothing);
    sample.push_blobs(&*source.inner).await;
    let error = copy(&source, &*memory("target"), &root, &CopyOptions::default())
        .await
        .expect_err("is missing");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    source
        .inner
        .push_blob(&root.image().expect("an image").layers[2], &foreign)
        .await
        .expect("is stored");
    let target = memory("target");
    copy(&source, &*target, &root, &CopyOptions::default())
        .await
        .expect("is copied");
    assert_eq!(lacks(&*target, &root).await, None);
}

#[test]
fn a_copy_may_run_on_any_thread() {
    fn sendable<T: Send>(_: T) {}
    let (source, target) = (memory("source"), memory("target"));
    sendable(copy(&*source, &*target, &index(&[]), &CopyOptions::default()));
}
