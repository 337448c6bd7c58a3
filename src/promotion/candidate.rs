//! The digest in question, and what trusted keys say of it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::decisions;
use super::evidence::{Candidate, ProvenanceFacts, TestFacts};
use super::ledger::{Listing, Records, VerifiedRecord, records};
use super::standing::newest_first;
use crate::attest::predicate::{Outcome, Parameters, Provenance, TestResult};
use crate::attest::{RecordKind, TrustedKeys, Verified, cosign};
use crate::image::{Digest, Location, Manifest};
use crate::project::StageName;
use crate::store::{Store, StoreError, read_blob};

/// The largest signed payload that is read: 64 KiB.
const MAX_PAYLOAD_BYTES: u64 = 64 << 10;
/// Foreign payloads that are fetched at most: each costs a request.
const MAX_FOREIGN_PAYLOADS: usize = 16;

/// Where the ledger of a digest is read.
pub struct Ledger<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Its tags.
    pub listing: &'a Listing,
    /// Whose word counts.
    pub trusted: &'a TrustedKeys,
    /// As what the image was signed: the project's repository, which copies keep.
    pub signed_as: &'a Location,
}

impl Ledger<'_> {
    /// All that is known of a digest, with the test results of one stage.
    pub async fn candidate(&self, digest: Digest, stage: &StageName) -> Result<Candidate, StoreError> {
        let kinds = [
            RecordKind::Built,
            RecordKind::Tested,
            RecordKind::Approved,
            RecordKind::Rejected,
        ];
        self.read(digest, &kinds, Some(stage)).await
    }

    /// How a digest was built, and whether it was rejected.
    pub async fn built(&self, digest: Digest) -> Result<Candidate, StoreError> {
        self.read(digest, &[RecordKind::Built, RecordKind::Rejected], None)
            .await
    }

    /// How a digest was built, and what people say of it.
    pub async fn decided(&self, digest: Digest) -> Result<Candidate, StoreError> {
        let kinds = [RecordKind::Built, RecordKind::Approved, RecordKind::Rejected];
        self.read(digest, &kinds, None).await
    }

    /// Adds the rejections of this ledger to what is known of a digest. Where there are none, it asks nothing.
    pub async fn add_rejections(&self, candidate: &mut Candidate) -> Result<(), StoreError> {
        let kinds = [RecordKind::Rejected];
        let found = records(self.store, self.listing, &candidate.digest, &kinds, self.trusted).await?;
        decisions::add_rejections(candidate, &found);
        Ok(())
    }

    async fn read(
        &self,
        digest: Digest,
        kinds: &[RecordKind],
        stage: Option<&StageName>,
    ) -> Result<Candidate, StoreError> {
        let (records, signers) = futures::try_join!(
            records(self.store, self.listing, &digest, kinds, self.trusted),
            self.signers(digest),
        )?;
        Ok(stated(digest, &records, signers, stage))
    }

    /// Names of the trusted keys that signed a digest the way cosign does, and what did not count.
    pub async fn signers(&self, digest: Digest) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let tag = cosign::signature_tag(&digest);
        if !self.listing.has(&tag) {
            return Ok((Vec::new(), vec!["it has no cosign signature".to_owned()]));
        }
        let Some(manifest) = self.store.manifest(&tag.into()).await? else {
            return Ok((
                Vec::new(),
                vec!["its cosign signature vanished while it was read".to_owned()],
            ));
        };
        self.verify_signatures(digest, &manifest).await
    }

    async fn verify_signatures(
        &self,
        digest: Digest,
        manifest: &Manifest,
    ) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let signatures = match cosign::SignatureManifest::read(manifest) {
            Ok(signatures) => signatures,
            Err(error) => return Ok((Vec::new(), vec![error.to_string()])),
        };
        // What our own signature covers we can write ourselves: no request.
        let own = cosign::signature_payload(&self.signed_as.to_string(), &digest, &BTreeMap::new());
        let mut payloads: Vec<Bytes> = vec![own];
        if let Ok(signature) = signatures.verify(&digest, &payloads, self.trusted) {
            return Ok((vec![signature.signer().name().to_owned()], Vec::new()));
        }
        for payload in signatures.missing(&payloads).into_iter().take(MAX_FOREIGN_PAYLOADS) {
            payloads.push(read_blob(self.store, payload, MAX_PAYLOAD_BYTES).await?);
        }
        Ok(match signatures.verify(&digest, &payloads, self.trusted) {
            Ok(signature) => (vec![signature.signer().name().to_owned()], Vec::new()),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        })
    }
}

