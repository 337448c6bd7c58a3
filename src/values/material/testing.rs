//! Certificates and keys that live for one test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

/// A day: year, month, day.
pub(crate) type Day = (i32, u8, u8);

/// A certificate and its key, in PEM.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
    pub(crate) key_der: Vec<u8>,
}

/// One that signed itself, with a key of its own on P-256.
pub(crate) fn made(name: &str, from: Day, to: Day) -> Made {
    make(name, from, to, IsCa::NoCa)
}

/// The same, of an authority.
pub(crate) fn authority(name: &str, from: Day, to: Day) -> Made {
    make(name, from, to, IsCa::Ca(BasicConstraints::Unconstrained))
}

fn make(name: &str, from: Day, to: Day, is_ca: IsCa) -> Made {
    let key = KeyPair::generate().expect("key");
    let mut parameters = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(from.0, from.1, from.2);
    parameters.not_after = date_time_ymd(to.0, to.1, to.2);
    parameters.is_ca = is_ca;
    let certificate = parameters.self_signed(&key).expect("certificate");
    Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().to_vec(),
        key_der: key.serialize_der(),
    }
}
