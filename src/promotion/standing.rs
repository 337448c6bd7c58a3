//! What a suite's results say of a stage as it is now: of each set of values, the newest counts.

use super::evidence::{CurrentFingerprint, Freshness, TestFacts};
use crate::values::SecretsHashed;

/// What a suite's results say of a stage as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'t> {
    /// It passed with the values of now, and no failure stands against that.
    Passed(&'t TestFacts),
    /// It failed with the values of now, or with some that can't be told from them.
    Failed(&'t TestFacts),
    /// It ran with other values only.
    Stale(&'t TestFacts),
    /// It passed with values that can't be compared: their secrets were hashed with a key that is not here.
    OtherKey(&'t TestFacts),
    /// The values of now can't be read.
    Unread(&'t TestFacts),
}

impl<'t> Standing<'t> {
    /// What a suite's results say; none when there are none. `tests` are the newest of each suite and set of values.
    ///
    /// A failure with other values says nothing of these ones, and a pass with other values takes no failure with
    /// these ones back. A failure that may be of these values is taken back only by a later pass that is certainly of
    /// them: one whose fingerprint has the secrets in it.
    pub fn of(tests: &'t [TestFacts], suite: &str, current: Option<&CurrentFingerprint>) -> Option<Self> {
        let mut own: Vec<&TestFacts> = tests.iter().filter(|facts| facts.suite == suite).collect();
        own.sort_by(|a, b| newest_first(a, b));
        let newest = *own.first()?;
        let Some(current) = current else {
            return Some(match newest.passed {
                true => Self::Unread(newest),
                false => Self::Failed(newest),
            });
        };
        let with = |freshness: Freshness, passed: bool| {
            let own = own.iter().copied();
            own.filter(move |facts| facts.passed == passed && current.compare(facts) == freshness)
        };
        let is_taken_back = |failure: &TestFacts| {
            let mut passes = with(Freshness::Fresh, true);
            passes.any(|pass| pass.at > failure.at && pass.fingerprint.secrets != SecretsHashed::LeftOut)
        };
        let mut failures: Vec<&TestFacts> = with(Freshness::Fresh, false)
            .chain(with(Freshness::OtherKey, false))
            .collect();
        failures.sort_by(|a, b| newest_first(a, b));
        let failed = failures
            .into_iter()
            .find(|failure| !is_taken_back(failure))
            .map(Self::Failed);
        let passed = with(Freshness::Fresh, true).next().map(Self::Passed);
        let unknown = with(Freshness::OtherKey, true).next().map(Self::OtherKey);
        failed.or(passed).or(unknown).or(Some(Self::Stale(newest)))
    }

    /// The result that decides.
    pub fn facts(self) -> &'t TestFacts {
        match self {
            Self::Passed(facts)
            | Self::Failed(facts)
            | Self::Stale(facts)
            | Self::OtherKey(facts)
            | Self::Unread(facts) => facts,
        }
    }
}

/// The newest result comes first; of two at one moment, the failure.
pub(super) fn newest_first(a: &TestFacts, b: &TestFacts) -> std::cmp::Ordering {
    b.at.cmp(&a.at).then_with(|| a.passed.cmp(&b.passed))
}

#[cfg(test)]
mod tests {
    use super::super::gates::fixture::{evidence, keyed};
    use super::*;
    use crate::values::Fingerprint;

    /// A result of `static` at a second, with the values of a name.
    fn result(second: i64, passed: bool, fingerprint: Fingerprint) -> TestFacts {
        TestFacts {
            passed,
            at: jiff::Timestamp::from_second(second).unwrap(),
            fingerprint,
            ..evidence().candidate.tests[0].clone()
        }
    }

    fn now() -> Fingerprint {
        keyed("values")
    }

    fn other() -> Fingerprint {
        keyed("other values")
    }

    fn without_secrets() -> Fingerprint {
        evidence().fingerprint.unwrap().plain
    }

    fn of_another_key() -> Fingerprint {
        Fingerprint {
            key: Some("another key".into()),
            ..keyed("values")
        }
    }

    fn told(tests: &[TestFacts]) -> (&'static str, i64) {
        let current = evidence().fingerprint;
        match Standing::of(tests, "static", current.as_ref()) {
            Some(Standing::Passed(facts)) => ("passed", facts.at.as_second()),
            Some(Standing::Failed(facts)) => ("failed", facts.at.as_second()),
            Some(Standing::Stale(facts)) => ("stale", facts.at.as_second()),
            Some(Standing::OtherKey(facts)) => ("other key", facts.at.as_second()),
            Some(Standing::Unread(facts)) => ("unread", facts.at.as_second()),
            None => ("none", 0),
        }
    }

    #[test]
    fn a_failure_with_old_values_takes_no_pass_with_these_back() {
        let tests = [result(1, true, now()), result(2, false, other())];
        assert_eq!(told(&tests), ("passed", 1));
    }

    #[test]
    fn a_pass_with_old_values_hides_no_failure_with_these() {
        let tests = [result(1, false, now()), result(2, true, other())];
        assert_eq!(told(&tests), ("failed", 1));
    }

    #[test]
    fn a_failure_that_may_be_of_these_values_takes_an_earlier_pass_back() {
        for fingerprint in [without_secrets(), of_another_key()] {
            let tests = [result(1, true, now()), result(2, false, fingerprint.clone())];
            assert_eq!(told(&tests), ("failed", 2));
            let at_once = [result(2, true, now()), result(2, false, fingerprint.clone())];
            assert_eq!(told(&at_once), ("failed", 2), "at one moment the failure counts");
            let again = [result(3, true, now()), result(2, false, fingerprint)];
            assert_eq!(told(&again), ("passed", 3));
        }
    }

    #[test]
    fn a_pass_that_leaves_the_secrets_out_takes_no_failure_with_them_back() {
        let tests = [result(1, false, now()), result(2, true, without_secrets())];
        assert_eq!(told(&tests), ("failed", 1));
        assert_eq!(told(&[result(2, true, without_secrets())]), ("passed", 2));
    }

    #[test]
    fn what_can_not_be_compared_is_told_before_what_is_stale() {
        let tests = [result(1, true, of_another_key()), result(2, true, other())];
        assert_eq!(told(&tests), ("other key", 1));
        assert_eq!(
            told(&[result(2, true, other()), result(1, false, other())]),
            ("stale", 2)
        );
        assert_eq!(told(&[]), ("none", 0));
    }

    #[test]
    fn without_the_values_of_now_the_newest_is_told() {
        let tests = [result(1, true, now()), result(2, true, other())];
        assert_eq!(Standing::of(&tests, "static", None), Some(Standing::Unread(&tests[1])));
        let failed = [result(1, true, now()), result(2, false, other())];
        assert_eq!(
            Standing::of(&failed, "static", None),
            Some(Standing::Failed(&failed[1]))
        );
        assert_eq!(Standing::of(&failed, "boot", None), None);
    }
}
