//! `tested`: every suite that the stage asks for passed there, with the values it has now.

use super::super::evidence::{Freshness, TestFacts};
use super::super::standing::Standing;
use super::{Evidence, MAX_AHEAD, Verdict};
use crate::attest::{RecordKind, RecordTag};
use crate::values::SecretsHashed;

/// So many doubtful tags are named.
const MOST_TAGS: usize = 4;

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    if evidence.required_suites.is_empty() {
        return Verdict::pass(format!("no suite is asked for to leave `{}`", evidence.from.name));
    }
    if !evidence.candidate.doubtful_tests.is_empty() {
        return doubtful(&evidence.candidate.doubtful_tests);
    }
    let mut passed = Vec::new();
    let mut because = Vec::new();
    let mut help = Vec::new();
    for suite in &evidence.required_suites {
        match look(evidence, suite) {
            Ok(why) => passed.push(why),
            Err((why, mend)) => {
                because.push(why);
                help.push(mend);
            }
        }
    }
    if because.is_empty() {
        Verdict::pass(passed.join("; "))
    } else {
        help.dedup();
        Verdict::Hold {
            because: because.join("; "),
            help,
        }
    }
}

/// A result that somebody took away may have been a failure.
fn doubtful(tags: &[String]) -> Verdict {
    let named: Vec<_> = tags.iter().take(MOST_TAGS).map(|tag| format!("`{tag}`")).collect();
    let more = match tags.len().saturating_sub(MOST_TAGS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = named.join(", ");
    Verdict::Hold {
        because: format!("{named}{more} should be test results and hold something else: a failure may be hidden"),
        help: vec![format!(
            "find out who moved it, then delete the tag and test again: {named}"
        )],
    }
}

/// Why one suite is good, or why not and what mends it.
fn look(evidence: &Evidence, suite: &str) -> Result<String, (String, String)> {
    let stage = &evidence.from.name;
    let digest = evidence.candidate.digest;
    let again = if evidence.own_suites.iter().any(|own| own == suite) {
        format!("iamship test {stage} --digest {digest}")
    } else {
        format!("run it, then: iamship attest tested {stage} --suite {suite} --result passed --digest {digest}")
    };
    if let Some(facts) = of_the_future(evidence, suite) {
        let tag = RecordTag::new(digest, RecordKind::Tested, &facts.record);
        return Err((
            format!("the result of suite `{suite}` is of {}, later than now", facts.at),
            format!("set the clocks, delete the tag `{tag}`, then test again"),
        ));
    }
    let current = evidence.fingerprint.as_ref();
    let same_key = "set `IAMSHIP_FINGERPRINT_KEY` to the same text on every machine, then test again";
    let Some(standing) = Standing::of(&evidence.candidate.tests, suite, current) else {
        return Err((
            format!("suite `{suite}` has no result in `{stage}` for {digest}"),
            again,
        ));
    };
    let at = standing.facts().at;
    match standing {
        Standing::Passed(facts) if facts.fingerprint.secrets == SecretsHashed::LeftOut => Ok(format!(
            "`{suite}` passed in `{stage}` at {at} (secrets not in the fingerprint)"
        )),
        Standing::Passed(_) => Ok(format!("`{suite}` passed in `{stage}` at {at}")),
        Standing::Failed(facts) => {
            let freshness = current.map(|current| current.compare(facts));
            let because = format!("suite `{suite}` failed in `{stage}` at {at}");
            Err(match freshness {
                Some(Freshness::OtherKey) => (
                    format!("{because}, with values that were hashed with a key that is not here"),
                    again,
                ),
                _ => (because, again),
            })
        }
        Standing::Stale(facts) => {
            let how = if facts.passed { "passed" } else { "failed" };
            let what = match current {
                Some(current) if !current.runs_as_in(facts) => {
                    "container (`[stage.run]`, `[stage.protect]`, or `[run]` of the profile) has"
                }
                _ => "values have",
            };
            let because = format!("suite `{suite}` {how} at {at}, but `{stage}`'s {what} changed since");
            Err((because, again))
        }
        Standing::OtherKey(_) => Err((
            format!("suite `{suite}` passed, but its values were hashed with a key that is not here"),
            same_key.to_owned(),
        )),
        Standing::Unread(_) => Err((
            format!("suite `{suite}` passed in `{stage}`, but `{stage}`'s values can't be read here"),
            format!("iamship check {stage}"),
        )),
    }
}

/// A result that no clock explains: what comes now would never be the newest.
fn of_the_future<'e>(evidence: &'e Evidence, suite: &str) -> Option<&'e TestFacts> {
    let latest = evidence.now.saturating_add(MAX_AHEAD).unwrap_or(evidence.now);
    let mut own = evidence.candidate.tests.iter().filter(|facts| facts.suite == suite);
    own.find(|facts| facts.at > latest)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{evidence, keyed};
    use super::*;

    #[test]
    fn a_fresh_pass_passes() {
        assert!(!ask(&evidence()).is_hold());
    }

    #[test]
    fn a_missing_suite_holds_with_the_command_that_mends_it() {
        let mut evidence = evidence();
        evidence.required_suites.push("boot".into());
        let verdict = ask(&evidence);
        assert!(verdict.because().contains("suite `boot` has no result in `staging`"));
        assert!(
            verdict.help()[0].contains("iamship attest tested staging --suite boot --result passed --digest sha256:")
        );
        evidence.own_suites = vec!["boot".into()];
        assert!(ask(&evidence).help()[0].starts_with("iamship test staging --digest sha256:"));
    }

    #[test]
    fn without_suites_it_says_so() {
        let mut evidence = evidence();
        evidence.required_suites.clear();
        evidence.candidate.doubtful_tests.push("x".into());
        assert_eq!(ask(&evidence).because(), "no suite is asked for to leave `staging`");
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn a_result_that_may_be_hidden_holds_and_its_tag_is_named() {
        let mut evidence = evidence();
        evidence.candidate.doubtful_tests = (0..6).map(|number| format!("tag-{number}")).collect();
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(verdict.because().starts_with("`tag-0`, `tag-1`"));
        assert!(verdict.because().contains("`tag-3` and 2 more"));
        assert!(verdict.help()[0].contains("`tag-0`"));
    }

    #[test]
    fn a_result_of_the_future_holds_unless_clocks_explain_it() {
        let mut evidence = evidence();
        let ahead = |seconds: i64| jiff::Timestamp::from_second(1_767_225_800 + seconds).unwrap();
        evidence.candidate.tests[0].at = ahead(300);
        assert!(!ask(&evidence).is_hold());
        evidence.candidate.tests[0].at = ahead(301);
        let verdict = ask(&evidence);
        assert!(verdict.because().contains("later than now"));
        assert!(verdict.help()[0].contains(".iamship-tested-"));
    }

    #[test]
    fn a_failure_holds() {
        let mut evidence = evidence();
        evidence.candidate.tests[0].passed = false;
        assert!(ask(&evidence).because().contains("failed"));
    }

    #[test]
    fn changed_values_make_it_stale() {
        let mut evidence = evidence();
        evidence.fingerprint.as_mut().unwrap().keyed = Some(keyed("other values"));
        assert!(ask(&evidence).because().contains("values have changed"));
    }

    #[test]
    fn another_container_makes_it_stale_and_is_named() {
        let mut evidence = evidence();
        evidence.fingerprint.as_mut().unwrap().definition = crate::image::Digest::of(b"more memory");
        let verdict = ask(&evidence);
        assert!(verdict.is_hold());
        assert!(
            verdict.because().contains("`staging`'s container (`[stage.run]`"),
            "{}",
            verdict.because()
        );
        // What starts no container is not about one.
        evidence.candidate.tests[0].definition = None;
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn another_key_can_not_be_compared_and_so_holds() {
        let mut evidence = evidence();
        evidence.fingerprint.as_mut().unwrap().keyed = None;
        assert!(ask(&evidence).because().contains("a key that is not here"));
    }

    #[test]
    fn without_the_values_of_now_it_holds() {
        let mut evidence = evidence();
        evidence.fingerprint = None;
        assert_eq!(ask(&evidence).help(), ["iamship check staging"]);
    }
}
