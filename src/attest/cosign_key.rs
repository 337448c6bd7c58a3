//! cosign's encrypted private key file: scrypt over the password, NaCl's secretbox around PKCS#8.
//!
//! The one module that knows `crypto_secretbox` and `scrypt`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Nonce, XSalsa20Poly1305};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyError;

/// The PEM label that cosign writes.
pub(super) const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The PEM label of older cosigns.
pub(super) const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

/// What cosign 2 uses: 64 MiB of memory.
const COST: Cost = Cost { n: 1 << 16, r: 8, p: 1 };
/// The most memory that a file may make us use: a hostile one would ask for all there is.
const MAX_MEMORY_BYTES: u64 = 256 << 20;
const MAX_PARALLEL: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Cost,
    salt: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Cost {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The PKCS#8 bytes in the contents of an encrypted PEM block.
pub(super) fn open(json: &[u8], password: &SecretString) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let sealed: Sealed = serde_json::from_slice(json).map_err(|_| KeyError::Malformed("not cosign's JSON"))?;
    if sealed.kdf.name != "scrypt" || sealed.cipher.name != "nacl/secretbox" {
        return Err(KeyError::Malformed("neither scrypt nor nacl/secretbox"));
    }
    let salt = decode(&sealed.kdf.salt)?;
    let nonce: [u8; 24] = decode(&sealed.cipher.nonce)?
        .try_into()
        .map_err(|_| KeyError::Malformed("the nonce is not 24 bytes"))?;
    let ciphertext = decode(&sealed.ciphertext)?;
    let cipher = cipher(password, &salt, sealed.kdf.params)?;
    cipher
        .decrypt(&Nonce::from(nonce), ciphertext.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::WrongPassword)
}

/// The contents of an encrypted PEM block around PKCS#8 bytes.
pub(super) fn seal(pkcs8: &[u8], password: &SecretString) -> Result<Vec<u8>, KeyError> {
    let mut salt = [0; 32];
    let mut nonce = [0; 24];
    getrandom::fill(&mut salt).map_err(|_| KeyError::NoRandomness)?;
    getrandom::fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
    let ciphertext = cipher(password, &salt, COST)?
        .encrypt(&Nonce::from(nonce), pkcs8)
        .map_err(|_| KeyError::Malformed("too long to seal"))?;
    let sealed = Sealed {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: COST,
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher {
            name: "nacl/secretbox".to_owned(),
            nonce: STANDARD.encode(nonce),
        },
        ciphertext: STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&sealed).map_err(|_| KeyError::Malformed("can't be written"))
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD
        .decode(text)
        .map_err(|_| KeyError::Malformed("a field is not base64"))
}

fn cipher(password: &SecretString, salt: &[u8], cost: Cost) -> Result<XSalsa20Poly1305, KeyError> {
    let memory = u64::from(cost.r).saturating_mul(128).saturating_mul(cost.n);
    if !cost.n.is_power_of_two() || cost.n < 2 || memory > MAX_MEMORY_BYTES || cost.p > MAX_PARALLEL {
        return Err(KeyError::Malformed("scrypt's parameters are out of bounds"));
    }
    let log_n = u8::try_from(cost.n.ilog2()).unwrap_or(u8::MAX);
    let bounds = |_| KeyError::Malformed("scrypt's parameters are out of bounds");
    let params = scrypt::Params::new(log_n, cost.r, cost.p).map_err(bounds)?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.expose_secret().as_bytes(), salt, &params, key.as_mut_slice())
        .map_err(|_| KeyError::Malformed("scrypt refused"))?;
    Ok(XSalsa20Poly1305::new(key.as_ref().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u64, r: u32, p: u32) -> Vec<u8> {
        format!(
            r#"{{"kdf":{{"name":"scrypt","params":{{"N":{n},"r":{r},"p":{p}}},"salt":"AAAA"}},
               "cipher":{{"name":"nacl/secretbox","nonce":"{}"}},"ciphertext":"AAAA"}}"#,
            STANDARD.encode([0; 24])
        )
        .into_bytes()
    }

    #[test]
    fn a_file_can_not_ask_for_all_the_memory_or_time() {
        for (n, r, p) in [
            (1 << 40, 8, 1),
            (1 << 16, u32::MAX, 1),
            (u64::MAX, u32::MAX, 1),
            (1024, 8, 1 << 20),
            (1000, 8, 1),
            (0, 8, 1),
            (1, 8, 1),
            (1024, 0, 1),
            (1024, 8, 0),
        ] {
            let result = open(&file(n, r, p), &"x".into());
            assert!(
                matches!(result, Err(KeyError::Malformed(text)) if text.contains("scrypt")),
                "{n} {r} {p}"
            );
        }
        assert!(matches!(
            open(&file(1024, 8, 1), &"x".into()),
            Err(KeyError::WrongPassword)
        ));
    }

    #[test]
    fn other_ciphers_and_junk_are_refused() {
        let other = String::from_utf8(file(1024, 8, 1))
            .expect("text")
            .replace("nacl/secretbox", "none");
        for json in ["", "{}", "[]", &other, &other.replace("AAAA", "*")] {
            assert!(
                matches!(open(json.as_bytes(), &"x".into()), Err(KeyError::Malformed(_))),
                "{json}"
            );
        }
    }
}
