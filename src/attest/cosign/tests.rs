//! With what cosign 2.5.0 wrote as fixtures.

use super::*;
use crate::attest::keys::tests::{COSIGN_KEY, COSIGN_PUBLIC};
use crate::attest::predicate::{Json, Parameters};
use crate::attest::{
    Algorithm, Envelope, Predicate, PublicKey, SigningKey, Statement, TrustedKeys, Verified, VerifyError,
};
use crate::project::Permission;

const IMAGE: &str = "cdb87bb844d1885a75cac8412e3e5ef0bbbcc89e141b2dc19aeadf01b210ab63";
const LOCATION: &str = "127.0.0.1:5461/app";
/// Written by `cosign sign` 2.5.0 with [`COSIGN_KEY`]: plain, then with `-a 'k=<v>&'`.
const SIG: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":342,"digest":"sha256:c6f5eb988010a0529b151eb379c35e980979b49d80003a9e60c6fb51acb6b347"},"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":234,"digest":"sha256:53ae2df119e0dfca6850f8de643927af89513166a1a7309c05b6fdae8c7a7ab0","annotations":{"dev.cosignproject.cosign/signature":"MEUCIAN0Nm5Iwr4LDZ2jZDUq42/3GmfxUOeJeQimCEWGhjnNAiEA2/LUroO2zQ0OYP/S+nybnx7qcPRUcbchrxqIAV/3KNs="}},{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":257,"digest":"sha256:5c59b3a6ee9f5ab79e9f7cdd9a4a73677546803e27e83ed3cf7934b53d44f6c6","annotations":{"dev.cosignproject.cosign/signature":"MEQCIGWwwni5S7i46yXhme4M7w2EbK/B0S0MmSMFd61uTtzvAiBB2QOpkGVLVrAY+Dq3Gt/xKcbGqsFc8kwfdqQ8ggYy/Q=="}}]}"#;
/// Written by `cosign attest` 2.5.0 with the same key: the manifest, and its one layer.
const ATT: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":233,"digest":"sha256:9297a842687fab26fdb5ec6f0ad9ebbd596994f8afe68a8423fa20fae8623bfc"},"layers":[{"mediaType":"application/vnd.dsse.envelope.v1+json","size":580,"digest":"sha256:30b229bb8af85c49ef9e93fdbd6c986b22864c50e05abe4a7c3de7138f2e36c9","annotations":{"dev.cosignproject.cosign/signature":"","predicateType":"https://in-toto.io/attestation/test-result/v0.1"}}]}"#;
const ENVELOPE: &str = r#"{"payloadType":"application/vnd.in-toto+json","payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjAuMSIsInByZWRpY2F0ZVR5cGUiOiJodHRwczovL2luLXRvdG8uaW8vYXR0ZXN0YXRpb24vdGVzdC1yZXN1bHQvdjAuMSIsInN1YmplY3QiOlt7Im5hbWUiOiIxMjcuMC4wLjE6NTQ2MS9hcHAiLCJkaWdlc3QiOnsic2hhMjU2IjoiY2RiODdiYjg0NGQxODg1YTc1Y2FjODQxMmUzZTVlZjBiYmJjYzg5ZTE0MWIyZGMxOWFlYWRmMDFiMjEwYWI2MyJ9fV0sInByZWRpY2F0ZSI6eyJjb25maWd1cmF0aW9uIjpbXSwicmVzdWx0IjoiUEFTU0VEIn19","signatures":[{"keyid":"","sig":"MEYCIQDpMUpzonhVm+2cWFGOX0ZDp5O/94a2TlCrBjlHteuYUAIhAOXpCaxYtc5AxLkg1P8XIsrVldR3S9VjBwe+s332Dr6g"}]}"#;

fn digest() -> Digest {
    Digest::from_hex(IMAGE).expect("digest")
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse(Bytes::copy_from_slice(text.as_bytes()), None).expect("manifest")
}

