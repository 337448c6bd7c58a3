use super::*;
use crate::attest::predicate::{Promotion, Summary, TestResult};
use crate::attest::{Algorithm, SigningKey, samples};
use crate::project::Permission;

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Ed25519).expect("key")
}

fn subject() -> Descriptor {
    Descriptor::new(media_type::OCI_INDEX, samples::digest(), 1234)
}

fn promoted(key: &SigningKey) -> (Record, Vec<Envelope>) {
    let envelopes = [samples::promotion(), samples::summary()].map(|p| Envelope::sign(&samples::about(p), key));
    (
        Record::new(RecordKind::Promoted, &subject(), &envelopes),
        envelopes.to_vec(),
    )
}

fn large(key: &SigningKey) -> (Record, Vec<Envelope>) {
    let text = format!("\"{}\"", "x".repeat(MAX_INSIDE_BYTES));
    let json = crate::attest::predicate::Json::of(&text).expect("JSON");
    let statement = Statement::about("x", samples::digest(), Predicate::Sbom(json));
    let envelopes = vec![Envelope::sign(&statement, key)];
    (Record::new(RecordKind::Sbom, &subject(), &envelopes), envelopes)
}

#[test]
fn small_envelopes_travel_inside_and_the_only_blob_is_the_empty_one() {
    let (record, envelopes) = promoted(&key());
    let manifest = Manifest::parse(record.manifest().bytes().clone(), Some(media_type::OCI_MANIFEST)).expect("is one");
    assert_eq!(manifest.artifact_type(), Some("application/vnd.iamship.record.v1+json"));
    assert_eq!(manifest.subject(), Some(&subject()));
    assert!(manifest.children().iter().all(|child| **child == Descriptor::empty()));
    assert_eq!(record.blobs(), [(Descriptor::empty(), Bytes::from_static(b"{}"))]);
    let content = Record::read(&manifest).expect("reads");
    assert_eq!((content.kind, &content.subject), (RecordKind::Promoted, &subject()));
    assert_eq!(content.envelopes, Envelopes::Inside(envelopes));
}

#[test]
fn large_envelopes_are_blobs() {
    let (record, envelopes) = large(&key());
    assert!(record.manifest().bytes().len() < 2000);
    let content = Record::read(record.manifest()).expect("reads");
    let Envelopes::Blobs(layers) = content.envelopes else {
        panic!("inside")
    };
    assert_eq!(layers.len(), 1);
    assert_eq!(record.blobs()[1], (layers[0].clone(), envelopes[0].bytes().clone()));
    assert_eq!(
        Envelope::parse(record.blobs()[1].1.clone()).expect("reads"),
        envelopes[0]
    );
}

#[test]
fn the_same_act_is_the_same_record_whatever_hints_surround_its_subject() {
    let key = key();
    let (record, envelopes) = promoted(&key);
    assert_eq!(promoted(&key).0, record);
    let mut hinted = subject();
    hinted
        .annotations
        .insert("org.opencontainers.image.ref.name".to_owned(), "dev".to_owned());
    assert_eq!(Record::new(RecordKind::Promoted, &hinted, &envelopes), record);
    assert_ne!(
        Record::new(RecordKind::Promoted, &subject(), &envelopes[..1]).tag(),
        record.tag()
    );
}

#[test]
fn tags_name_the_record() {
    let (record, _) = promoted(&key());
    let digest = record.manifest().digest();
    let tag = RecordTag::parse(&record.tag()).expect("a record's tag");
    assert_eq!((tag.subject, tag.kind), (samples::digest(), RecordKind::Promoted));
    assert!(tag.names(&digest) && !tag.names(&Digest::of(b"other")));
    let history = record.history_tag(&samples::stage(), samples::at());
    let history = HistoryTag::parse(&history).expect("a history tag");
    assert_eq!((history.stage.clone(), history.at), (samples::stage(), samples::at()));
    assert!(history.names(&digest));
}

#[test]
fn a_record_is_the_place_for_its_own_statements_only() {
    use RecordKind::{Approved, Built, Promoted, Rejected, Sbom, Tested};
    let kinds = [Built, Built, Sbom, Tested, Promoted, Promoted, Approved, Rejected];
    for (predicate, own) in samples::all().iter().zip(kinds) {
        for kind in RecordKind::ALL {
            assert_eq!(
                kind.carries(predicate),
                kind == own,
                "{kind} {}",
                predicate.predicate_type()
            );
        }
    }
}

