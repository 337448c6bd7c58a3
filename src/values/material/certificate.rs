//! X.509 certificates: whose, until when, and how strong.

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use jiff::Timestamp;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::name::Name;

use super::key::PublicKey;

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 80;

/// Signature algorithms that collisions were found for.
const BROKEN: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.2", "MD2"),
    ("1.2.840.113549.1.1.3", "MD4"),
    ("1.2.840.113549.1.1.4", "MD5"),
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.3.14.3.2.29", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.2.840.10040.4.3", "SHA-1"),
];

/// What a certificate says of itself. Nobody checked its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its subject; the whole name where it has none. Without control characters, cut at 80.
    pub subject: String,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends to be valid.
    pub not_after: Timestamp,
    /// Its key; none of a kind that is not known.
    pub key: Option<PublicKey>,
    /// The hash that its signature relies on, if it is broken; never of a root, whose signature nobody relies on.
    pub broken_hash: Option<&'static str>,
    /// Whether it signed itself.
    pub is_root: bool,
    /// Whether it may sign others.
    pub is_authority: bool,
}

impl Certificate {
    /// Reads DER; none when it is no certificate, or has times that no calendar has.
    pub(super) fn from_der(bytes: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(bytes).ok()?;
        let signed = certificate.tbs_certificate();
        let validity = signed.validity();
        let info = signed.subject_public_key_info();
        let is_root = signed.subject() == signed.issuer();
        let authority = signed.get_extension::<BasicConstraints>().ok().flatten();
        Some(Self {
            subject: subject(signed.subject()),
            not_before: timestamp(validity.not_before)?,
            not_after: timestamp(validity.not_after)?,
            key: info.to_der().ok().and_then(|der| PublicKey::from_spki(&der)),
            broken_hash: broken_hash(certificate.signature_algorithm().oid).filter(|_| !is_root),
            is_root,
            is_authority: authority.is_some_and(|(_, constraints)| constraints.ca),
        })
    }
}

fn timestamp(time: x509_cert::time::Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}

fn broken_hash(algorithm: ObjectIdentifier) -> Option<&'static str> {
    let written = algorithm.to_string();
    BROKEN.iter().find(|(oid, _)| *oid == written).map(|(_, name)| *name)
}

fn subject(name: &Name) -> String {
    let common = name.common_name().ok().flatten();
    let text = match &common {
        Some(common) => common.value().into_owned(),
        None => name.to_string(),
    };
    let mut shown: String = text
        .chars()
        .filter(|c| !c.is_control() && *c != '`')
        .take(LONGEST_NAME)
        .collect();
    if shown.trim().is_empty() {
        "no name".clone_into(&mut shown);
    }
    shown
}
