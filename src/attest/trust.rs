//! Whose word counts, and the proof that it was checked.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::statement::PredicateBody;
use super::{Envelope, KeyError, PublicKey, Statement, StatementError};
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
    /// Signed, but not readable.
    #[error(transparent)]
    Statement(#[from] StatementError),
}