#[test]
fn a_record_counts_whole_or_not_at_all() {
    let (key, stranger) = (key(), key());
    let mut trusted = TrustedKeys::default();
    trusted.insert(key.public_key(), "keys/test.pub", Permission::ALL);
    let verify = |kind, envelopes: &[Envelope], digest: Digest| {
        let record = Record::new(kind, &subject(), envelopes);
        Record::read(record.manifest())
            .expect("reads")
            .verify(&digest, envelopes, &trusted)
    };
    let (_, envelopes) = promoted(&key);
    let verified = verify(RecordKind::Promoted, &envelopes, samples::digest()).expect("counts");
    assert_eq!(verified[0].of::<Promotion>().expect("is one").stage, samples::stage());
    assert!(verified[1].of::<Summary>().is_some() && verified.len() == 2);

    let foreign = [envelopes[0].clone(), promoted(&stranger).1[1].clone()];
    let other = Digest::of(b"other image");
    let doubled = [envelopes[0].clone(), envelopes[0].clone()];
    assert!(matches!(
        verify(RecordKind::Promoted, &foreign, samples::digest()),
        Err(VerifyError::Untrusted)
    ));
    assert!(matches!(
        verify(RecordKind::Promoted, &envelopes, other),
        Err(VerifyError::OtherSubject(_))
    ));
    for (kind, envelopes) in [
        (RecordKind::Approved, envelopes.as_slice()),
        (RecordKind::Promoted, &doubled),
    ] {
        assert!(matches!(
            verify(kind, envelopes, samples::digest()),
            Err(VerifyError::Misplaced { .. })
        ));
    }
}

#[test]
fn one_test_may_have_a_result_of_each_suite_and_no_two_of_one() {
    let key = key();
    let mut trusted = TrustedKeys::default();
    trusted.insert(key.public_key(), "keys/test.pub", Permission::ALL);
    let result = |suite: &str| {
        let Predicate::TestResult(result) = samples::test_result() else {
            panic!("another sample")
        };
        let suite = suite.to_owned();
        Envelope::sign(
            &samples::about(Predicate::TestResult(TestResult { suite, ..result })),
            &key,
        )
    };
    let suites = |names: &[&str]| {
        let envelopes: Vec<_> = names.iter().map(|name| result(name)).collect();
        let record = Record::new(RecordKind::Tested, &subject(), &envelopes);
        let content = Record::read(record.manifest()).expect("reads");
        content
            .verify(&samples::digest(), &envelopes, &trusted)
            .map(|all| all.len())
    };
    assert_eq!(suites(&["boot", "oidc"]).expect("counts"), 2);
    assert!(matches!(
        suites(&["boot", "oidc", "boot"]),
        Err(VerifyError::Misplaced { .. })
    ));
}

#[test]
fn what_is_no_record_is_refused() {
    let (record, _) = promoted(&key());
    let text = std::str::from_utf8(record.manifest().bytes()).expect("text");
    let subject =
        text[text.find(r#","subject":{"#).expect("subject")..text.find(r#","annotations""#).expect("end")].to_owned();
    let (big, _) = large(&key());
    let big = std::str::from_utf8(big.manifest().bytes()).expect("text");
    let size = format!(
        r#""size":{}"#,
        Record::new(RecordKind::Sbom, &self::subject(), &large(&key()).1).blobs()[1]
            .0
            .size
    );
    for (text, from, to) in [
        (text, "vnd.iamship.record", "vnd.other"),
        (text, "dev.iamship.kind", "dev.other.kind"),
        (text, r#":"promoted""#, r#":"promised""#),
        (text, "dev.iamship.envelope.0", "dev.iamship.envelope.9"),
        (text, "dev.iamship.envelope.", "dev.other."),
        (text, r#"{\"payloadType"#, r#"{\"payloadtype"#),
        (text, subject.as_str(), ""),
        (big, media_type::DSSE_ENVELOPE, "text/plain"),
        (big, &size, r#""size":99999999999"#),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let changed = Manifest::parse(text.replace(from, to).into(), None).expect("a manifest");
        assert!(Record::read(&changed).is_err(), "{from} -> {to}");
    }
    let index = Manifest::parse(r#"{"schemaVersion":2,"manifests":[]}"#.into(), None).expect("an index");
    assert!(matches!(Record::read(&index), Err(RecordError::NotARecord)));
}

#[test]
fn a_record_stuffed_with_envelopes_is_refused() {
    let key = key();
    let envelope = Envelope::sign(&samples::about(samples::approval()), &key);
    let record = Record::new(RecordKind::Approved, &subject(), &vec![envelope; MAX_ENVELOPES + 1]);
    assert!(matches!(Record::read(record.manifest()), Err(RecordError::Count(33))));
    let none = Record::new(RecordKind::Approved, &subject(), &[]);
    assert!(matches!(Record::read(none.manifest()), Err(RecordError::Count(0))));
}
