//! Public keys, and the public halves of private ones: of what kind, how strong, and which.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use sha2::{Digest as _, Sha256};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// Curves by their object identifier and by their name in a JWK, with the bits of their order's size.
const CURVES: &[(&str, &str, &str, u32)] = &[
    ("1.2.840.10045.3.1.1", "", "EC P-192", 192),
    ("1.3.132.0.33", "", "EC P-224", 224),
    ("1.2.840.10045.3.1.7", "P-256", "EC P-256", 256),
    ("1.3.132.0.10", "secp256k1", "EC secp256k1", 256),
    ("1.3.132.0.34", "P-384", "EC P-384", 384),
    ("1.3.132.0.35", "P-521", "EC P-521", 521),
    ("1.3.36.3.3.2.8.1.1.7", "", "EC brainpoolP256r1", 256),
    ("1.3.36.3.3.2.8.1.1.11", "", "EC brainpoolP384r1", 384),
    ("1.3.36.3.3.2.8.1.1.13", "", "EC brainpoolP512r1", 512),
];

/// A public key, or the public half of a private one: nothing of what is private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// For people: `RSA`, `EC P-256`, `Ed25519`.
    pub algorithm: &'static str,
    /// The size that its strength is told by: of RSA's modulus, of a curve; none for kinds that have only one.
    pub bits: Option<u32>,
    /// Equal for equal keys, in whatever form they were written.
    pub fingerprint: KeyFingerprint,
}

/// SHA-256 over a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; 32]);

impl PublicKey {
    /// Why nobody should rely on it, if so.
    pub fn weakness(&self) -> Option<String> {
        let bits = self.bits?;
        let least = if self.algorithm == "RSA" { 2048 } else { 256 };
        (bits < least).then(|| format!("an {} key of {bits} bits, where {least} are the least", self.algorithm))
    }

