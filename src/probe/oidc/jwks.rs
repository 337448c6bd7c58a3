//! The key set: what others verify this server's tokens with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::Value;

use super::{Metadata, Provider};
use crate::probe::http::{Answer, Question, one_line};
use crate::probe::{Finding, Miss, Prober};

const EXPECTED: &str = "HTTP 200 with a set of public keys";
/// Members that only a private or a symmetric key has.
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const ALGORITHMS: &[&str] = &[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "ES256K",
    "EdDSA",
    "Ed25519",
    "Ed448",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "RSA1_5",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
];
/// Fewer bits can be factored: NIST SP 800-131A, RFC 7518 section 3.3.
const LEAST_RSA_BYTES: usize = 2048 / 8;

/// One public key of the set.
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) kind: Kind,
    pub(super) algorithm: Option<String>,
    /// Whether it is for encryption only.
    pub(super) encrypts: bool,
}

/// Its numbers, base64url.
pub(super) enum Kind {
    Rsa {
        n: String,
        e: String,
    },
    Ec {
        x: String,
        y: String,
    },
    Okp {
        x: String,
    },
    /// A kind that is known and not verified with here.
    Other,
}

impl Key {
    pub(super) fn decoding(&self) -> Option<DecodingKey> {
        match &self.kind {
            Kind::Rsa { n, e } => DecodingKey::from_rsa_components(n, e).ok(),
            Kind::Ec { x, y } => DecodingKey::from_ec_components(x, y).ok(),
            Kind::Okp { x } => DecodingKey::from_ed_components(x).ok(),
            Kind::Other => None,
        }
    }
}

pub(super) async fn read(prober: &Prober, provider: &Provider, metadata: &Metadata) -> (Vec<Key>, Finding) {
    match keys(prober, provider, metadata).await {
        Ok(keys) => {
            let kinds: Vec<_> = keys
                .iter()
                .map(|key| key.algorithm.as_deref().unwrap_or("any algorithm"))
                .collect();
            let words = format!("{} keys: {}", keys.len(), kinds.join(", "));
            (keys, Finding::new("jwks", Ok(words)))
        }
        Err(miss) => (Vec::new(), Finding::new("jwks", Err(miss))),
    }
}

async fn keys(prober: &Prober, provider: &Provider, metadata: &Metadata) -> Result<Vec<Key>, Miss> {
    let Some(path) = metadata.path("jwks_uri") else {
        return Err(Miss {
            asked: "the discovery document".to_owned(),
            came: "no `jwks_uri` under the issuer's address".to_owned(),
            expected: "one".to_owned(),
        });
    };
    let answer = prober.ask(&provider.door, Question::get(path), EXPECTED).await?;
    let document = answer.json().filter(|_| answer.status == 200);
    let Some(members) = document.as_ref().and_then(|document| document.get("keys")?.as_array()) else {
        return Err(answer.miss(prober.told(&answer), EXPECTED));
    };
    // What is published wrongly may be a private key: of no key more is told than its name and its members' names.
    let keys: Vec<_> = members
        .iter()
        .enumerate()
        .map(|(index, member)| key(prober, &answer, index, member))
        .collect::<Result<_, _>>()?;
    if keys.iter().all(|key| key.encrypts) {
        return Err(answer.miss(
            format!("{} keys, none for signatures", keys.len()),
            "a key to verify tokens with",
        ));
    }
    for (index, key) in keys.iter().enumerate() {
        match &key.kid {
            None if keys.len() > 1 => {
                return Err(answer.miss(
                    format!("key {} without a `kid`", index + 1),
                    "a `kid` on each of several keys",
                ));
            }
            Some(kid) if keys[..index].iter().any(|other| other.kid.as_ref() == Some(kid)) => {
                let kid = prober.line(kid, 80);
                return Err(answer.miss(
                    format!("two keys with the `kid` `{kid}`"),
                    "a `kid` of its own on each key",
                ));
            }
            _ => {}
        }
    }
    Ok(keys)
}

