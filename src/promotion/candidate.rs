//! The digest in question, and what trusted keys say of it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::evidence::{Candidate, ProvenanceFacts, TestFacts};
use super::ledger::{Listing, VerifiedRecord, records};
use crate::attest::predicate::{Outcome, Parameters, Provenance, TestResult};
use crate::attest::{RecordKind, Statement, TrustedKeys, Verified, cosign};
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
        let kinds = [RecordKind::Built, RecordKind::Tested];
        let (records, signers) = futures::try_join!(
            records(self.store, self.listing, &digest, &kinds, self.trusted),
            self.signers(digest),
        )?;
        let mut candidate = Candidate {
            digest,
            version: None,
            signers: signers.0,
            provenance: None,
            contract: None,
            tests: Vec::new(),
            ignored: signers.1,
            relied_on: Vec::new(),
        };
        for record in &records.verified {
            for statement in &record.statements {
                candidate.add(record, statement, stage);
            }
        }
        candidate.tests = newest_of_each_suite(candidate.tests);
        candidate.ignored.extend(records.ignored);
        Ok(candidate)
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

impl Candidate {
    fn add(&mut self, record: &VerifiedRecord, statement: &Verified<Statement>, stage: &StageName) {
        let signer = statement.signer().name().to_owned();
        if let Some(provenance) = statement.of::<Provenance>() {
            self.version.get_or_insert_with(|| provenance.version.clone());
            self.provenance.get_or_insert_with(|| ProvenanceFacts {
                signer,
                project: provenance.project.clone(),
                commit: provenance.source.as_ref().map(|source| source.commit.clone()),
                dirty: provenance.source.as_ref().is_some_and(|source| source.dirty),
            });
        } else if let Some(parameters) = statement.of::<Parameters>() {
            self.contract.get_or_insert_with(|| parameters.contract.clone());
        } else if let Some(test) = statement.of::<TestResult>() {
            if test.stage != *stage {
                return;
            }
            self.tests.push(TestFacts {
                suite: test.suite.clone(),
                stage: test.stage.to_string(),
                passed: test.outcome != Outcome::Failed,
                at: test.at,
                fingerprint: test.values.clone(),
                signer,
                record: record.digest(),
            });
        } else {
            return;
        }
        self.relied_on.push(statement.envelope_digest());
    }
}

/// The newest result of a suite counts; of two at one moment, the failure does.
fn newest_of_each_suite(mut tests: Vec<TestFacts>) -> Vec<TestFacts> {
    tests.sort_by(|a, b| {
        a.suite
            .cmp(&b.suite)
            .then_with(|| b.at.cmp(&a.at))
            .then_with(|| a.passed.cmp(&b.passed))
    });
    tests.dedup_by(|later, kept| later.suite == kept.suite);
    tests
}

#[cfg(test)]
mod tests {
    use super::super::gates::fixture::keyed;
    use super::*;

    fn result(second: i64, passed: bool) -> TestFacts {
        TestFacts {
            suite: "static".into(),
            stage: "dev".into(),
            passed,
            at: jiff::Timestamp::from_second(second).unwrap(),
            fingerprint: keyed("values"),
            signer: "k".into(),
            record: Digest::of(&second.to_be_bytes()),
        }
    }

    #[test]
    fn a_failed_test_again_takes_an_earlier_pass_back_and_the_other_way_round() {
        assert!(!newest_of_each_suite(vec![result(1, true), result(2, false)])[0].passed);
        assert!(newest_of_each_suite(vec![result(2, true), result(1, false)])[0].passed);
    }

    #[test]
    fn at_one_moment_the_failure_counts() {
        let tests = newest_of_each_suite(vec![result(1, true), result(1, false)]);
        assert_eq!(tests.len(), 1);
        assert!(!tests[0].passed);
    }
}
