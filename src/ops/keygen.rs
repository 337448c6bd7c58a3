//! `keygen`: a signing key in cosign's format.

use camino::{Utf8Path, Utf8PathBuf};
use secrecy::{ExposeSecret as _, SecretString};

use super::OpsError;
use super::files::{self, Readers};
use crate::attest::{Algorithm, PublicKey, SigningKey};

/// What is written where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The private key.
    pub key: Utf8PathBuf,
    /// The public key.
    pub public_key: Utf8PathBuf,
    /// Which kind.
    pub algorithm: Algorithm,
}

/// Decides; an existing key is never overwritten.
pub fn plan(prefix: &Utf8Path, algorithm: Algorithm) -> Result<Plan, OpsError> {
    let plan = Plan {
        key: format!("{prefix}.key").into(),
        public_key: format!("{prefix}.pub").into(),
        algorithm,
    };
    for path in [&plan.key, &plan.public_key] {
        never_twice(path, "iamship keygen --out keys/another")?;
    }
    Ok(plan)
}

/// Decides where the public half of a key goes that is made elsewhere: `PREFIX.pub`.
pub fn plan_public(prefix: &Utf8Path) -> Result<Utf8PathBuf, OpsError> {
    let path = Utf8PathBuf::from(format!("{prefix}.pub"));
    never_twice(&path, "write it elsewhere: `--out keys/another`")?;
    Ok(path)
}

/// Writes a public key.
pub fn write_public(path: &Utf8Path, key: &PublicKey) -> Result<(), OpsError> {
    files::write(path, key.to_pem().as_bytes(), Readers::Everyone)?;
    Ok(())
}

fn never_twice(path: &Utf8Path, help: &str) -> Result<(), OpsError> {
    match path.exists() {
        true => Err(OpsError::input(format!("`{path}` is there already, and a key is never overwritten")).help(help)),
        false => Ok(()),
    }
}

/// Makes and writes the key; the answer is the fingerprint of its public half.
pub fn apply(plan: &Plan, password: &SecretString) -> Result<String, OpsError> {
    let broken = |error: crate::attest::KeyError| OpsError::world(format!("no key could be made: {error}"));
    let key = SigningKey::generate(plan.algorithm).map_err(broken)?;
    let sealed = key.seal(password).map_err(broken)?;
    files::write(&plan.key, sealed.expose_secret().as_bytes(), Readers::OwnerOnly)?;
    let public_key = key.public_key();
    files::write(&plan.public_key, public_key.to_pem().as_bytes(), Readers::Everyone)?;
    Ok(public_key.fingerprint().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = Utf8Path::from_path(folder.path()).unwrap().join("k");
        std::fs::write(format!("{prefix}.pub"), "").unwrap();
        assert!(matches!(plan(&prefix, Algorithm::P256), Err(OpsError::Input { .. })));
    }
}