/// What records say of a digest, with the test results of one stage.
pub fn stated(
    digest: Digest,
    records: &Records,
    signers: (Vec<String>, Vec<String>),
    stage: Option<&StageName>,
) -> Candidate {
    let mut candidate = Candidate {
        digest,
        version: None,
        signers: signers.0,
        provenance: None,
        contract: None,
        tests: Vec::new(),
        doubtful_tests: Vec::new(),
        builders: Vec::new(),
        approvals: Vec::new(),
        rejections: Vec::new(),
        doubtful_rejections: Vec::new(),
        ignored: signers.1,
        relied_on: Vec::new(),
    };
    candidate.set_build(records.verified.iter().filter_map(Build::of));
    candidate.approvals = decisions::approvals(records);
    decisions::add_rejections(&mut candidate, records);
    if let Some(stage) = stage {
        let results = records.verified.iter().flat_map(|record| tests_of(record, stage));
        candidate.tests = newest_of_each(results.collect());
    }
    let doubtful = records.doubtful.iter().filter(|tag| tag.kind == RecordKind::Tested);
    candidate.doubtful_tests = doubtful.map(ToString::to_string).collect();
    candidate.ignored.extend(records.ignored.iter().cloned());
    candidate
}

/// What one record says of a build.
struct Build {
    record: Digest,
    provenance: Option<Verified<Provenance>>,
    parameters: Option<Verified<Parameters>>,
}

impl Build {
    fn of(record: &VerifiedRecord) -> Option<Self> {
        let build = Self {
            record: record.digest(),
            provenance: record.statements.iter().find_map(Verified::of),
            parameters: record.statements.iter().find_map(Verified::of),
        };
        (build.provenance.is_some() || build.parameters.is_some()).then_some(build)
    }

    /// Whole ones come first, then the oldest: what counts does not change when another one is added.
    fn rank(&self) -> impl Ord + use<> {
        let finished = self.provenance.as_ref().map(|provenance| provenance.finished_on);
        let lacks = (self.provenance.is_none(), self.parameters.is_none());
        (lacks, finished, self.record)
    }
}

impl Candidate {
    /// Version, provenance and contract are those of one record: of two builds' halves nothing follows.
    fn set_build(&mut self, builds: impl Iterator<Item = Build>) {
        let builds: Vec<Build> = builds.collect();
        let provenances = builds.iter().filter_map(|build| build.provenance.as_ref());
        self.builders = provenances.map(|said| said.signer().fingerprint()).collect();
        let Some(build) = builds.into_iter().min_by_key(Build::rank) else {
            return;
        };
        if let Some(provenance) = build.provenance {
            self.relied_on.push(provenance.envelope_digest());
            self.version = Some(provenance.version.clone());
            self.provenance = Some(ProvenanceFacts {
                signer: provenance.signer().name().to_owned(),
                project: provenance.project.clone(),
                commit: provenance.source.as_ref().map(|source| source.commit.clone()),
                author: provenance.source.as_ref().and_then(|source| source.author.clone()),
                built_at: provenance.finished_on,
                dirty: provenance.source.as_ref().is_some_and(|source| source.dirty),
            });
        }
        if let Some(parameters) = build.parameters {
            self.relied_on.push(parameters.envelope_digest());
            self.contract = Some(parameters.into_inner().contract);
        }
    }
}

/// A record holds the results of all suites of one test.
fn tests_of<'r>(record: &'r VerifiedRecord, stage: &'r StageName) -> impl Iterator<Item = TestFacts> + 'r {
    let results = record.statements.iter().filter_map(Verified::of::<TestResult>);
    results.filter(move |test| test.stage == *stage).map(|test| TestFacts {
        suite: test.suite.clone(),
        stage: test.stage.to_string(),
        passed: test.outcome != Outcome::Failed,
        at: test.at,
        fingerprint: test.values.clone(),
        definition: test.stage_definition,
        signer: test.signer().name().to_owned(),
        record: record.digest(),
        envelope: test.envelope_digest(),
    })
}

