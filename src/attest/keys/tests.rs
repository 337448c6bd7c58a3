//! With a throw-away key of cosign 2.5.0 as fixture.

use super::*;

/// Made by `cosign generate-key-pair` 2.5.0 for these tests; password `iamship-test`. It protects nothing.
pub(in super::super) const COSIGN_KEY: &str = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiI2RTFxT1lCMGZyVHVTNU9jZGZCd0VMTi9sOWN2MVFW
dU9ZUW55elV0dFU4PSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJGN2gzVC9Ja3BWcTNZd1lYdG52Q3Y0enpJRmdMQzBVSyJ9LCJj
aXBoZXJ0ZXh0IjoiQmRLUDlnc0o4YUUxSHFhR3BxTzJzNWV6UnllVWFCUDQxS2Ur
d0VVNnVucTdsZ1VEZUUvMVNLcFJiMWs4dE4rM1VQOFhmQTdzekYxbkdUN1dMeHp2
Q1ZxSjFlbVliYXNCSnpicmV1ZkJwZk5CY0VENXFUSnEzd1lTaFo5SGhWWXowb2tX
OXpDSTU2UXl0V2NiRVlJcWtUSjY0Y0x6cFFueC9idzRNVUpGd3ViSnFlbjFTRWV0
MUd0a0plZWhaMmE3Ry9HbkVSTFNHRDZJbEE9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
";
/// Its public half.
pub(in super::super) const COSIGN_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE20pXnTGcDtCv70vpkJlSrfR0aQJi
vAWXj8exeQa5NUc3EqqsItGXUnqYbeo0dwV3mxNT5wWX590nIrWlduhcCA==
-----END PUBLIC KEY-----
";

const BOTH: [Algorithm; 2] = [Algorithm::P256, Algorithm::Ed25519];

fn new(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("randomness")
}

#[test]
fn opens_a_key_that_cosign_made() {
    let key = SigningKey::from_pem(&COSIGN_KEY.into(), Some(&"iamship-test".into())).expect("opens");
    assert_eq!(key.public_key().to_pem(), COSIGN_PUBLIC);
    let old = COSIGN_KEY.replace("SIGSTORE", "COSIGN");
    assert!(SigningKey::from_pem(&old.into(), Some(&"iamship-test".into())).is_ok());
}

#[test]
fn a_wrong_or_missing_password_is_told() {
    let open = |password: Option<&str>| {
        let password = password.map(SecretString::from);
        SigningKey::from_pem(&COSIGN_KEY.into(), password.as_ref()).map(|_| ())
    };
    assert_eq!(open(Some("wrong")), Err(KeyError::WrongPassword));
    assert_eq!(open(Some("")), Err(KeyError::WrongPassword));
    assert_eq!(open(None), Err(KeyError::PasswordNeeded));
}

#[test]
fn a_sealed_key_opens_again_even_with_an_empty_password() {
    for (algorithm, password) in [(Algorithm::P256, "pass"), (Algorithm::Ed25519, "")] {
        let key = new(algorithm);
        let pem = key.seal(&password.into()).expect("seals");
        assert!(pem.expose_secret().lines().all(|line| line.len() <= 64));
        let again = SigningKey::from_pem(&pem, Some(&password.into())).expect("opens");
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(again.public_key().algorithm(), algorithm);
    }
}

#[test]
fn plain_keys_of_openssl_open() {
    for algorithm in BOTH {
        let key = new(algorithm);
        let again = SigningKey::from_pem(&key.to_plain_pem().expect("writes"), None).expect("reads");
        assert_eq!(again.public_key(), key.public_key());
    }
    let secret = p256::SecretKey::from_slice(&[7; 32]).expect("scalar");
    let sec1 = secret.to_sec1_pem(LineEnding::LF).expect("writes");
    let with_parameters = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
        *sec1
    );
    assert!(SigningKey::from_pem(&with_parameters.into(), None).is_ok());
}

#[test]
fn signatures_verify_and_are_the_same_each_time() {
    for algorithm in BOTH {
        let key = new(algorithm);
        let signature = key.sign(b"message");
        assert_eq!(signature, key.sign(b"message"));
        let public = PublicKey::from_pem(&key.public_key().to_pem()).expect("reads");
        assert_eq!(public.verify(b"message", &signature), Ok(()));
        assert_eq!(public.verify(b"Message", &signature), Err(BadSignature));
        assert_eq!(
            new(algorithm).public_key().verify(b"message", &signature),
            Err(BadSignature)
        );
        for length in [0, 1, signature.len() - 1] {
            assert_eq!(public.verify(b"message", &signature[..length]), Err(BadSignature));
        }
        let mut changed = signature.clone();
        changed[signature.len() / 2] ^= 1;
        assert_eq!(public.verify(b"message", &changed), Err(BadSignature));
        changed = signature.clone();
        changed.push(0);
        assert_eq!(public.verify(b"message", &changed), Err(BadSignature));
    }
}

#[test]
fn the_wrong_half_and_other_keys_are_told_apart() {
    let private = |text: &str| SigningKey::from_pem(&text.into(), None).map(|_| ());
    assert_eq!(private(COSIGN_PUBLIC), Err(KeyError::PublicNotPrivate));
    assert_eq!(private("hello"), Err(KeyError::NotPem));
    assert_eq!(private(""), Err(KeyError::NotPem));
    let rsa = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(private(rsa), Err(KeyError::Unsupported(_))));
    assert!(matches!(
        private(&rsa.replace("RSA ", "")),
        Err(KeyError::Unsupported(_))
    ));
    assert!(matches!(private(&"x".repeat(70_000)), Err(KeyError::Malformed(_))));
    assert_eq!(PublicKey::from_pem(COSIGN_KEY), Err(KeyError::PrivateNotPublic));
    let junk = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(matches!(PublicKey::from_pem(junk), Err(KeyError::Unsupported(_))));
}

#[test]
fn debug_and_errors_show_no_key() {
    for algorithm in BOTH {
        let key = new(algorithm);
        let plain = key.to_plain_pem().expect("writes");
        let body = plain.expose_secret().lines().nth(1).expect("a line");
        let shown = format!("{key:?} {plain:?} {:?}", key.derive("x"));
        assert!(!shown.contains(&body[..20]), "{shown}");
    }
}

#[test]
fn derived_secrets_differ_by_label_and_key() {
    for algorithm in BOTH {
        let key = new(algorithm);
        let a = key.derive("a");
        assert_eq!(a.expose_secret(), key.derive("a").expose_secret());
        assert_ne!(a.expose_secret(), key.derive("b").expose_secret());
        assert_ne!(a.expose_secret(), new(algorithm).derive("a").expose_secret());
    }
}
