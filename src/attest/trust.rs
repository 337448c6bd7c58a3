//! Whose word counts, and the proof that it was checked.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::statement::PredicateBody;
use super::{Envelope, KeyError, PublicKey, RecordKind, Statement, StatementError};
use crate::image::Digest;
use crate::project::{Permission, TrustedKey};

/// The project's `signing.trusted`, ready to verify.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    signers: Vec<Signer>,
}

/// A key that is trusted, its name and what its owner may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    key: PublicKey,
    name: String,
    fingerprint: Digest,
    may: BTreeSet<Permission>,
}

impl Signer {
    /// The file that the project trusts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`PublicKey::fingerprint`]. Two files with one key are one signer: count these, not names.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// What the owner may say.
    pub fn may(&self, permission: Permission) -> bool {
        self.may.contains(&permission)
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl TrustedKeys {
    /// Reads the keys that a project trusts. Every bad one is told, with its path.
    pub fn read(keys: &[TrustedKey]) -> Result<Self, Vec<(String, KeyError)>> {
        let mut trusted = Self::default();
        let mut wrong = Vec::new();
        for key in keys {
            match PublicKey::from_pem(&key.pem) {
                Ok(public) => trusted.insert(public, key.path.as_str(), key.may.iter().copied()),
                Err(error) => wrong.push((key.path.to_string(), error)),
            }
        }
        if wrong.is_empty() { Ok(trusted) } else { Err(wrong) }
    }

    /// Trusts one more key. A key that is there already gets the permissions on top.
    pub fn insert(&mut self, key: PublicKey, name: &str, may: impl IntoIterator<Item = Permission>) {
        let fingerprint = key.fingerprint();
        if let Some(known) = self.signers.iter_mut().find(|signer| signer.fingerprint == fingerprint) {
            known.may.extend(may);
            return;
        }
        self.signers.push(Signer {
            fingerprint,
            key,
            name: name.to_owned(),
            may: may.into_iter().collect(),
        });
    }

    /// Whether nobody is trusted, so that nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// All of them.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Proves that a trusted key, whose owner may say such things, says this of `subject`.
    pub fn verify(&self, envelope: &Envelope, subject: &Digest) -> Result<Verified<Statement>, VerifyError> {
        let message = envelope.signed_bytes();
        let signers: Vec<&Signer> = envelope
            .signatures()
            .iter()
            .filter_map(|signature| self.who_signed(&message, &signature.signature, &signature.key_id))
            .collect();
        let Some(first) = signers.first() else {
            return Err(VerifyError::Untrusted);
        };
        // Not a byte of the payload is looked at before its signature holds.
        let statement = envelope.unverified_statement()?;
        if !statement.is_about(subject) {
            return Err(VerifyError::OtherSubject(*subject));
        }
        let needed = statement.predicate.permission();
        let Some(signer) = signers
            .iter()
            .find(|signer| needed.is_none_or(|needed| signer.may(needed)))
        else {
            return Err(VerifyError::NotPermitted {
                signer: first.name.clone(),
                permission: needed.map_or("", Permission::as_str),
            });
        };
        Ok(Verified {
            content: statement,
            signer: (*signer).clone(),
            subject: *subject,
            envelope: envelope.digest(),
            payload: envelope.payload_digest(),
        })
    }

    /// The trusted key that made a signature. `hint` is tried first and never relied on.
    pub(super) fn who_signed(&self, message: &[u8], signature: &[u8], hint: &str) -> Option<&Signer> {
        let hinted = |signer: &&Signer| signer.fingerprint.hex() == hint;
        let first = self.signers.iter().filter(hinted);
        let rest = self.signers.iter().filter(|signer| !hinted(signer));
        first
            .chain(rest)
            .find(|signer| signer.key.verify(message, signature).is_ok())
    }
}

/// Something that a trusted key says of a digest. Only this module's verifiers make one.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    content: T,
    signer: Signer,
    subject: Digest,
    envelope: Digest,
    payload: Digest,
}

impl<T> Verified<T> {
    pub(super) fn new(content: T, signer: Signer, subject: Digest, payload: Digest) -> Self {
        Self {
            content,
            signer,
            subject,
            envelope: payload,
            payload,
        }
    }

    /// Who says it.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The digest that it was asked about, and is about.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// Digest of the envelope's bytes: what a VSA lists as input.
    pub fn envelope_digest(&self) -> Digest {
        self.envelope
    }

    /// Digest of the signed bytes: one statement, however often and in whatever wrapping it is stored.
    pub fn payload_digest(&self) -> Digest {
        self.payload
    }