/// The newest result of a suite with the same values, and the same container, counts; of two at one moment, the failure does. By suite, then the
/// newest first.
fn newest_of_each(mut tests: Vec<TestFacts>) -> Vec<TestFacts> {
    tests.sort_by(|a, b| a.suite.cmp(&b.suite).then_with(|| newest_first(a, b)));
    let mut newest: Vec<TestFacts> = Vec::new();
    for facts in tests {
        let with = |facts: &TestFacts| (facts.suite.clone(), facts.fingerprint.clone(), facts.definition);
        let is_same = |known: &TestFacts| with(known) == with(&facts);
        if !newest.iter().any(is_same) {
            newest.push(facts);
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::super::gates::fixture::keyed;
    use super::*;
    use crate::attest::predicate::Base;
    use crate::attest::{Algorithm, Envelope, Predicate, Record, SigningKey, Statement};
    use crate::image::{Descriptor, media_type};
    use crate::project::Permission;
    use crate::store::Memory;
    use crate::values::Contract;

    fn result(second: i64, passed: bool) -> TestFacts {
        TestFacts {
            suite: "static".into(),
            stage: "dev".into(),
            passed,
            at: jiff::Timestamp::from_second(second).unwrap(),
            fingerprint: keyed("values"),
            definition: None,
            signer: "k".into(),
            record: Digest::of(&second.to_be_bytes()),
            envelope: Digest::of(b"envelope"),
        }
    }

    /// The version of the build that counts among records of these halves: version, finished at, with a contract.
    async fn counted(records: &[(&str, i64, bool)]) -> (Option<String>, Option<usize>, usize) {
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let mut trusted = TrustedKeys::default();
        trusted.insert(key.public_key(), "keys/test.pub", Permission::ALL);
        let location: Location = "registry.example.com/iam/idsvr".parse().unwrap();
        let store = Memory::new(location.clone());
        let image = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"image"), 5);
        for (version, finished, whole) in records {
            let sign = |predicate| Envelope::sign(&Statement::about("x", image.digest, predicate), &key);
            let mut envelopes = vec![sign(Predicate::Provenance(built(version, *finished)))];
            let contract = Contract::default();
            let config_layers = vec![Digest::of(version.as_bytes())];
            let parameters = Parameters {
                contract,
                config_layers,
            };
            envelopes.extend(whole.then(|| sign(Predicate::Parameters(parameters))));
            let record = Record::new(RecordKind::Built, &image, &envelopes);
            for (blob, bytes) in record.blobs() {
                store.push_blob(blob, bytes).await.unwrap();
            }
            store
                .push_manifest(record.manifest(), &record.tag().into())
                .await
                .unwrap();
        }
        let listing = Listing::read(&store).await.unwrap();
        let ledger = Ledger {
            store: &store,
            listing: &listing,
            trusted: &trusted,
            signed_as: &location,
        };
        let candidate = ledger.built(image.digest).await.unwrap();
        let parameters = candidate.contract.map(|contract| contract.parameters.len());
        (candidate.version, parameters, candidate.relied_on.len())
    }

    fn built(version: &str, finished: i64) -> Provenance {
        Provenance {
            project: "idsvr".into(),
            version: version.into(),
            server: "generic".into(),
            base: Base {
                reference: "example.com/base:1".parse().unwrap(),
                digest: Digest::of(b"base"),
            },
            source: None,
            inputs: Digest::of(b"inputs"),
            builder_version: "0".into(),
            invocation: None,
            started_on: jiff::Timestamp::UNIX_EPOCH,
            finished_on: jiff::Timestamp::from_second(finished).unwrap(),
        }
    }

    #[tokio::test]
    async fn version_and_contract_are_those_of_one_record_a_whole_one_if_there_is_one() {
        let whole = (Some("2".to_owned()), Some(0), 2);
        assert_eq!(counted(&[("1", 1, false), ("2", 2, true)]).await, whole);
        assert_eq!(counted(&[("3", 3, true), ("2", 2, true), ("1", 1, false)]).await, whole);
        assert_eq!(counted(&[("1", 1, false)]).await, (Some("1".to_owned()), None, 1));
        assert_eq!(counted(&[]).await, (None, None, 0));
    }

    #[test]
    fn a_failed_test_again_takes_an_earlier_pass_back_and_the_other_way_round() {
        assert!(!newest_of_each(vec![result(1, true), result(2, false)])[0].passed);
        assert!(newest_of_each(vec![result(2, true), result(1, false)])[0].passed);
    }

    #[test]
    fn the_newest_with_each_values_is_kept() {
        let mut with_others = result(1, false);
        with_others.fingerprint = keyed("other values");
        let tests = newest_of_each(vec![with_others, result(3, true), result(2, false)]);
        let told: Vec<_> = tests.iter().map(|facts| (facts.at.as_second(), facts.passed)).collect();
        assert_eq!(told, [(3, true), (1, false)]);
    }

    #[test]
    fn the_newest_of_each_container_is_kept() {
        let mut elsewhere = result(2, false);
        elsewhere.definition = Some(Digest::of(b"more memory"));
        assert_eq!(newest_of_each(vec![result(1, true), elsewhere]).len(), 2);
    }

    #[test]
    fn at_one_moment_the_failure_counts() {
        let tests = newest_of_each(vec![result(1, true), result(1, false)]);
        assert_eq!(tests.len(), 1);
        assert!(!tests[0].passed);
    }
}