    /// `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        let key = info.subject_public_key.as_bytes()?;
        Self::of(info.algorithm.oid, info.algorithm.parameters, key)
    }

    /// What a certificate or a PKCS#8 key says of its algorithm, with the key's bits.
    pub(super) fn of(algorithm: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Option<Self> {
        if algorithm == RSA || algorithm == RSA_PSS {
            return Self::from_rsa(key);
        }
        if algorithm == EC {
            let curve = parameters?.decode_as::<ObjectIdentifier>().ok()?;
            return Some(Self::on_curve(curve, key));
        }
        let name = if algorithm == ED25519 {
            "Ed25519"
        } else if algorithm == ED448 {
            "Ed448"
        } else {
            "another kind"
        };
        Some(Self {
            algorithm: name,
            bits: None,
            fingerprint: fingerprint(&[algorithm.as_bytes(), key]),
        })
    }

    /// `RSAPublicKey` (RFC 8017 A.1.1).
    pub(super) fn from_rsa(der: &[u8]) -> Option<Self> {
        let (modulus, exponent) = integers(der, 0)?;
        Some(Self::rsa(modulus, exponent))
    }

    /// Of modulus and exponent, big-endian.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
        Self {
            algorithm: "RSA",
            bits: Some((modulus.len() as u32).saturating_mul(8).saturating_sub(leading)),
            fingerprint: fingerprint(&[b"RSA", modulus, exponent]),
        }
    }

    /// A point on a curve, as SEC 1 §2.3.3 writes it.
    fn on_curve(curve: ObjectIdentifier, point: &[u8]) -> Self {
        let written = curve.to_string();
        let known = CURVES.iter().find(|known| known.0 == written);
        Self {
            algorithm: known.map_or("EC", |known| known.2),
            bits: known.map(|known| known.3),
            fingerprint: fingerprint(&[written.as_bytes(), &x_and_sign(point)]),
        }
    }

    /// A point on a curve, as a JWK writes it (RFC 7518 §6.2).
    pub(super) fn jwk_curve(name: &str, x: &[u8], y: &[u8]) -> Option<Self> {
        let known = CURVES.iter().find(|known| known.1 == name && !name.is_empty())?;
        let point = [&[4], x, y].concat();
        (x.len() == y.len()).then(|| Self::on_curve(ObjectIdentifier::new(known.0).unwrap_or(EC), &point))
    }

    /// A key of RFC 8037.
    pub(super) fn jwk_edwards(name: &str, x: &[u8]) -> Option<Self> {
        match name {
            "Ed25519" => Self::of(ED25519, None, x),
            "Ed448" => Self::of(ED448, None, x),
            _ => None,
        }
    }

    /// The public half of a private key in PKCS#8 (RFC 5958).
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let info = PrivateKeyInfoRef::try_from(der).ok()?;
        let algorithm = info.algorithm.oid;
        let private = info.private_key.as_bytes();
        if algorithm == RSA || algorithm == RSA_PSS {
            return Self::from_rsa_private(private);
        }
        if algorithm == EC {
            let curve = info.algorithm.parameters?.decode_as::<ObjectIdentifier>().ok()?;
            return Self::from_sec1(private, Some(curve));
        }
        if let Some(public) = info.public_key {
            return Self::of(algorithm, None, public.as_bytes()?);
        }
        let seed = <&OctetStringRef>::from_der(private)
            .ok()
            .filter(|_| algorithm == ED25519)?;
        let seed = zeroize::Zeroizing::new(<[u8; 32]>::try_from(seed.as_bytes()).ok()?);
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        Self::of(ED25519, None, key.verifying_key().as_bytes())
    }

    /// The public half of `RSAPrivateKey` (RFC 8017 A.1.2).
    pub(super) fn from_rsa_private(der: &[u8]) -> Option<Self> {
        let (modulus, exponent) = integers(der, 1)?;
        Some(Self::rsa(modulus, exponent))
    }

    /// The public half of `ECPrivateKey` (RFC 5915), whose curve stands in it or around it.
    pub(super) fn from_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        let (scalar, own_curve, point) = reader
            .sequence(|reader| -> der::Result<_> {
                UintRef::decode(reader)?;
                let scalar = <&OctetStringRef>::decode(reader)?;
                let curve = reader.context_specific::<ObjectIdentifier>(der::TagNumber(0), der::TagMode::Explicit)?;
                let point = reader.context_specific::<BitStringRef<'_>>(der::TagNumber(1), der::TagMode::Explicit)?;
                Ok((scalar.as_bytes(), curve, point))
            })
            .ok()?;
        let curve = own_curve.or(curve)?;
        if let Some(point) = point.and_then(|point| point.as_bytes()) {
            return Some(Self::on_curve(curve, point));
        }
        if curve.to_string() != "1.2.840.10045.3.1.7" {
            return None;
        }
        let key = p256::SecretKey::from_slice(scalar).ok()?;
        Some(Self::on_curve(curve, &key.public_key().to_sec1_bytes()))
    }
}

/// Two integers in a row inside a sequence, after some others.
fn integers(der: &[u8], skipped: usize) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(der).ok()?;
    let read = reader.sequence(|reader| -> der::Result<_> {
        for _ in 0..skipped {
            UintRef::decode(reader)?;
        }
        let both = (UintRef::decode(reader)?.as_bytes(), UintRef::decode(reader)?.as_bytes());
        let rest = reader.remaining_len();
        reader.read_slice(rest)?;
        Ok(both)
    });
    read.ok()
}

/// A point without what its compressed form leaves out, so that both forms are equal.
fn x_and_sign(point: &[u8]) -> Vec<u8> {
    match point {
        [4, both @ ..] if both.len() % 2 == 0 && !both.is_empty() => {
            let (x, y) = both.split_at(both.len() / 2);
            let sign = 2 + (y.last().copied().unwrap_or_default() & 1);
            [&[sign], x].concat()
        }
        other => other.to_vec(),
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn fingerprint(parts: &[&[u8]]) -> KeyFingerprint {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    KeyFingerprint(hash.finalize().into())
}
