//! A key in a transit engine, as whoever signs sees it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::attest::{PublicKey, RemoteKey, SignError};
use crate::ops::FingerprintKey;
use crate::project::TransitKey;
use crate::vault::{TransitPublicKey, Vault, VaultError};

/// The newest version of a key in a transit engine.
pub(super) struct KeyInVault {
    vault: Arc<Vault>,
    key: TransitPublicKey,
    public: PublicKey,
}

impl KeyInVault {
    /// Asks for its public half.
    pub(super) async fn find(vault: Arc<Vault>, key: &TransitKey) -> Result<Self, VaultError> {
        let found = vault.public_key(key).await?;
        let public = PublicKey::from_pem(&found.pem).map_err(|error| VaultError::Unusable {
            path: key.to_string(),
            because: format!("has no public half that can be used: {error}"),
        })?;
        Ok(Self {
            vault,
            key: found,
            public,
        })
    }

    /// Its `PUBLIC KEY` block and fingerprint are those of any other key.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A secret for another purpose, or none where the policy lets nobody have one.
    ///
    /// The oldest version of the key that may be used makes it, so that a rotation does not make every test stale.
    pub(super) async fn derive(&self, label: &str) -> Result<Option<FingerprintKey>, VaultError> {
        let text = format!("iamship derived key v1\0{label}");
        Ok(self.vault.hmac(&self.key, &text).await?.map(Arc::new))
    }
}

#[async_trait]
impl RemoteKey for Arc<KeyInVault> {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, SignError> {
        self.vault.sign(&self.key, messages).await.map_err(|error| SignError {
            message: error.to_string(),
            help: error.help(),
        })
    }
}
