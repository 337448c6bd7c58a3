//! PKCS#12 (RFC 7292): the certificates in it, and whether private keys are. No private key is ever decrypted.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, InnerIvInit as _, KeyIvInit as _};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, SequenceRef, UintRef};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, TagMode, TagNumber, Tagged as _};
use pkcs8::spki::AlgorithmIdentifierRef;
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::certificate::Certificate;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
const PBE_3DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const PBE_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const PBE_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// More rounds than this are an attack on who reads, or nobody's business: what needs them is passed over.
const MOST_ROUNDS: u64 = 600_000;
/// How many parts of one store are read.
const MOST_PARTS: usize = 16;
/// The longest salt.
const LONGEST_SALT: usize = 1024;

/// What could be read of a store.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) certificates: Vec<Certificate>,
    /// For each certificate, whether the store has its private key.
    pub(super) has_key: Vec<bool>,
    keys: usize,
}

/// Reads a store with the first of the passwords that opens it. None when it is no store, or none of them does.
pub(super) fn read(bytes: &[u8], passwords: &[&str], most: usize) -> Option<Store> {
    let parts = parts(bytes)?;
    let mut rounds = 0_u64;
    for password in passwords {
        let mut store = Store::default();
        let whole = parts.iter().all(|part| {
            let bags = match part {
                Part::Plain(bags) => Some(Zeroizing::new(bags.to_vec())),
                Part::Encrypted(algorithm, text) => {
                    rounds = rounds.saturating_add(cost(algorithm).unwrap_or(u64::MAX));
                    (rounds <= MOST_ROUNDS)
                        .then(|| decrypt(algorithm, text, password))
                        .flatten()
                }
            };
            bags.is_some_and(|bags| store.add_bags(&bags, most).is_some())
        });
        if whole {
            store.assign_keys();
            return Some(store);
        }
    }
    None
}

impl Store {
    /// `SafeContents`
    fn add_bags(&mut self, bytes: &[u8], most: usize) -> Option<()> {
        let mut reader = SliceReader::new(sequence(bytes)?).ok()?;
        while !reader.is_finished() && self.certificates.len() < most {
            let bag = reader.tlv_bytes().ok()?;
            let mut bag = SliceReader::new(sequence(bag)?).ok()?;
            let kind = <ObjectIdentifier>::decode(&mut bag).ok()?;
            let value = explicit(&mut bag)?;
            let attributes = bag.remaining_len();
            let attributes = bag.read_slice(attributes).ok()?;
            if kind == CERTIFICATE_BAG {
                let mut inner = SliceReader::new(sequence(value)?).ok()?;
                <ObjectIdentifier>::decode(&mut inner).ok()?;
                let der = <&OctetStringRef>::from_der(explicit(&mut inner)?).ok()?;
                if let Some(certificate) = Certificate::from_der(der.as_bytes()) {
                    self.certificates.push(certificate);
                    self.has_key.push(names_key(attributes));
                }
            } else if kind == KEY_BAG || kind == SHROUDED_KEY_BAG {
                self.keys += 1;
            }
        }
        Some(())
    }

    /// Where no certificate says which key is its own, it is the one that is no authority's.
    fn assign_keys(&mut self) {
        if self.keys == 0 {
            self.has_key.fill(false);
        } else if !self.has_key.contains(&true) {
            let leaf = self
                .certificates
                .iter()
                .position(|certificate| !certificate.is_authority);
            if let Some(has_key) = self.has_key.get_mut(leaf.unwrap_or_default()) {
                *has_key = true;
            }
        }
    }
}

/// Whether a bag's attributes have the id that it shares with a key's.
fn names_key(attributes: &[u8]) -> bool {
    let wanted = LOCAL_KEY_ID.as_bytes();
    attributes.windows(wanted.len()).any(|window| window == wanted)
}

enum Part<'a> {
    Plain(&'a [u8]),
    Encrypted(AlgorithmIdentifierRef<'a>, &'a [u8]),
}

/// `PFX`, down to its `AuthenticatedSafe`.
fn parts(bytes: &[u8]) -> Option<Vec<Part<'_>>> {
    let mut reader = SliceReader::new(sequence(bytes)?).ok()?;
    let version = UintRef::decode(&mut reader).ok()?;
    let safe = content(reader.tlv_bytes().ok()?, DATA).filter(|_| version.as_bytes() == [3])?;
    let safe = <&OctetStringRef>::from_der(safe).ok()?;
    let mut reader = SliceReader::new(sequence(safe.as_bytes())?).ok()?;
    let mut parts = Vec::new();
    while !reader.is_finished() && parts.len() < MOST_PARTS {
        let info = reader.tlv_bytes().ok()?;
        if let Some(plain) = content(info, DATA) {
            parts.push(Part::Plain(<&OctetStringRef>::from_der(plain).ok()?.as_bytes()));
        } else {
            parts.push(encrypted(content(info, ENCRYPTED_DATA)?)?);
        }
    }
    Some(parts)
}

