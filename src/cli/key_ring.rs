//! The project's keys: the private one, wherever it is, and whom the project trusts.

use std::io::IsTerminal as _;
use std::sync::Arc;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use tokio::sync::OnceCell;

use super::connect::variable;
use super::failure::Failure;
use super::transit::KeyInVault;
use crate::attest::{FINGERPRINT, KeyError, Signatory, SigningKey, TrustedKeys};
use crate::image::Digest;
use crate::ops::{FingerprintKey, Keys, OpsError};
use crate::project::{KeyReference, Permission, Project, TransitKey};
use crate::vault::{Vault, VaultError};

/// The project's keys; the private one is opened when it is first needed, and once.
pub(super) struct KeyRing {
    trusted: TrustedKeys,
    reference: Option<KeyReference>,
    root: Utf8PathBuf,
    vault: Arc<Vault>,
    private: OnceCell<Opened>,
    in_vault: OnceCell<Arc<KeyInVault>>,
}

/// The signing key, and the key that is derived from it, where that can be done here.
#[derive(Clone)]
struct Opened {
    signatory: Arc<Signatory>,
    fingerprint_key: Option<FingerprintKey>,
}

#[async_trait]
impl Keys for KeyRing {
    fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    async fn signing_key(&self, may: Permission) -> Result<Arc<Signatory>, OpsError> {
        let key = self.opened().await?.signatory;
        self.counts(&key, may)?;
        Ok(key)
    }

    async fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, OpsError> {
        if let Some(text) = variable("IAMSHIP_FINGERPRINT_KEY") {
            let key = *Digest::of(text.as_bytes()).as_bytes();
            return Ok(Some(Arc::new(SecretBox::new(Box::new(key)))));
        }
        match &self.reference {
            // A machine without the key file can still read: it just can't tell whether secrets changed.
            Some(KeyReference::File(path)) if !self.root.join(path).exists() => Ok(None),
            Some(KeyReference::Environment(name)) if variable(name).is_none() => Ok(None),
            Some(KeyReference::Vault(key)) => match self.in_vault(key).await {
                Ok(found) => found
                    .derive(FINGERPRINT)
                    .await
                    .map_err(|error| not_in_vault(key, &error)),
                // As without the file: a machine that has no access can still read. One that is refused is told.
                Err(error) if error.is_no_access() => Ok(None),
                Err(error) => Err(not_in_vault(key, &error)),
            },
            Some(_) => Ok(self.opened().await?.fingerprint_key),
            None => Ok(None),
        }
    }
}

impl KeyRing {
    pub(super) fn new(project: &Project, trusted: TrustedKeys, vault: Arc<Vault>) -> Self {
        Self {
            trusted,
            reference: project.signing.key.clone(),
            root: project.root.clone(),
            vault,
            private: OnceCell::new(),
            in_vault: OnceCell::new(),
        }
    }

    async fn opened(&self) -> Result<Opened, OpsError> {
        self.private.get_or_try_init(|| self.open()).await.cloned()
    }

    async fn open(&self) -> Result<Opened, OpsError> {
        let (name, pem): (String, SecretString) = match &self.reference {
            None => {
                return Err(
                    OpsError::input("this needs a signing key, and `iamship.toml` names none")
                        .help("iamship keygen")
                        .help("then, in `iamship.toml`: `[signing]`, `key = \"file:keys/iamship.key\"`, `trusted = [\"keys/iamship.pub\"]`"),
                );
            }
            Some(KeyReference::Vault(key)) => return self.open_in_vault(key).await,
            Some(KeyReference::Environment(name)) => {
                let text = variable(name).ok_or_else(|| {
                    OpsError::input(format!("the signing key should be in `{name}`, and that is not set"))
                })?;
                (format!("env:{name}"), text.into())
            }
            Some(KeyReference::File(path)) => {
                let text = std::fs::read_to_string(self.root.join(path)).map_err(|error| no_key(path, &error))?;
                (path.to_string(), text.into())
            }
        };
        let key = from_pem(&name, pem).await?;
        Ok(Opened {
            fingerprint_key: Some(Arc::new(key.derive(FINGERPRINT))),
            signatory: Arc::new(key.into()),
        })
    }

    async fn open_in_vault(&self, key: &TransitKey) -> Result<Opened, OpsError> {
        let found = self.in_vault(key).await.map_err(|error| not_in_vault(key, &error))?;
        Ok(Opened {
            signatory: Arc::new(Signatory::Remote(Box::new(found))),
            fingerprint_key: None,
        })
    }

