//! `values`: the next stage gives every parameter of the digest a value that fits.

use super::{Evidence, Verdict};

/// So many are named; `check`, which the help names, tells all.
const MOST_PROBLEMS: usize = 4;

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
    let problems = &evidence.value_problems;
    let mut because = problems[..problems.len().min(MOST_PROBLEMS)].join("; ");
    if problems.len() > MOST_PROBLEMS {
        because = format!("{because}; and {} more", problems.len() - MOST_PROBLEMS);
    }
    Verdict::Hold {
        because,
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
    fn many_problems_still_fit_a_line() {
        let mut evidence = evidence();
        evidence.value_problems = (0..9).map(|number| format!("`P{number}` is missing")).collect();
        let verdict = ask(&evidence);
        assert!(verdict.because().ends_with("`P3` is missing; and 5 more"));
    }

    #[test]
    fn without_a_contract_nothing_is_proven() {
        let mut evidence = evidence();
        evidence.candidate.contract = None;
        assert!(ask(&evidence).is_hold());
    }
}