fn trusting(key: &PublicKey, may: &[Permission]) -> TrustedKeys {
    let mut trusted = TrustedKeys::default();
    trusted.insert(key.clone(), "keys/test.pub", may.iter().copied());
    trusted
}

fn cosigns() -> PublicKey {
    PublicKey::from_pem(COSIGN_PUBLIC).expect("key")
}

fn annotated() -> Bytes {
    let annotations = [("k".to_owned(), "<v>&".to_owned())].into();
    signature_payload(LOCATION, &digest(), &annotations)
}

fn plain() -> Bytes {
    signature_payload(LOCATION, &digest(), &Default::default())
}

fn parameters(key: &SigningKey) -> Envelope {
    let parameters = Parameters {
        contract: Default::default(),
        config_layers: Vec::new(),
    };
    Envelope::sign(
        &Statement::about(LOCATION, digest(), Predicate::Parameters(parameters)),
        key,
    )
}

#[test]
fn payloads_are_cosigns_to_the_byte() {
    let layers = SignatureManifest::read(&manifest(SIG)).expect("reads");
    assert_eq!(Digest::of(&plain()), layers.layers()[0].payload.digest);
    assert_eq!(Digest::of(&annotated()), layers.layers()[1].payload.digest);
}

#[test]
fn cosigns_signature_counts_and_nothing_need_be_fetched() {
    let trusted = trusting(&cosigns(), &[Permission::Build]);
    let signatures = SignatureManifest::read(&manifest(SIG)).expect("reads");
    let verified = signatures.verify(&digest(), &[plain()], &trusted).expect("verifies");
    assert_eq!(verified.location, LOCATION);
    assert_eq!(verified.signer().name(), "keys/test.pub");
    assert_eq!(signatures.missing(&[plain()]).len(), 1);
    assert!(signatures.missing(&[plain(), annotated()]).is_empty());
    let second = signatures
        .verify(&digest(), &[annotated()], &trusted)
        .expect("verifies");
    assert_eq!(second.annotations["k"], "<v>&");
}