    /// The content, without its proof.
    pub fn into_inner(self) -> T {
        self.content
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

impl Verified<Statement> {
    /// The statement's predicate, if it is of that kind: `statement.of::<TestResult>()`.
    pub fn of<P: PredicateBody>(&self) -> Option<Verified<P>> {
        Some(Verified {
            content: P::from_predicate(&self.content.predicate)?.clone(),
            signer: self.signer.clone(),
            subject: self.subject,
            envelope: self.envelope,
            payload: self.payload,
        })
    }
}

/// Why a statement does not count.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No signature by a trusted key, or the bytes were changed.
    #[error("no key in `signing.trusted` made a signature over it")]
    Untrusted,
    /// By a key that is trusted with other things.
    #[error("signed by `{signer}`, which may not say this: its `may` lacks `{permission}`")]
    NotPermitted {
        /// The key's file.
        signer: String,
        /// What is lacking.
        permission: &'static str,
    },
    /// A statement about something else, put here.
    #[error("it is a statement about another digest than {0}")]
    OtherSubject(Digest),
    /// In a record of another kind, or there twice.
    #[error("`{predicate_type}` has no place there in a record of kind `{kind}`")]
    Misplaced {
        /// What it says it is.
        predicate_type: String,
        /// The record's kind.
        kind: RecordKind,
    },
    /// Signed by a trusted key, but not readable.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl VerifyError {
    /// Whether it may be passed over: whoever can write to the registry can put such things there, and they say
    /// nothing. Where not, a trusted key said something that this version can't read: it may be a "no", so stop.
    pub fn is_noise(&self) -> bool {
        !matches!(self, Self::Statement(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::predicate::{Promotion, TestResult};
    use crate::attest::{Algorithm, IN_TOTO, Predicate, SigningKey, samples};

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Ed25519).expect("key")
    }

    fn trusting(key: &SigningKey, may: &[Permission]) -> TrustedKeys {
        let mut trusted = TrustedKeys::default();
        trusted.insert(key.public_key(), "keys/test.pub", may.iter().copied());
        trusted
    }

    fn sign(predicate: Predicate, key: &SigningKey) -> Envelope {
        Envelope::sign(&samples::about(predicate), key)
    }

    fn changed(envelope: &Envelope, from: &str, to: &str) -> Envelope {
        let text = std::str::from_utf8(envelope.bytes()).expect("text");
        assert!(text.contains(from), "{from} in {text}");
        Envelope::parse(text.replacen(from, to, 1)).expect("still an envelope")
    }

    #[test]
    fn a_trusted_statement_counts() {
        for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
            let key = SigningKey::generate(algorithm).expect("key");
            let envelope = sign(samples::test_result(), &key);
            let verified = trusting(&key, &[Permission::Test])
                .verify(&envelope, &samples::digest())
                .expect("counts");
            assert_eq!(verified.signer().name(), "keys/test.pub");
            assert_eq!(verified.signer().fingerprint(), key.public_key().fingerprint());
            assert!(verified.signer().may(Permission::Test) && !verified.signer().may(Permission::Build));
            assert_eq!(verified.envelope_digest(), Digest::of(envelope.bytes()));
            assert_eq!(verified.subject(), samples::digest());
            assert_eq!(verified.of::<TestResult>().expect("is one").suite, "static");
            assert!(verified.of::<Promotion>().is_none());
        }
    }

    #[test]
    fn each_kind_needs_its_permission_and_no_other_will_do() {
        use Permission::{Approve, Build, Promote, Test};
        let needed = [Build, Build, Build, Test, Promote, Promote, Approve, Approve];
        let key = key();
        for (predicate, needed) in samples::all().into_iter().zip(needed) {
            let envelope = sign(predicate, &key);
            for permission in Permission::ALL {
                let result = trusting(&key, &[permission]).verify(&envelope, &samples::digest());
                match result {
                    Ok(_) => assert_eq!(permission, needed),
                    Err(VerifyError::NotPermitted {
                        signer,
                        permission: lacking,
                    }) => {
                        assert_ne!(permission, needed);
                        assert_eq!((signer.as_str(), lacking), ("keys/test.pub", needed.as_str()));
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    #[test]
    fn a_statement_put_on_another_digest_does_not_count() {
        let key = key();
        let envelope = sign(samples::promotion(), &key);
        let other = Digest::of(b"other image");
        let result = trusting(&key, &Permission::ALL).verify(&envelope, &other);
        assert!(matches!(result, Err(VerifyError::OtherSubject(digest)) if digest == other));
    }

    #[test]
    fn changed_payloads_types_and_signatures_do_not_count() {
        let key = key();
        let envelope = sign(samples::promotion(), &key);
        let trusted = trusting(&key, &Permission::ALL);
        let payload = samples::about(samples::promotion()).to_bytes();
        let hold = String::from_utf8(payload.clone())
            .expect("text")
            .replace("\"pass\"", "\"hold\"");
        let encoded = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let good = envelope.signatures()[0].signature.clone();
        let mut bad = good.clone();
        bad[0] ^= 1;
        for (from, to) in [
            (encoded(&payload), encoded(hold.as_bytes())),
            (encoded(&payload), String::new()),
            (IN_TOTO.to_owned(), "application/vnd.in-toto+jsom".to_owned()),
            (encoded(&good), encoded(&bad)),
            (encoded(&good), encoded(&good[1..])),
            (encoded(&good), String::new()),
        ] {
            let result = trusted.verify(&changed(&envelope, &from, &to), &samples::digest());
            assert!(matches!(result, Err(VerifyError::Untrusted)), "{from} -> {to}");
        }
    }

    #[test]
    fn a_key_id_is_a_hint_only() {
        let (key, stranger) = (key(), key());
        let trusted = trusting(&key, &Permission::ALL);
        let own = key.public_key().fingerprint().hex();
        let foreign = stranger.public_key().fingerprint().hex();
        let renamed = changed(&sign(samples::approval(), &key), &own, "junk");
        assert!(trusted.verify(&renamed, &samples::digest()).is_ok());
        let posing = changed(&sign(samples::approval(), &stranger), &foreign, &own);
        assert!(matches!(
            trusted.verify(&posing, &samples::digest()),
            Err(VerifyError::Untrusted)
        ));
    }

    #[test]
    fn one_good_signature_among_others_is_enough_and_says_who() {
        let (tester, approver, stranger) = (key(), key(), key());
        let mut trusted = trusting(&tester, &[Permission::Test]);
        trusted.insert(approver.public_key(), "keys/ops.pub", [Permission::Approve]);
        let statement = samples::about(samples::approval());
        let signatures = [&stranger, &tester, &approver].map(|key| {
            let envelope = Envelope::sign(&statement, key);
            let text = std::str::from_utf8(envelope.bytes()).expect("text").to_owned();
            let start = text.find(r#"[{"keyid""#).expect("signatures") + 1;
            (text[..start].to_owned(), text[start..text.len() - 2].to_owned())
        });
        let joined = signatures.each_ref().map(|(_, signature)| signature.as_str()).join(",");
        let envelope = Envelope::parse(format!("{}{joined}]}}", signatures[0].0)).expect("envelope");
        let verified = trusted.verify(&envelope, &samples::digest()).expect("counts");
        assert_eq!(verified.signer().name(), "keys/ops.pub");
    }

    #[test]
    fn another_wrapping_is_the_same_statement() {
        let key = key();
        let envelope = sign(samples::approval(), &key);
        let wrapped = changed(&envelope, r#"{"payloadType""#, r#"{ "payloadType""#);
        let trusted = trusting(&key, &Permission::ALL);
        let [one, other] = [&envelope, &wrapped].map(|e| trusted.verify(e, &samples::digest()).expect("counts"));
        assert_ne!(one.envelope_digest(), other.envelope_digest());
        assert_eq!(one.payload_digest(), other.payload_digest());
    }

    #[test]
    fn signed_junk_is_told_apart_from_unsigned() {
        let key = key();
        let trusted = trusting(&key, &Permission::ALL);
        let junk = Envelope::sign_bytes(IN_TOTO, b"junk".to_vec(), &key);
        assert!(matches!(
            trusted.verify(&junk, &samples::digest()),
            Err(VerifyError::Statement(_))
        ));
        let text = Envelope::sign_bytes("text/plain", samples::about(samples::approval()).to_bytes(), &key);
        assert!(matches!(
            trusted.verify(&text, &samples::digest()),
            Err(VerifyError::Statement(_))
        ));
        let nobody = TrustedKeys::default();
        assert!(nobody.is_empty());
        assert!(matches!(
            nobody.verify(&junk, &samples::digest()),
            Err(VerifyError::Untrusted)
        ));
    }

    #[test]
    fn keys_are_read_from_the_project_and_all_bad_ones_told() {
        let key = key();
        let file = |path: &str, pem: &str, may: &[Permission]| TrustedKey {
            path: path.into(),
            pem: pem.to_owned(),
            may: may.iter().copied().collect(),
        };
        let pem = key.public_key().to_pem();
        let twice = [
            file("a.pub", &pem, &[Permission::Test]),
            file("b.pub", &pem, &[Permission::Build]),
        ];
        let trusted = TrustedKeys::read(&twice).expect("reads");
        assert_eq!(trusted.signers().len(), 1, "one key in two files is one signer");
        assert!(trusted.signers()[0].may(Permission::Build) && trusted.signers()[0].may(Permission::Test));
        let wrong = TrustedKeys::read(&[file("a", "x", &[]), file("b", &pem, &[]), file("c", "", &[])]);
        let paths: Vec<_> = wrong
            .expect_err("two are bad")
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(paths, ["a", "c"]);
    }
}
