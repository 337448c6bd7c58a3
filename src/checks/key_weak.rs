//! Keys that are too short, and signatures by a broken hash. Nobody relies on a root's own signature.
//!
//! A warning: whoever answers for it is often a partner. The project's own private key is an error in the last stage.

use super::carried::{Carried, Carrier, Said, and_others, each};
use super::view::{Rank, View};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::values::material::PublicKey;

pub(super) fn find(view: &View<'_>, carried: &[Carried<'_>]) -> Vec<Diagnostic> {
    each(view, carried, Code::KeyWeak, |carried| {
        let material = &carried.material;
        let weak = |keys: &[PublicKey]| keys.iter().find_map(PublicKey::weakness);
        if let Some(weakness) = weak(&material.private_keys) {
            let is_last = match &carried.by {
                Carrier::Value { stage, .. } => view.rank(&stage.name) == Rank::Last,
                Carrier::Literal { .. } => true,
            };
            let severity = if is_last { Severity::Error } else { Severity::Warning };
            return Some(said(format!("the private key in {{owner}} is {weakness}"), severity));
        }
        let of_certificate = |certificate: &crate::values::material::Certificate| {
            let key = certificate.key.as_ref().and_then(PublicKey::weakness);
            let key = key.map(|weakness| format!("has {weakness}"));
            key.or_else(|| certificate.broken_hash.map(|hash| format!("is signed with {hash}")))
        };
        let mut certificates = material.certificates.iter();
        let found = certificates.find_map(|certificate| Some((certificate, of_certificate(certificate)?)));
        if let Some((certificate, weakness)) = found {
            let others = certificates.filter(|other| of_certificate(other).is_some()).count();
            let which = and_others(&certificate.subject, others);
            let message = format!("the certificate {which} in {{owner}} {weakness}");
            return Some(said(message, Severity::Warning));
        }
        let weakness = weak(&material.public_keys)?;
        Some(said(
            format!("the public key in {{owner}} is {weakness}"),
            Severity::Warning,
        ))
    })
}

fn said(message: String, severity: Severity) -> Said {
    Said {
        message,
        severity,
        label: String::new(),
        help: "have a new one made (RSA from 2048 bits on, or a curve like P-256; SHA-256), and give it to {owner}"
            .to_owned(),
        literal_help: "have a new one made: RSA from 2048 bits on, or a curve like P-256, signed with SHA-256",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::carried::in_values;
    use crate::checks::fixture::Fixture;
    use crate::values::material::testing::{SHORT_KEY, SHORT_PUBLIC_KEY, SIGNED_WITH_SHA1, made};

    fn rule(view: &View<'_>) -> Vec<Diagnostic> {
        find(view, &in_values(view.stages))
    }

    #[test]
    fn short_keys_and_broken_hashes_are_told_and_usual_ones_are_not() {
        let fixture = Fixture::new(&["A", "B", "C", "D"], &[("dev", ""), ("prod", "")])
            .secret("dev", "A", SHORT_KEY)
            .secret("dev", "B", SIGNED_WITH_SHA1)
            .secret("dev", "C", SHORT_PUBLIC_KEY)
            .secret("prod", "D", &made("a.net", (2026, 1, 1), (2027, 1, 1)).certificate);
        assert_eq!(
            fixture.told(rule),
            [
                "warning: the certificate `short.example.net` in `A` of `dev` has an RSA key of 1024 bits, where 2048 \
                 are the least",
                "warning: the certificate `sha1.example.net` in `B` of `dev` is signed with SHA-1",
                "warning: the public key in `C` of `dev` is an RSA key of 1024 bits, where 2048 are the least",
            ]
        );
    }
}