fn key(prober: &Prober, answer: &Answer, index: usize, member: &Value) -> Result<Key, Miss> {
    let text = |field: &str| member.get(field).and_then(Value::as_str);
    let number = index + 1;
    let name = match text("kid") {
        Some(kid) => format!("key `{}`", prober.line(kid, 80)),
        None => format!("key {number}"),
    };
    let bad = |(what, expected): Fault| answer.miss(format!("{name} {what}"), expected);
    let kind = kind(member).map_err(bad)?;
    let algorithm = text("alg").map(str::to_owned);
    if let Some(algorithm) = algorithm.as_deref().filter(|name| !ALGORITHMS.contains(name)) {
        let what = format!("with the algorithm `{}`", one_line(algorithm, 40));
        return Err(bad((what, "an asymmetric algorithm")));
    }
    let usage = text("use");
    if let Some(usage) = usage.filter(|usage| !matches!(*usage, "sig" | "enc")) {
        return Err(bad((
            format!("for `{}`", one_line(usage, 40)),
            "`use` of `sig` or `enc`",
        )));
    }
    Ok(Key {
        kid: text("kid").map(str::to_owned),
        kind,
        algorithm,
        encrypts: usage == Some("enc"),
    })
}

/// What is wrong with a key, and what it should be.
type Fault = (String, &'static str);

fn kind(member: &Value) -> Result<Kind, Fault> {
    let text = |field: &str| member.get(field).and_then(Value::as_str);
    let fault = |what: &str, expected| Err((what.to_owned(), expected));
    if let Some(private) = PRIVATE.iter().find(|field| member.get(**field).is_some()) {
        return Err((format!("with the private member `{private}`"), "public keys only"));
    }
    match text("kty") {
        Some("RSA") => rsa(&text),
        Some("EC") => match ec(&text) {
            Some(kind) => Ok(kind),
            None => fault("that is no point of a known curve", "`crv`, `x` and `y`"),
        },
        Some("OKP") => match okp(&text) {
            Some(kind) => Ok(kind),
            None => fault("of no known curve", "`crv` and `x`"),
        },
        Some("AKP") => Ok(Kind::Other),
        Some("oct") => fault("that is symmetric", "public keys only"),
        _ => fault("of no known kind (`kty`)", "RSA, EC or OKP"),
    }
}

fn rsa<'t>(text: &impl Fn(&str) -> Option<&'t str>) -> Result<Kind, Fault> {
    let (n, e) = (text("n").unwrap_or_default(), text("e").unwrap_or_default());
    match (bytes(n), bytes(e)) {
        (Some(modulus), Some(_)) if modulus >= LEAST_RSA_BYTES => Ok(Kind::Rsa {
            n: n.to_owned(),
            e: e.to_owned(),
        }),
        (Some(modulus), Some(_)) => Err((format!("of {} bits", modulus * 8), "RSA keys of 2048 bits or more")),
        _ => Err(("whose `n` or `e` is no number".to_owned(), "RSA keys with `n` and `e`")),
    }
}

fn ec<'t>(text: &impl Fn(&str) -> Option<&'t str>) -> Option<Kind> {
    let (x, y) = (text("x")?, text("y")?);
    let length = match text("crv")? {
        "P-256" | "secp256k1" => 32,
        "P-384" => 48,
        "P-521" => 66,
        _ => return None,
    };
    (bytes(x)? == length && bytes(y)? == length).then(|| Kind::Ec {
        x: x.to_owned(),
        y: y.to_owned(),
    })
}

fn okp<'t>(text: &impl Fn(&str) -> Option<&'t str>) -> Option<Kind> {
    let x = text("x")?;
    let length = match text("crv")? {
        "Ed25519" | "X25519" => 32,
        "Ed448" => 57,
        "X448" => 56,
        _ => return None,
    };
    (bytes(x)? == length).then(|| Kind::Okp { x: x.to_owned() })
}

/// How many bytes a base64url text holds, leading zeros left out of none.
fn bytes(text: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (!bytes.is_empty()).then_some(bytes.len())
}