/// `EncryptedData`
fn encrypted(bytes: &[u8]) -> Option<Part<'_>> {
    let mut reader = SliceReader::new(sequence(bytes)?).ok()?;
    UintRef::decode(&mut reader).ok()?;
    let mut inner = SliceReader::new(sequence(reader.tlv_bytes().ok()?)?).ok()?;
    <ObjectIdentifier>::decode(&mut inner).ok()?;
    let algorithm = AlgorithmIdentifierRef::decode(&mut inner).ok()?;
    let text = inner
        .context_specific::<&OctetStringRef>(TagNumber(0), TagMode::Implicit)
        .ok()??;
    Some(Part::Encrypted(algorithm, text.as_bytes()))
}

/// What `ContentInfo` of a kind holds.
fn content(info: &[u8], kind: ObjectIdentifier) -> Option<&[u8]> {
    let mut reader = SliceReader::new(sequence(info)?).ok()?;
    let is_kind = <ObjectIdentifier>::decode(&mut reader).ok()? == kind;
    explicit(&mut reader).filter(|_| is_kind)
}

/// What stands in a sequence.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    Some(<&SequenceRef>::from_der(bytes).ok()?.as_bytes())
}

/// `[0] EXPLICIT`: the whole of what is inside.
fn explicit<'a>(reader: &mut SliceReader<'a>) -> Option<&'a [u8]> {
    let whole = AnyRef::decode(reader).ok()?;
    matches!(
        whole.tag(),
        der::Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(0)
        }
    )
    .then(|| whole.value())
}

/// How many rounds it takes to try one password; none for what is not read.
fn cost(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<u64> {
    if algorithm.oid == pkcs5::pbes2::PBES2_OID {
        let scheme = pkcs5::EncryptionScheme::from_der(&algorithm.to_der().ok()?).ok()?;
        return Some(u64::from(scheme.pbes2()?.kdf.pbkdf2()?.iteration_count));
    }
    Some(legacy(algorithm)?.1)
}

/// Salt and rounds of the old schemes.
fn legacy<'a>(algorithm: &AlgorithmIdentifierRef<'a>) -> Option<(&'a [u8], u64)> {
    let parameters = algorithm.parameters?;
    let mut reader = SliceReader::new(parameters.value()).ok()?;
    let salt = <&OctetStringRef>::decode(&mut reader).ok()?.as_bytes();
    let rounds = u64::decode(&mut reader).ok()?;
    (salt.len() <= LONGEST_SALT && rounds > 0).then_some((salt, rounds))
}

fn decrypt(algorithm: &AlgorithmIdentifierRef<'_>, text: &[u8], password: &str) -> Option<Zeroizing<Vec<u8>>> {
    if algorithm.oid == pkcs5::pbes2::PBES2_OID {
        let scheme = pkcs5::EncryptionScheme::from_der(&algorithm.to_der().ok()?).ok()?;
        return scheme.decrypt(password, text).ok().map(Zeroizing::new);
    }
    let (salt, rounds) = legacy(algorithm)?;
    let mut iv = [0; 8];
    derive(password, salt, rounds, 2, &mut iv);
    let mut key = Zeroizing::new([0; 24]);
    let bits = match algorithm.oid {
        PBE_3DES => 192,
        PBE_RC2_128 => 128,
        PBE_RC2_40 => 40,
        _ => return None,
    };
    let key = key.get_mut(..bits / 8)?;
    derive(password, salt, rounds, 1, key);
    let plain = match algorithm.oid {
        PBE_3DES => {
            let cipher = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, &iv).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(text).ok()?
        }
        _ => {
            let cipher = rc2::Rc2::new_with_eff_key_len(key, bits);
            let cipher = cbc::Decryptor::<rc2::Rc2>::inner_iv_slice_init(cipher, &iv).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(text).ok()?
        }
    };
    Some(Zeroizing::new(plain))
}

/// The key derivation of RFC 7292, appendix B.2, with SHA-1. `purpose`: 1 a key, 2 an initial vector.
fn derive(password: &str, salt: &[u8], rounds: u64, purpose: u8, out: &mut [u8]) {
    const BLOCK: usize = 64;
    let mut text = Zeroizing::new(Vec::new());
    for unit in password.encode_utf16().chain([0]) {
        text.extend_from_slice(&unit.to_be_bytes());
    }
    let filled = |bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len().div_ceil(BLOCK) * BLOCK;
        bytes.iter().copied().cycle().take(length).collect()
    };
    let mut input = Zeroizing::new([filled(salt), filled(&text)].concat());
    for chunk in out.chunks_mut(20) {
        let mut hash: [u8; 20] = Sha1::new()
            .chain_update([purpose; BLOCK])
            .chain_update(&*input)
            .finalize()
            .into();
        for _ in 1..rounds {
            hash = Sha1::digest(hash).into();
        }
        chunk.copy_from_slice(&hash[..chunk.len()]);
        let repeated: Vec<u8> = hash.iter().copied().cycle().take(BLOCK).collect();
        for block in input.chunks_mut(BLOCK) {
            let mut carry = 1_u16;
            for (byte, add) in block.iter_mut().zip(&repeated).rev() {
                carry += u16::from(*byte) + u16::from(*add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
}
