//! `provenance`: a key that may build says how the digest was made.

use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let Some(provenance) = &evidence.candidate.provenance else {
        return Verdict::hold(
            format!("no trusted key says how {} was built", evidence.candidate.digest),
            format!("iamship verify {}", evidence.candidate.digest),
        );
    };
    if provenance.project != evidence.project {
        return Verdict::hold(
            format!(
                "{} was built from the project `{}`, not from `{}`",
                evidence.candidate.digest, provenance.project, evidence.project
            ),
            "iamship build",
        );
    }
    if let (Some(named), signed) = (&evidence.named_version, &evidence.candidate.version)
        && signed.as_ref() != Some(named)
    {
        return Verdict::hold(
            format!(
                "the tag `{named}` points at {}, whose version is `{}`: somebody moved it",
                evidence.candidate.digest,
                signed.as_deref().unwrap_or("unknown")
            ),
            format!("iamship verify {}", evidence.candidate.digest),
        );
    }
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
    fn an_image_of_another_project_holds_though_the_key_is_trusted() {
        let mut evidence = evidence();
        evidence.project = "another".into();
        assert!(ask(&evidence).because().contains("from the project `idsvr`"));
    }

    #[test]
    fn a_version_tag_that_was_moved_holds() {
        let mut evidence = evidence();
        evidence.named_version = evidence.candidate.version.clone();
        assert!(!ask(&evidence).is_hold());
        evidence.named_version = Some("1.0-old".into());
        assert!(ask(&evidence).because().contains("somebody moved it"));
    }

    #[test]
    fn without_provenance_it_holds() {
        let mut evidence = evidence();
        evidence.candidate.provenance = None;
        assert!(ask(&evidence).is_hold());
    }
}