fn refused<T>(result: Result<Verified<T>, VerifyError>) -> String {
    result.err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn other_keys_digests_permissions_and_payloads_do_not_count() {
    let signatures = SignatureManifest::read(&manifest(SIG)).expect("reads");
    let all = trusting(&cosigns(), &Permission::ALL);
    let other = SigningKey::generate(Algorithm::P256).expect("key").public_key();
    let other = trusting(&other, &Permission::ALL);
    assert!(refused(signatures.verify(&digest(), &[plain()], &other)).contains("no key"));
    assert!(refused(signatures.verify(&digest(), &[], &all)).contains("no key"));
    assert!(refused(signatures.verify(&digest(), &["{}".into()], &all)).contains("no key"));
    assert!(refused(signatures.verify(&Digest::of(b"x"), &[plain()], &all)).contains("another digest"));
    let tester = trusting(&cosigns(), &[Permission::Test]);
    assert!(refused(signatures.verify(&digest(), &[plain()], &tester)).contains("`build`"));
    let swapped = manifest(&SIG.replace("MEUCIAN0", "MEUCIAN1"));
    let swapped = SignatureManifest::read(&swapped).expect("reads");
    assert!(refused(swapped.verify(&digest(), &[plain()], &all)).contains("no key"));
}

#[test]
fn a_signed_text_that_is_no_image_signature_does_not_count() {
    let key = SigningKey::generate(Algorithm::Ed25519).expect("key");
    let all = trusting(&key.public_key(), &Permission::ALL);
    let text = String::from_utf8(plain().to_vec()).expect("text");
    for payload in ["{}", "junk", &text.replace("cosign container", "atomic container")] {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let projection = append_signature(None, &payload, &key.public_key(), &key.sign(&payload))
            .expect("appends")
            .expect("changes");
        let signatures = SignatureManifest::read(&projection.manifest).expect("reads");
        assert!(refused(signatures.verify(&digest(), &[payload], &all)).contains("another digest"));
    }
}

#[test]
fn appending_keeps_what_others_wrote_and_is_done_once() {
    let key = SigningKey::generate(Algorithm::Ed25519).expect("key");
    // A field that iamship doesn't know, in a layer and outside.
    let foreign = SIG
        .replacen(r#""size":234,"#, r#""size":234,"later":{"b":1,"a":2},"#, 1)
        .replacen(r#""schemaVersion":2,"#, r#""schemaVersion":2,"x":[1e3],"#, 1);
    let existing = manifest(&foreign);
    let projection = append_signature(Some(&existing), &plain(), &key.public_key(), &key.sign(&plain()))
        .expect("appends")
        .expect("changes");
    let text = String::from_utf8(projection.manifest.bytes().to_vec()).expect("text");
    let kept = &foreign[foreign.find(r#""layers":["#).expect("layers")..foreign.len() - 2];
    assert!(text.contains(kept), "{text}");
    assert!(text.contains(r#""x":[1000.0]"#));
    let layers = &projection.manifest.image().expect("image").layers;
    assert_eq!(layers.len(), 3);
    assert_eq!(
        layers[0].digest, layers[2].digest,
        "the same payload by another key is another signature"
    );
    let again = append_signature(
        Some(&projection.manifest),
        &plain(),
        &key.public_key(),
        &key.sign(&plain()),
    )
    .expect("appends");
    assert_eq!(again, None);
    for (public, payload) in [(cosigns(), annotated()), (key.public_key(), plain())] {
        let trusted = trusting(&public, &[Permission::Build]);
        let signatures = SignatureManifest::read(&projection.manifest).expect("reads");
        assert!(signatures.verify(&digest(), &[payload], &trusted).is_ok());
    }
}

#[test]
fn cosigns_own_signature_by_the_same_key_is_not_doubled() {
    let key = SigningKey::from_pem(&COSIGN_KEY.into(), Some(&"iamship-test".into())).expect("key");
    assert_eq!(
        append_signature(Some(&manifest(SIG)), &plain(), &key.public_key(), &key.sign(&plain())).expect("appends"),
        None
    );
}

#[test]
fn configurations_are_cosigns_and_list_each_layer() {
    let key = SigningKey::from_pem(&COSIGN_KEY.into(), Some(&"iamship-test".into())).expect("key");
    let layer = json!({"digest": "sha256:30b229bb8af85c49ef9e93fdbd6c986b22864c50e05abe4a7c3de7138f2e36c9"});
    let expected = "sha256:9297a842687fab26fdb5ec6f0ad9ebbd596994f8afe68a8423fa20fae8623bfc";
    assert_eq!(
        Digest::of(&configuration(&[layer]).expect("writes")).to_string(),
        expected
    );
    let envelopes = [parameters(&key)];
    let projection = append_attestations(Some(&manifest(ATT)), &envelopes)
        .expect("appends")
        .expect("changes");
    let image = projection.manifest.image().expect("image");
    let (config, bytes) = projection.blobs.last().expect("configuration");
    assert_eq!(*config, image.config);
    let bytes: Value = serde_json::from_slice(bytes).expect("JSON");
    assert_eq!(bytes["rootfs"]["diff_ids"].as_array().map(Vec::len), Some(2));
    assert_eq!(bytes["history"].as_array().map(Vec::len), Some(2));
}

#[test]
fn attestations_unite() {
    let key = SigningKey::generate(Algorithm::P256).expect("key");
    let other = SigningKey::generate(Algorithm::P256).expect("key");
    let one = [parameters(&key)];
    let both = [parameters(&key), parameters(&other), parameters(&key)];
    let first = append_attestations(Some(&manifest(ATT)), &one)
        .expect("appends")
        .expect("changes");
    assert_eq!(first.blobs.len(), 2);
    assert_eq!(append_attestations(Some(&first.manifest), &one).expect("appends"), None);
    let second = append_attestations(Some(&first.manifest), &both)
        .expect("appends")
        .expect("changes");
    let layers = attestation_layers(&second.manifest).expect("reads");
    assert_eq!(layers.len(), 3);
    assert_eq!(layers[0].envelope.digest, Digest::of(ENVELOPE.as_bytes()));
    let annotations = &layers[2].envelope.annotations;
    assert_eq!(annotations[SIGNATURE], "");
    assert_eq!(annotations[PREDICATE_TYPE], "https://iamship.dev/parameters/v1");
    assert_eq!(append_attestations(None, &[]).expect("appends"), None);
}

#[test]
fn cosigns_attestation_is_read_and_verified() {
    let envelope = Envelope::parse(ENVELOPE).expect("reads");
    let verified = trusting(&cosigns(), &[Permission::Test])
        .verify(&envelope, &digest())
        .expect("verifies");
    // Not one that iamship wrote, so it has no stage: it proves a signature, not a test of ours.
    assert!(matches!(&verified.predicate, Predicate::Other { predicate, .. }
        if predicate.as_str() == r#"{"configuration":[],"result":"PASSED"}"#));
    let builder = trusting(&cosigns(), &[Permission::Build]);
    assert!(refused(builder.verify(&envelope, &digest())).contains("`test`"));
}

#[test]
fn what_is_no_signature_is_passed_over_and_what_is_no_image_refused() {
    let odd = r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[
        {"mediaType":"text/plain","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},
        {"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},
        {"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":99999999,"annotations":{"dev.cosignproject.cosign/signature":"AA=="}},
        {"mediaType":"application/vnd.dsse.envelope.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":99999999999}]}"#;
    assert!(
        SignatureManifest::read(&manifest(odd))
            .expect("reads")
            .layers()
            .is_empty()
    );
    assert!(attestation_layers(&manifest(odd)).expect("reads").is_empty());
    let index = manifest(r#"{"schemaVersion":2,"manifests":[]}"#);
    let key = SigningKey::generate(Algorithm::Ed25519).expect("key");
    assert!(matches!(SignatureManifest::read(&index), Err(CosignError::NotAnImage)));
    assert!(matches!(
        append_signature(Some(&index), &plain(), &key.public_key(), &key.sign(&plain())),
        Err(CosignError::NotAnImage)
    ));
    assert!(matches!(
        append_attestations(Some(&index), &[parameters(&key)]),
        Err(CosignError::NotAnImage)
    ));
    let no_statement = Envelope::sign_bytes("text/plain", b"x".to_vec(), &key);
    assert!(matches!(
        append_attestations(None, &[no_statement]),
        Err(CosignError::Statement(_))
    ));
}

#[test]
fn a_tag_stuffed_with_layers_is_refused() {
    let layer = r#"{"mediaType":"text/plain","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
    let layers = vec![layer; MAX_LAYERS + 1].join(",");
    let full = manifest(&format!(
        r#"{{"schemaVersion":2,"config":{layer},"layers":[{layers}]}}"#
    ));
    assert!(matches!(SignatureManifest::read(&full), Err(CosignError::Full(_))));
    assert!(matches!(attestation_layers(&full), Err(CosignError::Full(_))));
}

#[test]
fn tags_are_where_cosign_looks() {
    assert_eq!(signature_tag(&digest()).as_str(), format!("sha256-{IMAGE}.sig"));
    assert_eq!(attestation_tag(&digest()).as_str(), format!("sha256-{IMAGE}.att"));
}

#[test]
fn an_sbom_is_projected_too() {
    let key = SigningKey::generate(Algorithm::P256).expect("key");
    let sbom = Json::of(&json!({"bomFormat": "CycloneDX"})).expect("JSON");
    let envelope = Envelope::sign(&Statement::about("x", digest(), Predicate::Sbom(sbom)), &key);
    let projection = append_attestations(None, &[envelope])
        .expect("appends")
        .expect("changes");
    let layers = attestation_layers(&projection.manifest).expect("reads");
    assert_eq!(layers[0].predicate_type.as_deref(), Some("https://cyclonedx.org/bom"));
}
