//! A digest of the values that one image gets in one stage: a test's result is stale when it changes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};

use super::{Contract, ContractParameter, StageValues, Value};
use crate::image::{Digest, Hasher};

/// What a stage gave an image, in 32 bytes that may be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Over the stage's name and each parameter's value.
    pub digest: Digest,
    /// How secrets went into it.
    pub secrets: SecretsHashed,
    /// Which key hashed the secrets (16 hexadecimal digits): two fingerprints of different keys can't be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// How secrets went into a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretsHashed {
    /// As keyed hashes (HMAC-SHA256).
    Keyed,
    /// There was no key: a changed secret does not show, only one that came or went.
    LeftOut,
    /// The image uses none.
    None,
}

/// Takes the fingerprint of the values that a contract asks for, and of no others.
///
/// Plain values are hashed as they are. What is secret, by the contract or by its source, goes in as an HMAC under
/// `key`, so that nobody without the key can guess at it; without one it is left out.
///
/// The encoding is fixed: fields with their length (8 bytes, big-endian) before them, first `iamship.values/v1`, then
/// the stage, then for each parameter in the contract's order its name, a word, and its value or hash.
pub fn fingerprint(stage: &str, contract: &Contract, values: &StageValues, key: Option<&[u8; 32]>) -> Fingerprint {
    let mut hasher = Hasher::default();
    field(&mut hasher, b"iamship.values/v1");
    field(&mut hasher, stage.as_bytes());
    let mut uses_secrets = false;
    for parameter in &contract.parameters {
        let value = values.get(&parameter.name);
        field(&mut hasher, parameter.name.as_str().as_bytes());
        let secret = value.filter(|value| parameter.secret || value.is_secret());
        uses_secrets |= secret.is_some();
        match (value, secret, key) {
            (_, Some(secret), Some(key)) => {
                field(&mut hasher, b"keyed");
                field(&mut hasher, &keyed_hash(key, stage, parameter, secret));
            }
            (_, Some(_), None) => field(&mut hasher, b"left out"),
            (Some(value), None, _) => {
                field(&mut hasher, b"plain");
                field(&mut hasher, value.expose().as_bytes());
            }
            (None, None, _) if parameter.default.is_some() => field(&mut hasher, b"default"),
            (None, None, _) => field(&mut hasher, b"missing"),
        }
    }
    let secrets = match (uses_secrets, key) {
        (false, _) => SecretsHashed::None,
        (true, Some(_)) => SecretsHashed::Keyed,
        (true, None) => SecretsHashed::LeftOut,
    };
    Fingerprint {
        digest: hasher.finish(),
        secrets,
        key: key.filter(|_| uses_secrets).map(key_name),
    }
}

/// The stage and the name are bound, so that equal secrets don't show as equal.
fn keyed_hash(key: &[u8; 32], stage: &str, parameter: &ContractParameter, value: &Value) -> [u8; 32] {
    authenticate(
        key,
        &["iamship.secret/v1", stage, parameter.name.as_str(), value.expose()],
    )
}

/// A name for a key that tells nothing of it.
fn key_name(key: &[u8; 32]) -> String {
    let name = authenticate(key, &["iamship.fingerprint-key/v1"]);
    name[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn authenticate(key: &[u8; 32], fields: &[&str]) -> [u8; 32] {
    // HMAC pads a short key with zeros to its block (RFC 2104); done here, there is no length to go wrong.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<sha2::Sha256>::new((&*block).into());
    for field in fields {
        mac.update(&length(field.len()));
        mac.update(field.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn field(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&length(bytes.len()));
    hasher.update(bytes);
}

fn length(bytes: usize) -> [u8; 8] {
    (bytes as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ParameterType;
    use crate::values::{Origin, ValueText};

    const KEY: [u8; 32] = [7; 32];

    fn contract() -> Contract {
        let parameter = |name: &str, secret, default: Option<&str>| ContractParameter {
            name: name.parse().expect("name"),
            kind: ParameterType::Text,
            secret,
            may_be_empty: false,
            default: default.map(str::to_owned),
            uses: 1,
            used: Vec::new(),
        };
        let parameters = vec![
            parameter("A", false, None),
            parameter("B", true, None),
            parameter("C", false, Some("c")),
        ];
        Contract { parameters }
    }

    fn values(pairs: &[(&str, &str)]) -> StageValues {
        let mut values = StageValues::default();
        for (name, text) in pairs {
            let text = match *name {
                "B" => ValueText::Secret((*text).into()),
                _ => ValueText::Plain((*text).to_owned()),
            };
            let origin = Origin::Source("test".to_owned());
            values.insert(name.parse().expect("name"), Value { text, origin });
        }
        values
    }

    fn take(stage: &str, pairs: &[(&str, &str)], key: Option<&[u8; 32]>) -> Fingerprint {
        fingerprint(stage, &contract(), &values(pairs), key)
    }

    #[test]
    fn changes_with_each_value_that_is_used_and_with_the_stage() {
        let base = take("dev", &[("A", "1"), ("B", "2")], Some(&KEY));
        assert_eq!(
            base,
            take("dev", &[("A", "1"), ("B", "2"), ("UNUSED", "3")], Some(&KEY))
        );
        for other in [
            take("prod", &[("A", "1"), ("B", "2")], Some(&KEY)),
            take("dev", &[("A", "x"), ("B", "2")], Some(&KEY)),
            take("dev", &[("A", "1"), ("B", "x")], Some(&KEY)),
            take("dev", &[("A", "1"), ("B", "2"), ("C", "c")], Some(&KEY)),
            take("dev", &[("A", "1")], Some(&KEY)),
            take("dev", &[("A", ""), ("B", "2")], Some(&KEY)),
            take("dev", &[("A", "1"), ("B", "2")], Some(&[8; 32])),
            take("dev", &[("A", "1"), ("B", "2")], None),
        ] {
            assert_ne!(base.digest, other.digest);
        }
    }

    #[test]
    fn says_how_secrets_went_in() {
        let secret = [("A", "1"), ("B", "2")];
        assert_eq!(take("dev", &secret, Some(&KEY)).secrets, SecretsHashed::Keyed);
        assert_eq!(take("dev", &secret, None).secrets, SecretsHashed::LeftOut);
        assert_eq!(take("dev", &secret[..1], Some(&KEY)).secrets, SecretsHashed::None);
        assert_eq!(take("dev", &secret[..1], Some(&KEY)).key, None);
        assert_ne!(
            take("dev", &secret, Some(&KEY)).key,
            take("dev", &secret, Some(&[8; 32])).key
        );
    }

    #[test]
    fn without_a_key_a_secret_s_text_does_not_go_in() {
        let one = take("dev", &[("A", "1"), ("B", "2")], None);
        assert_eq!(one, take("dev", &[("A", "1"), ("B", "other")], None));
        assert_ne!(one.digest, take("dev", &[("A", "1")], None).digest);
    }

    #[test]
    fn the_encoding_stays_as_it_is() {
        let digest = take("dev", &[("A", "1"), ("B", "2")], Some(&KEY)).digest;
        // Taken with another language's standard library from the description above.
        let expected = "sha256:9838031ddba1bc578f57584ff06770722a988f7396220a0c850aadcca18d5eb6";
        assert_eq!(digest.to_string(), expected);
    }
}
