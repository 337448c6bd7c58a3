//! Whether a value is what its parameter's type says. No answer holds a piece of the value.

// From `core`: an address as a value; this floor knows no sockets.
use core::net::IpAddr;

use crate::profile::ParameterType;

/// Why a value is not of its type, in words that are safe for secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}: {because}")]
pub struct TypeMismatch {
    /// What a value must be: "a port (1 to 65535)".
    pub expected: &'static str,
    /// What stands in the way: "it has a blank".
    pub because: String,
    /// Whether the value can be right all the same.
    pub certainty: Certainty,
}

/// How sure a mismatch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The server refuses such a value.
    Sure,
    /// It differs from all values that were seen; the server's own rule is not documented.
    Unusual,
}

/// Checks a value. An empty one is no `Text`, and nothing else either.
pub fn check_type(kind: ParameterType, value: &str) -> Result<(), TypeMismatch> {
    let (expected, verdict) = match kind {
        ParameterType::Text => ("a text that is not empty", text(value)),
        ParameterType::Url => ("an absolute URL with a host", address(value)),
        ParameterType::Host => ("a host name or an IP address", host(value)),
        ParameterType::Port => ("a port (1 to 65535)", port(value)),
        ParameterType::Boolean => ("`true` or `false`", boolean(value)),
        ParameterType::Integer => ("a whole number", integer(value)),
        ParameterType::PasswordHash => ("a password hash, `$5$…` or `$6$…`", password_hash(value)),
        ParameterType::Encrypted => (
            "a value that the server encrypted, `data:…;aes,v:S.…`",
            encrypted(value),
        ),
        ParameterType::Pem => ("PEM text", pem_text(value)),
    };
    verdict.map_err(|because| TypeMismatch {
        expected,
        because,
        certainty: certainty(kind, value),
    })
}

fn certainty(kind: ParameterType, value: &str) -> Certainty {
    match kind {
        ParameterType::Encrypted if !value.is_empty() => Certainty::Unusual,
        ParameterType::PasswordHash if value.starts_with('$') => Certainty::Unusual,
        _ => Certainty::Sure,
    }
}

/// What a value is not.
type Verdict = Result<(), String>;

fn no(because: &str) -> Verdict {
    Err(because.to_owned())
}

fn text(value: &str) -> Verdict {
    if value.is_empty() { no("it is empty") } else { Ok(()) }
}

/// Every scheme is fine; the URL crate forgives blanks and missing slashes, which servers don't.
fn address(value: &str) -> Verdict {
    text(value)?;
    if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return no("it has a blank or a line break in it");
    }
    // JDBC addresses have a grammar for each driver: `jdbc:sqlserver://db;a=b`, `jdbc:hsqldb:mem:x`.
    if let Some(rest) = value.strip_prefix("jdbc:") {
        return match rest.split_once(':') {
            Some((driver, place)) if !driver.is_empty() && !place.is_empty() => Ok(()),
            _ => no("`jdbc:` is followed by no driver and place"),
        };
    }
    let Some((_, rest)) = value.split_once("://") else {
        return no("it has no `scheme://`");
    };
    if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) {
        return no("it has no host");
    }
    match url::Url::parse(value) {
        Err(problem) => Err(problem.to_string()),
        Ok(url) if !url.has_host() => no("it has no host"),
        Ok(_) => Ok(()),
    }
}

fn host(value: &str) -> Verdict {
    text(value)?;
    let bare = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(value);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if value.contains("://") {
        return no("it has a scheme");
    }
    if value.contains('/') {
        return no("it has a path");
    }
    if value.contains(':') {
        return no("it has a port");
    }
    let labels: Vec<_> = value.strip_suffix('.').unwrap_or(value).split('.').collect();
    let fits = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if value.len() > 253 || !labels.iter().all(fits) {
        return no("a host's parts are letters, digits and `-` between dots");
    }
    match labels.last() {
        Some(last) if last.bytes().all(|b| b.is_ascii_digit()) => no("a number is no host"),
        _ => Ok(()),
    }
}

