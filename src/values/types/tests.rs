//! Good and bad values of each type.

use super::*;

fn good(kind: ParameterType, values: &[&str]) {
    for value in values {
        assert_eq!(check_type(kind, value), Ok(()), "{kind}: {value}");
    }
}

fn bad(kind: ParameterType, values: &[(&str, &str)]) {
    for (value, part) in values {
        let because = check_type(kind, value).expect_err(value).because;
        assert!(because.contains(part), "{kind}: {value}: {because}");
    }
}

#[test]
fn urls() {
    good(
        ParameterType::Url,
        &[
            "https://a.example/b?c#d",
            "http://localhost:8443",
            "ldaps://[::1]:636",
            "jdbc:sqlserver://db:1433;databaseName=x",
            "jdbc:hsqldb:mem:x",
        ],
    );
    bad(
        ParameterType::Url,
        &[
            ("", "empty"),
            ("login.example.com", "scheme"),
            ("https:/login", "scheme"),
            ("https://", "host"),
            ("https:///x", "host"),
            ("https://a b/", "blank"),
            ("https://a:99999/", "port"),
            ("jdbc:", "driver"),
            ("/path", "scheme"),
        ],
    );
}

#[test]
fn hosts_and_ports() {
    good(
        ParameterType::Host,
        &["db", "a-b.example.com", "10.0.0.1", "::1", "[::1]", "smtp_1", "a.b."],
    );
    bad(
        ParameterType::Host,
        &[
            ("", "empty"),
            ("https://a", "scheme"),
            ("a/b", "path"),
            ("a:1", "port"),
            ("a..b", "parts"),
            ("-a", "parts"),
            ("a b", "parts"),
            ("8443", "number"),
            ("1.2.3.999", "number"),
        ],
    );
    good(ParameterType::Port, &["1", "8443", "65535"]);
    bad(
        ParameterType::Port,
        &[
            ("", "empty"),
            ("0", "range"),
            ("65536", "range"),
            ("+1", "digits"),
            ("84 43", "digits"),
        ],
    );
}

#[test]
fn booleans_and_integers() {
    good(ParameterType::Boolean, &["true", "false"]);
    bad(
        ParameterType::Boolean,
        &[("True", "lower case"), ("yes", "another"), ("", "another")],
    );
    good(ParameterType::Integer, &["0", "-12", "300"]);
    bad(
        ParameterType::Integer,
        &[("", "digits"), ("-", "digits"), ("1.5", "digits"), ("5m", "digits")],
    );
}

#[test]
fn password_hashes() {
    let (short, long) = ("a".repeat(43), "B".repeat(86));
    for value in [
        format!("$5$12345678${short}"),
        format!("$5$1234567890./abcd${short}"),
        format!("$5$rounds=5000$salt${short}"),
        format!("$6$12345678${long}"),
    ] {
        good(ParameterType::PasswordHash, &[&value]);
    }
    let cut = format!("$5$12345678${}", &short[1..]);
    let alphabet = format!("$5$12345678${}", "-".repeat(43));
    bad(
        ParameterType::PasswordHash,
        &[
            ("Password1", "begins"),
            ("$2y$10$abc", "begins"),
            (&cut, "42 characters"),
            (&alphabet, "other than"),
            ("$5$$x", "salt"),
            ("$5$abc", "between"),
            ("$5$rounds=x$a$b", "rounds"),
        ],
    );
}

#[test]
fn encrypted_values() {
    let (a, b, tail) = ("A".repeat(22) + "==", "_".repeat(22) + "==", "z".repeat(43) + "=");
    good(
        ParameterType::Encrypted,
        &[&format!("data:text/plain;aes,v:S.{a}.{b}.QUJD.{tail}")],
    );
    bad(
        ParameterType::Encrypted,
        &[
            ("Password1", "data:"),
            ("data:image/svg+xml;base64,AAAA", "aes"),
            (&format!("data:image/png;aes,v:S.{a}.{b}.QUJD.{tail}"), "type"),
            (&format!("data:text/plain;aes,v:S.{a}.{b}.QUJD"), "3 parts"),
            (&format!("data:text/plain;aes,v:S.{a}.{b}.QUJD.short"), "last part"),
            (&format!("data:text/plain;aes,v:S.{a}.{b}.QU+D.{tail}"), "base64url"),
            (&format!("data:text/plain;aes,v:S.{a}.{b}..{tail}"), "base64url"),
        ],
    );
}

#[test]
fn only_what_the_server_refuses_is_sure() {
    let certainty = |kind, value| check_type(kind, value).expect_err(value).certainty;
    assert_eq!(certainty(ParameterType::Port, "x"), Certainty::Sure);
    assert_eq!(certainty(ParameterType::PasswordHash, "Password1"), Certainty::Sure);
    assert_eq!(
        certainty(ParameterType::PasswordHash, "$1$salt$hash"),
        Certainty::Unusual
    );
    assert_eq!(certainty(ParameterType::Encrypted, "MIIK"), Certainty::Unusual);
    assert_eq!(certainty(ParameterType::Encrypted, ""), Certainty::Sure);
}

#[test]
fn pem_texts() {
    good(
        ParameterType::Pem,
        &["-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"],
    );
    bad(
        ParameterType::Pem,
        &[
            ("QUJD", "BEGIN"),
            ("-----BEGIN CERTIFICATE-----\nQUJD\n", "cut off"),
            (
                "-----BEGIN CERTIFICATE-----\\nQUJD\\n-----END CERTIFICATE-----",
                "written out",
            ),
        ],
    );
}

#[test]
fn no_answer_repeats_the_value() {
    for kind in [
        ParameterType::Url,
        ParameterType::Host,
        ParameterType::Port,
        ParameterType::Boolean,
        ParameterType::Integer,
        ParameterType::PasswordHash,
        ParameterType::Encrypted,
        ParameterType::Pem,
    ] {
        for value in [
            "hunter2://hunter2:hunter2",
            "$5$hunter2",
            "data:hunter2;aes,v:S.hunter2",
        ] {
            if let Err(mismatch) = check_type(kind, value) {
                assert!(!mismatch.to_string().contains("hunter2"));
            }
        }
    }
}
