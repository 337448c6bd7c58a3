use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::testing::{
    SHORT_KEY, SHORT_PUBLIC_KEY, SIGNED_WITH_SHA1, SLOW_STORE, STORE_OF_OLD, STORE_OF_TODAY, STORE_WITHOUT_PASSWORD,
    authority, made,
};
use super::*;

fn read(text: &str) -> Material {
    Material::read(text, &[])
}

fn subjects(text: &str) -> Vec<String> {
    let certificates = read(text).certificates.into_iter();
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
    let both = read(&pem);
    assert_eq!(both.certificates[0].not_after.to_string(), "2027-01-01T00:00:00Z");
    assert_eq!(both.certificates[0].not_before.to_string(), "2026-01-01T00:00:00Z");
    assert!(!both.certificates[0].is_authority && both.certificates[1].is_authority);
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
        assert!(read(text).is_empty(), "{text:.60}");
    }
    for length in 0..one.der.len() {
        assert!(read(&STANDARD.encode(&one.der[..length])).is_empty(), "{length}");
    }
    let many = one.certificate.repeat(MOST_ENTRIES + 1);
    assert_eq!(read(&many).certificates.len(), MOST_ENTRIES);
}

#[test]
fn rubbish_is_no_reason_to_panic() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    for whole in [&one.der, &one.key_der] {
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= bits;
                let _ = read(&STANDARD.encode(&bytes));
            }
        }
    }
}

#[test]
fn a_private_key_is_known_by_its_public_half() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    let other = made("y", (2026, 1, 1), (2027, 1, 1));
    let both = read(&format!("{}{}", one.key, one.certificate));
    assert_eq!(both.certificates[0].key.as_ref(), Some(&both.private_keys[0]));
    assert_eq!(both.private_keys[0].algorithm, "EC P-256");
    assert!(!both.is_mismatched());
    assert!(read(&format!("{}{}", one.key, other.certificate)).is_mismatched());
    assert!(!read(&one.key).is_mismatched() && !read(&one.certificate).is_mismatched());
    let bare = read(&STANDARD.encode(&one.key_der));
    assert_eq!(bare.private_keys, both.private_keys);
}

#[test]
fn addresses_with_data_are_read_unless_the_server_encrypted_them() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    let der = STANDARD.encode(&one.der);
    for text in [
        format!("data:application/pem;base64,{}", STANDARD.encode(&one.certificate)),
        format!("data:application/pem,{}", one.certificate),
        format!(
            "data:application/pem,{}",
            one.certificate.replace('\n', "%0A").replace('+', "%2B")
        ),
        format!("data:application/pkix-cert;base64,{der}"),
        STANDARD.encode(&one.certificate),
    ] {
        assert_eq!(subjects(&text), ["x"], "{text}");
    }
    assert!(read(&format!("data:application/p12;aes,v:S.{der}")).is_empty());
    assert!(read(&format!("data:application/pem;aes,{}", one.certificate)).is_empty());
}

#[test]
fn a_store_is_opened_by_its_password_and_by_none() {
    let subjects = |text: &str, passwords: &[&str]| -> Vec<String> {
        let certificates = Material::read(text, passwords).certificates.into_iter();
        certificates.map(|certificate| certificate.subject).collect()
    };
    let expected = ["store.example.net"];
    for store in [STORE_OF_TODAY, STORE_OF_OLD] {
        assert_eq!(subjects(store, &["wrong", "changeit"]), expected);
        assert_eq!(
            subjects(&format!("data:application/p12;base64,{store}"), &["changeit"]),
            expected
        );
        assert_eq!(subjects(store, &["wrong"]), [""; 0]);
    }
    assert_eq!(subjects(STORE_WITHOUT_PASSWORD, &[]), expected);
    assert_eq!(subjects(SLOW_STORE, &["changeit"]), [""; 0], "too much work");
    assert!(Material::read(STORE_OF_TODAY, &["changeit"]).private_keys.is_empty());
    let bytes = STANDARD.decode(STORE_WITHOUT_PASSWORD).expect("base64");
    for at in (0..bytes.len()).step_by(7) {
        let mut broken = bytes.clone();
        broken[at] ^= 0xff;
        let _ = read(&STANDARD.encode(&broken));
        let _ = read(&STANDARD.encode(&bytes[..at]));
    }
}

#[test]
fn key_sets_have_keys_and_chains() {
    let one = made("x", (2026, 1, 1), (2027, 1, 1));
    let key = read(&one.key).private_keys.remove(0);
    let url = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let point = &one.point;
    let (x, y) = (url(&point[1..33]), url(&point[33..]));
    let public = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let set = read(&format!(
        r#"{{"keys":[{public},{{"kty":"oct","k":"AAAA"}},{{"kty":7}},8]}}"#
    ));
    assert_eq!((set.public_keys, set.private_keys.len()), (vec![key.clone()], 0));
    let private = read(&public.replace("\"kty\"", "\"d\":\"AAAA\",\"kty\""));
    assert_eq!(private.private_keys, [key]);
    let chain = format!(r#""x5c":["{}"],"kty""#, STANDARD.encode(&one.der));
    let chained = read(&public.replace("\"kty\"", &chain));
    assert_eq!((chained.certificates.len(), chained.public_keys.len()), (1, 0));
}

#[test]
fn weak_is_what_is_too_short_or_signed_by_a_broken_hash() {
    let short = read(SHORT_KEY).certificates.remove(0);
    assert_eq!(short.key.as_ref().and_then(|key| key.bits), Some(1024));
    assert_eq!(short.broken_hash, None);
    assert!(short.key.as_ref().is_some_and(|key| key.weakness().is_some()));
    assert_eq!(
        read(SHORT_PUBLIC_KEY).public_keys,
        short.key.into_iter().collect::<Vec<_>>()
    );
    assert_eq!(read(SIGNED_WITH_SHA1).certificates[0].broken_hash, Some("SHA-1"));
    let usual = read(&made("x", (2026, 1, 1), (2027, 1, 1)).certificate)
        .certificates
        .remove(0);
    assert_eq!(
        (usual.broken_hash, usual.key.and_then(|key| key.weakness())),
        (None, None)
    );
}
