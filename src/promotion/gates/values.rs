//! `values`: the next stage gives every parameter of the digest a value that fits.

use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let to = &evidence.to.name;
    let Some(contract) = &evidence.candidate.contract else {
        return Verdict::hold(
            format!(
                "no trusted key says which parameters {} needs",
                evidence.candidate.digest
            ),
            format!("iamship verify {}", evidence.candidate.digest),
        );
    };
    if evidence.value_problems.is_empty() {
        return Verdict::pass(format!(
            "`{to}` gives all {} parameters a value",
            contract.parameters.len()
        ));
    }
    Verdict::Hold {
        because: evidence.value_problems.join("; "),
        help: vec![format!("iamship check {to}"), "iamship parameters".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::evidence;
    use super::*;

    #[test]
    fn complete_values_pass() {
        assert!(!ask(&evidence()).is_hold());
    }

    #[test]
    fn each_problem_is_named() {
        let mut evidence = evidence();
        evidence.value_problems = vec!["`prod` gives `DB_PASSWORD` no value".into()];
        let verdict = ask(&evidence);
        assert!(verdict.because().contains("DB_PASSWORD"));
        assert_eq!(verdict.help()[0], "iamship check prod");
    }

    #[test]
    fn without_a_contract_nothing_is_proven() {
        let mut evidence = evidence();
        evidence.candidate.contract = None;
        assert!(ask(&evidence).is_hold());
    }
}