fn port(value: &str) -> Verdict {
    text(value)?;
    if !value.bytes().all(|b| b.is_ascii_digit()) {
        return no("only digits make a port");
    }
    match value.parse::<u16>() {
        Ok(0) | Err(_) => no("it is out of range"),
        Ok(_) => Ok(()),
    }
}

fn boolean(value: &str) -> Verdict {
    match value {
        "true" | "false" => Ok(()),
        _ if matches!(value.to_ascii_lowercase().trim(), "true" | "false") => {
            no("write it in lower case, without blanks")
        }
        _ => no("it is another word"),
    }
}

fn integer(value: &str) -> Verdict {
    let digits = value.strip_prefix('-').unwrap_or(value);
    match digits.bytes().all(|b| b.is_ascii_digit()) && (1..=38).contains(&digits.len()) {
        true => Ok(()),
        false => no("only digits, with `-` before them, make a number"),
    }
}

/// crypt(3): `$5$[rounds=N$]<salt, up to 16>$<43>`. OpenSSL writes salts of 8 or 16; the server's library takes all.
fn password_hash(value: &str) -> Verdict {
    let (rest, length) = match (value.strip_prefix("$5$"), value.strip_prefix("$6$")) {
        (Some(rest), _) => (rest, 43),
        (_, Some(rest)) => (rest, 86),
        _ => return no("it begins with neither `$5$` nor `$6$` (in an env file it needs single quotes)"),
    };
    let mut parts: Vec<_> = rest.split('$').collect();
    if let Some(rounds) = parts.first().and_then(|part| part.strip_prefix("rounds=")) {
        if rounds.is_empty() || !rounds.bytes().all(|b| b.is_ascii_digit()) {
            return no("`rounds=` is followed by no number");
        }
        parts.remove(0);
    }
    let [salt, hash] = parts.as_slice() else {
        return no("it is not made of a salt and a hash between `$`");
    };
    let alphabet = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'))
    };
    if !(1..=16).contains(&salt.len()) || !alphabet(salt) {
        return no("its salt is not 1 to 16 of `./0-9A-Za-z`");
    }
    if hash.len() != length {
        return Err(format!("its hash has {} characters where {length} belong", hash.len()));
    }
    if alphabet(hash) {
        Ok(())
    } else {
        no("its hash has characters other than `./0-9A-Za-z`")
    }
}

/// `data:<type>;aes,v:S.<24>.<24>.<ciphertext>.<44>` in padded base64url; the structure only.
fn encrypted(value: &str) -> Verdict {
    let Some(rest) = value.strip_prefix("data:") else {
        return no("it does not begin with `data:`");
    };
    let Some((media_type, rest)) = rest.split_once(";aes,v:S.") else {
        return no("it has no `;aes,v:S.` in it");
    };
    if !matches!(media_type, "text/plain" | "application/p12" | "application/pem") {
        return no("its type is none of text/plain, application/p12, application/pem");
    }
    let parts: Vec<_> = rest.split('.').collect();
    let [nonce, salt, ciphertext, tail] = parts.as_slice() else {
        return Err(format!("it has {} parts where 4 belong", parts.len()));
    };
    for (name, part, length) in [("first", nonce, 24), ("second", salt, 24), ("last", tail, 44)] {
        if part.len() != length {
            return Err(format!(
                "its {name} part has {} characters where {length} belong",
                part.len()
            ));
        }
    }
    let base64 = |part: &&str| {
        let digits = part.trim_end_matches('=');
        !digits.is_empty()
            && part.len().is_multiple_of(4)
            && part.len() - digits.len() <= 2
            && digits
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    match [nonce, salt, ciphertext, tail].into_iter().all(base64) {
        true => Ok(()),
        false => no("a part is not padded base64url"),
    }
}

fn pem_text(value: &str) -> Verdict {
    text(value)?;
    if !value.contains("-----BEGIN ") {
        return no("it has no `-----BEGIN …-----` line");
    }
    if value.contains("\\n") && !value.contains('\n') {
        return no("it has `\\n` written out where line breaks belong (double quotes turn them into breaks)");
    }
    match pem::parse_many(value) {
        Ok(blocks) if !blocks.is_empty() => Ok(()),
        _ => no("its block is cut off, or is not base64"),
    }
}

#[cfg(test)]
mod tests;
