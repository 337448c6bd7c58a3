//! `provenance`: a key that may build says how the digest was made.

use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let Some(provenance) = &evidence.candidate.provenance else {
        return Verdict::hold(
            format!("no trusted key says how {} was built", evidence.candidate.digest),
            format!("iamship verify {}", evidence.candidate.digest),
        );
    };
    let source = match (&provenance.commit, provenance.dirty) {
        (Some(commit), false) => format!("from commit {}", short(commit)),
        (Some(commit), true) => format!("from commit {} with uncommitted changes", short(commit)),
        (None, _) => "outside of git".to_owned(),
    };
    Verdict::pass(format!("built {source}, says {}", provenance.signer))
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::evidence;
    use super::*;

    #[test]
    fn names_commit_and_signer() {
        let verdict = ask(&evidence());
        assert_eq!(
            verdict.because(),
            "built from commit 0123456789ab, says keys/iamship.pub"
        );
    }

    #[test]
    fn without_provenance_it_holds() {
        let mut evidence = evidence();
        evidence.candidate.provenance = None;
        assert!(ask(&evidence).is_hold());
    }
}
