//! Whoever signs: a key that is here, or one that never leaves another place.

use async_trait::async_trait;

use super::dsse::Unsigned;
use super::{Envelope, PublicKey, SigningKey, Statement};

/// A private key elsewhere, which signs what it is sent. This module knows no network: somebody above does.
#[async_trait]
pub trait RemoteKey: Send + Sync {
    /// The other half.
    fn public_key(&self) -> &PublicKey;

    /// A signature for each message, in order, as [`SigningKey::sign`] makes them. One request, if that can be.
    async fn sign(&self, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, SignError>;
}

/// Why nothing was signed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SignError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A key that signs, wherever it is.
pub enum Signatory {
    /// Here.
    Local(SigningKey),
    /// Elsewhere.
    Remote(Box<dyn RemoteKey>),
}

impl Signatory {
    /// The other half.
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Local(key) => key.public_key(),
            Self::Remote(key) => key.public_key().clone(),
        }
    }

    /// A signature for each message, in order. What comes from elsewhere is verified before anybody sees it.
    pub async fn sign(&self, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, SignError> {
        let key = match self {
            Self::Local(key) => return Ok(messages.iter().map(|message| key.sign(message)).collect()),
            Self::Remote(_) if messages.is_empty() => return Ok(Vec::new()),
            Self::Remote(key) => key,
        };
        let signatures = key.sign(messages).await?;
        let good = |(message, signature): (&&[u8], &Vec<u8>)| key.public_key().verify(message, signature).is_ok();
        match signatures.len() == messages.len() && messages.iter().zip(&signatures).all(good) {
            true => Ok(signatures),
            false => Err(SignError {
                message: format!(
                    "a signature that came back is not of the key {}",
                    key.public_key().fingerprint().short()
                ),
                help: Some("nothing was written; find out what answers in the place of the key".to_owned()),
            }),
        }
    }

    /// Signs statements, all at once.
    pub async fn envelopes(&self, statements: &[Statement]) -> Result<Vec<Envelope>, SignError> {
        let unsigned: Vec<Unsigned> = statements.iter().map(Unsigned::new).collect();
        let messages: Vec<&[u8]> = unsigned.iter().map(Unsigned::message).collect();
        let signatures = self.sign(&messages).await?;
        let public = self.public_key();
        Ok(unsigned
            .into_iter()
            .zip(signatures)
            .map(|(unsigned, signature)| unsigned.signed(&public, signature))
            .collect())
    }
}

impl From<SigningKey> for Signatory {
    fn from(key: SigningKey) -> Self {
        Self::Local(key)
    }
}

impl std::fmt::Debug for Signatory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Signatory({})", self.public_key().fingerprint().short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::{Algorithm, samples};

    /// A key of another place, which may lie about itself.
    struct Elsewhere {
        own: SigningKey,
        shown: PublicKey,
        lost: usize,
    }

    #[async_trait]
    impl RemoteKey for Elsewhere {
        fn public_key(&self) -> &PublicKey {
            &self.shown
        }

        async fn sign(&self, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, SignError> {
            let kept = messages.len() - self.lost;
            Ok(messages[..kept].iter().map(|message| self.own.sign(message)).collect())
        }
    }

    fn elsewhere(own: &SigningKey, shown: &SigningKey, lost: usize) -> Signatory {
        Signatory::Remote(Box::new(Elsewhere {
            own: own.clone(),
            shown: shown.public_key(),
            lost,
        }))
    }

    #[tokio::test]
    async fn a_key_elsewhere_signs_what_a_key_here_would() {
        let key = SigningKey::generate(Algorithm::Ed25519).expect("key");
        let statements = [samples::about(samples::promotion()), samples::about(samples::summary())];
        let here = Signatory::from(key.clone())
            .envelopes(&statements)
            .await
            .expect("signed");
        let there = elsewhere(&key, &key, 0).envelopes(&statements).await.expect("signed");
        assert_eq!(here, there);
        assert_eq!(here[0], Envelope::sign(&statements[0], &key));
    }

    #[tokio::test]
    async fn a_signature_of_another_key_and_one_too_few_are_refused() {
        let [key, other] = [(); 2].map(|()| SigningKey::generate(Algorithm::P256).expect("key"));
        for signatory in [elsewhere(&other, &key, 0), elsewhere(&key, &key, 1)] {
            let error = signatory.sign(&[b"a", b"b"]).await.expect_err("not its own");
            assert!(error.to_string().contains("not of the key"), "{error}");
        }
    }
}
