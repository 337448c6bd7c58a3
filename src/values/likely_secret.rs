//! Texts that look like secrets, whatever the profile knows of them.

/// Whether a name says that its value is a secret: `DB_PASSWORD`, `API_TOKEN`, `clientSecret`.
///
/// The false friends stay out: ids, names, paths and addresses of secrets, policies, public keys.
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let ends = |wanted: &[&str]| words.last().is_some_and(|word| wanted.contains(&word.as_str()));
    let about = ends(&[
        "id", "ids", "name", "path", "file", "url", "uri", "host", "port", "ttl", "length", "alias",
    ]) || ends(&[
        "policy",
        "enabled",
        "endpoint",
        "type",
        "algorithm",
        "lifetime",
        "expiry",
        "timeout",
        "only",
    ]) || has(&["public"]);
    let key = ends(&["key"])
        && has(&[
            "private",
            "api",
            "signing",
            "encryption",
            "access",
            "symmetric",
            "license",
        ]);
    !about && (has(&["password", "passwd", "passphrase", "secret", "credentials", "pwd"]) || ends(&["token"]) || key)
}

/// The words of `A_B`, `aB`, `a-b`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for character in name.chars() {
        let begins = character.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins || !character.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a value gives away of itself: "a private key". Hashes and values that the server encrypted are not meant.
pub fn secret_by_pattern(value: &str) -> Option<&'static str> {
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if value.split(is_border).any(is_jwt) {
        return Some("a signed token (JWT)");
    }
    if value.split(is_border).any(is_vendor_token) {
        return Some("an access token");
    }
    if has_url_password(value) {
        return Some("a password in an address");
    }
    has_password_property(value).then_some("a password in a connection string")
}

fn is_border(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | ',' | ';' | '=' | '&')
}

fn is_jwt(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let base64 = |part: &&str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    matches!(parts.as_slice(), [head, body, tail] if head.starts_with("eyJ") && body.starts_with("eyJ") && tail.len() >= 16)
        && parts.iter().all(base64)
}

/// Prefixes that vendors give their tokens so that they can be found.
fn is_vendor_token(text: &str) -> bool {
    let prefixes = [
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "sk_live_",
        "hvs.",
        "AKIA",
    ];
    let tail = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    prefixes.iter().any(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() >= 16 && rest.bytes().all(tail))
    })
}

/// `scheme://user:password@host`
fn has_url_password(value: &str) -> bool {
    value.match_indices("://").any(|(at, _)| {
        let authority = value[at + 3..]
            .split(['/', '?', '#', ' ', ';'])
            .next()
            .unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.and_then(|user| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// `…;password=x;…`, `…&pwd=x`
fn has_password_property(value: &str) -> bool {
    value.split([';', '&', '?']).skip(1).any(|property| {
        property.split_once('=').is_some_and(|(name, value)| {
            matches!(name.trim().to_ascii_lowercase().as_str(), "password" | "pwd") && !value.trim().is_empty()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_their_false_friends() {
        for name in [
            "DB_PASSWORD",
            "CLIENT_SECRET",
            "clientSecret",
            "API_TOKEN",
            "SIGNING_KEY",
            "LICENSE_KEY",
            "SMTP_PWD",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "DB_USERNAME",
            "SIGNING_KEY_ID",
            "PASSWORD_POLICY",
            "TOKEN_ENDPOINT",
            "TOKEN_TTL",
            "SECRET_NAME",
            "PUBLIC_KEY",
            "KEYSTORE_PATH",
            "passwordOnly",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_that_give_themselves_away() {
        for value in [
            "-----BEGIN EC PRIVATE KEY-----\nabc",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
            "ghp_0123456789abcdef0123",
            "postgres://user:pass@db/x",
            "jdbc:sqlserver://db:1433;user=sa;password=x",
        ] {
            assert!(secret_by_pattern(value).is_some(), "{value}");
        }
        for value in [
            "https://login.example.com/a:b@c",
            "mailto:a@b",
            "-----BEGIN CERTIFICATE-----",
            "jdbc:sqlserver://db:1433;databaseName=x;password=",
            "a.b.c",
            "",
        ] {
            assert_eq!(secret_by_pattern(value), None, "{value}");
        }
    }
}
