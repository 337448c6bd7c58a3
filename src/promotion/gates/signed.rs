//! `signed`: a key that may build signed the digest, in the form that cosign verifies.

use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let candidate = &evidence.candidate;
    if candidate.signers.is_empty() {
        let mut because = format!("no trusted key signed {}", candidate.digest);
        if let Some(why) = candidate.ignored.first() {
            because = format!("{because} ({why})");
        }
        return Verdict::Hold {
            because,
            help: vec![
                "iamship build".to_owned(),
                format!("iamship verify {}", candidate.digest),
            ],
        };
    }
    Verdict::pass(format!("signed by {}", candidate.signers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::evidence;
    use super::*;

    #[test]
    fn a_trusted_signature_passes() {
        assert!(!ask(&evidence()).is_hold());
    }

    #[test]
    fn no_signature_holds_and_says_what_did_not_count() {
        let mut evidence = evidence();
        evidence.candidate.signers.clear();
        evidence.candidate.ignored.push("a signature by an unknown key".into());
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(verdict.because().contains("unknown key"));
    }
}
