//! A private key and certificates in one value, and the key is none of theirs: the server would start and no handshake
//! succeed, or not start.

use super::carried::{Carried, Said, each};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn find(view: &View<'_>, carried: &[Carried<'_>]) -> Vec<Diagnostic> {
    each(view, carried, Code::KeyMismatch, |carried| {
        let subject = &carried.material.certificates.first()?.subject;
        carried.material.is_mismatched().then(|| Said {
            message: "the private key in {owner} is not the key of a certificate beside it".to_owned(),
            severity: Code::KeyMismatch.severity(),
            label: format!("the first certificate is `{subject}`"),
            help: "give {owner} a certificate and the key that it was issued for".to_owned(),
            literal_help: "put a placeholder here, and give each stage a certificate and its key",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::carried::in_values;
    use crate::checks::fixture::Fixture;
    use crate::values::material::testing::made;

    #[test]
    fn a_key_beside_another_one_s_certificate() {
        let (one, other) = (
            made("a.net", (2026, 1, 1), (2027, 1, 1)),
            made("b.net", (2026, 1, 1), (2027, 1, 1)),
        );
        let (right, wrong) = (one.key.clone() + &one.certificate, one.key.clone() + &other.certificate);
        let rule = |view: &View<'_>| find(view, &in_values(view.stages));
        let fixture = Fixture::new(&["!KEY", "!ALONE", "!RIGHT"], &[("dev", "")])
            .secret("dev", "RIGHT", &right)
            .secret("dev", "ALONE", &one.key)
            .secret("dev", "KEY", &wrong);
        assert_eq!(
            fixture.told(rule),
            ["error: the private key in `KEY` of `dev` is not the key of a certificate beside it"]
        );
        let drawn = fixture.drawn(rule);
        assert!(drawn.contains("the first certificate is `b.net`"), "{drawn}");
        assert!(!drawn.contains(one.key.lines().nth(1).expect("a line")), "{drawn}");
    }
}