    async fn in_vault(&self, key: &TransitKey) -> Result<Arc<KeyInVault>, VaultError> {
        let find = || async { KeyInVault::find(Arc::clone(&self.vault), key).await.map(Arc::new) };
        self.in_vault.get_or_try_init(find).await.cloned()
    }

    /// Refuses a key whose word nobody here would take.
    fn counts(&self, key: &Signatory, may: Permission) -> Result<(), OpsError> {
        let name = match &self.reference {
            Some(KeyReference::Environment(name)) => format!("env:{name}"),
            Some(KeyReference::File(path)) => path.to_string(),
            Some(KeyReference::Vault(key)) => key.to_string(),
            None => String::new(),
        };
        let fingerprint = key.public_key().fingerprint();
        let mut trusted = self.trusted.signers().iter();
        match trusted.find(|signer| signer.fingerprint() == fingerprint) {
            None => {
                let failure = OpsError::input(format!(
                    "this project does not trust the signing key `{name}`: what it signs would not count"
                ));
                // A key that was rotated there is another one here.
                let failure = match &self.reference {
                    Some(KeyReference::Vault(_)) => {
                        failure.help(format!("iamship keygen --from {name} --out keys/newest"))
                    }
                    _ => failure,
                };
                Err(failure.help("add its public key to `[signing] trusted` in `iamship.toml`"))
            }
            Some(signer) if !signer.may(may) => Err(OpsError::input(format!(
                "the signing key `{name}` may not {}: what it signs would not count",
                may.as_str()
            ))
            .help(format!(
                "use a key that may, or add \"{}\" to what `{}` may in `iamship.toml`",
                may.as_str(),
                signer.name()
            ))),
            Some(_) => Ok(()),
        }
    }
}

fn not_in_vault(key: &TransitKey, error: &VaultError) -> OpsError {
    let message = format!("the signing key `{key}` can't be used: {error}");
    let failure = match error.is_input() {
        true => OpsError::input(message),
        false => OpsError::world(message),
    };
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

async fn from_pem(name: &str, pem: SecretString) -> Result<SigningKey, OpsError> {
    let password = if pem.expose_secret().contains("ENCRYPTED") {
        Some(key_password(name)?)
    } else {
        None
    };
    // scrypt takes 160 ms and 64 MiB: beside the network, not before it.
    let opened = tokio::task::spawn_blocking(move || SigningKey::from_pem(&pem, password.as_ref())).await;
    let opened = opened.map_err(|error| OpsError::world(format!("opening the key broke off: {error}")))?;
    opened.map_err(|error| {
        let failure = OpsError::input(format!("the signing key `{name}` can't be opened: {error}"));
        match error {
            KeyError::WrongPassword => failure.help(format!("set `{}` to its password", PASSWORD_VARIABLES[0])),
            _ => failure,
        }
    })
}

fn no_key(path: &Utf8Path, error: &std::io::Error) -> OpsError {
    if error.kind() != std::io::ErrorKind::NotFound {
        return OpsError::input(format!("the signing key `{path}` can't be read: {error}"));
    }
    let prefix = path.as_str().trim_end_matches(".key");
    OpsError::input(format!("the signing key `{path}` is not there")).help(format!("iamship keygen --out {prefix}"))
}

const PASSWORD_VARIABLES: [&str; 2] = ["IAMSHIP_KEY_PASSWORD", "COSIGN_PASSWORD"];

/// A password from the environment. Set and empty is a password too: cosign takes it as one.
fn password_variable() -> Option<SecretString> {
    let mut set = PASSWORD_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    set.next().map(Into::into)
}

fn key_password(name: &str) -> Result<SecretString, OpsError> {
    if let Some(password) = password_variable() {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        return Err(OpsError::input(format!("the signing key `{name}` needs its password"))
            .help(format!("set `{}`", PASSWORD_VARIABLES[0])));
    }
    ask(&format!("password of `{name}`: ")).map_err(OpsError::from)
}

/// The password of a new key; asked for twice.
pub(super) fn new_key_password() -> Result<SecretString, Failure> {
    if let Some(password) = password_variable() {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input("a new key needs a password").help(format!("set `{}`", PASSWORD_VARIABLES[0])));
    }
    let (first, second) = (ask("password of the new key: ")?, ask("again: ")?);
    if first.expose_secret() != second.expose_secret() {
        return Err(Failure::input("the two passwords differ"));
    }
    Ok(first)
}

fn ask(prompt: &str) -> std::io::Result<SecretString> {
    rpassword::prompt_password(prompt).map(Into::into)
}
