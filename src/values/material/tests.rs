use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::testing::{authority, made};
use super::*;

fn subjects(text: &str) -> Vec<String> {
    let certificates = Material::read(text).certificates.into_iter();
    certificates.map(|certificate| certificate.subject).collect()
}

#[test]
fn a_certificate_is_found_however_its_lines_are_broken() {
    let one = made("login.example.com", (2026, 1, 1), (2027, 1, 1));
    let two = authority("An authority", (2020, 1, 1), (2030, 1, 1));
    let pem = format!("{}\n{}", one.certificate, two.certificate);
    let expected = ["login.example.com", "An authority"];
    for text in [
        pem.clone(),
        pem.replace('\n', "\\n"),
        pem.replace('\n', " "),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', ""),
        format!("subject=x\n{pem}\n"),
    ] {
        assert_eq!(subjects(&text), expected, "{text}");
    }
    assert_eq!(subjects(&STANDARD.encode(&one.der)), ["login.example.com"]);
    let read = Material::read(&pem);
    assert_eq!(read.certificates[0].not_after.to_string(), "2027-01-01T00:00:00Z");
    assert_eq!(read.certificates[0].not_before.to_string(), "2026-01-01T00:00:00Z");
    assert!(!read.certificates[0].is_authority && read.certificates[1].is_authority);
}

#[test]
fn what_carries_nothing_is_quiet() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    let cut = &one.certificate[..one.certificate.len() / 2];
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let long = format!("{}{}", one.certificate, " ".repeat(LONGEST_TEXT));
    for text in [
        "",
        "MII",
        "-----BEGIN ",
        "hunter2",
        cut,
        encrypted,
        broken,
        &long,
        "-----BEGIN \u{e9}-----",
    ] {
        assert!(Material::read(text).is_empty(), "{text:.60}");
    }
    for length in 0..one.der.len() {
        assert!(
            Material::read(&STANDARD.encode(&one.der[..length])).is_empty(),
            "{length}"
        );
    }
    let many = one.certificate.repeat(MOST_ENTRIES + 1);
    assert_eq!(Material::read(&many).certificates.len(), MOST_ENTRIES);
}

#[test]
fn rubbish_is_no_reason_to_panic() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    for whole in [&one.der, &one.key_der] {
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= bits;
                let _ = Material::read(&STANDARD.encode(&bytes));
            }
        }
    }
}

#[test]
fn a_private_key_is_known_by_its_public_half() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    let other = made("y", (2026, 1, 1), (2027, 1, 1));
    let both = Material::read(&format!("{}{}", one.key, one.certificate));
    assert_eq!(both.certificates[0].key.as_ref(), Some(&both.private_keys[0]));
    assert_eq!(both.private_keys[0].algorithm, "EC P-256");
    assert!(!both.is_mismatched());
    assert!(Material::read(&format!("{}{}", one.key, other.certificate)).is_mismatched());
    assert!(!Material::read(&one.key).is_mismatched() && !Material::read(&one.certificate).is_mismatched());
    let bare = Material::read(&STANDARD.encode(&one.key_der));
    assert_eq!(bare.private_keys, both.private_keys);
}
