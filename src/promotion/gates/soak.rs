//! `soak`: the digest has run in the stage that it leaves for as long as that stage asks.

use jiff::{SignedDuration, Timestamp};

use super::{Evidence, MAX_AHEAD, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let (from, digest) = (&evidence.from, evidence.candidate.digest);
    let stage = &from.name;
    if evidence.soak.is_zero() {
        return Verdict::pass(format!("no time to soak in `{stage}` is asked for"));
    }
    let asked = SignedDuration::try_from(evidence.soak).unwrap_or(SignedDuration::MAX);
    let latest = evidence.now.saturating_add(MAX_AHEAD).unwrap_or(evidence.now);
    let came = from
        .moves
        .iter()
        .find(|entry| entry.in_effect && entry.digest == digest);
    if let Some(came) = came.filter(|came| came.at > latest) {
        return Verdict::hold(
            format!("it came to `{stage}` at {}, later than now", came.at),
            format!("set the clocks, then: {}", evidence.command(&evidence.request)),
        );
    }
    let ran = from.ran(digest, evidence.now);
    let told = format!("`{stage}` has run it for {}", told(ran.long));
    if ran.long >= asked {
        return Verdict::pass(told);
    }
    let because = format!("{told}; it must for {}", self::told(asked));
    if ran.runs_now {
        let ready = ready(evidence.now, asked - ran.long);
        let command = evidence.command(&evidence.request);
        return Verdict::hold(because, format!("wait until {ready}, then: {command}"));
    }
    Verdict::hold(
        format!("{because}, and it runs there no more"),
        format!("iamship rollback {stage} --to {digest}"),
    )
}

fn ready(now: Timestamp, left: SignedDuration) -> Timestamp {
    let ready = now.saturating_add(left).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(ready.as_second()).unwrap_or(ready)
}

/// `1d 2h 3m`; seconds only below an hour.
fn told(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    if seconds <= 0 {
        return "0s".to_owned();
    }
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (if seconds < 3_600 { seconds % 60 } else { 0 }, "s"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts.map(|(count, unit)| format!("{count}{unit}")).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence, moved};
    use super::*;
    use crate::promotion::history::Agreement;

    /// `new` came to staging 195 seconds before now.
    fn asking_for(seconds: u64) -> Evidence {
        let mut evidence = evidence();
        evidence.soak = std::time::Duration::from_secs(seconds);
        evidence
    }

    #[test]
    fn where_none_is_asked_for_it_says_so() {
        assert_eq!(
            ask(&asking_for(0)).because(),
            "no time to soak in `staging` is asked for"
        );
    }

    #[test]
    fn long_enough_passes_and_a_second_less_holds() {
        assert_eq!(ask(&asking_for(195)).because(), "`staging` has run it for 3m 15s");
        let verdict = ask(&asking_for(196));
        assert_eq!(verdict.because(), "`staging` has run it for 3m 15s; it must for 3m 16s");
        assert_eq!(
            verdict.help(),
            ["wait until 2026-01-01T00:03:21Z, then: iamship promote staging prod"]
        );
    }

    #[test]
    fn what_was_replaced_soaks_no_more() {
        let mut evidence = asking_for(60);
        evidence.candidate.digest = digest("old");
        let verdict = ask(&evidence);
        assert_eq!(
            verdict.because(),
            "`staging` has run it for 4s; it must for 1m, and it runs there no more"
        );
        evidence.soak = std::time::Duration::from_secs(4);
        assert!(!ask(&evidence).is_hold());
    }

    #[test]
    fn several_stretches_are_added_up() {
        let mut evidence = asking_for(100 + 95);
        evidence.now = jiff::Timestamp::from_second(1_767_225_600 + 400).unwrap();
        evidence.from.moves = vec![
            moved("staging", "new", 305),
            moved("staging", "old", 105),
            moved("staging", "new", 5),
        ];
        assert!(!ask(&evidence).is_hold());
        evidence.soak += std::time::Duration::from_secs(1);
        assert!(ask(&evidence).is_hold());
    }

    #[test]
    fn what_was_moved_by_hand_is_not_known_to_run() {
        let mut evidence = asking_for(1);
        evidence.from.current = Some(digest("by hand"));
        evidence.from.agreement = Agreement::Unrecorded;
        assert!(ask(&evidence).because().contains("has run it for 0s"));
    }

    #[test]
    fn an_arrival_of_the_future_holds_unless_clocks_explain_it() {
        let mut evidence = asking_for(1);
        evidence.from.moves[0].at = evidence.now + SignedDuration::from_mins(6);
        assert!(ask(&evidence).because().contains("later than now"));
        evidence.from.moves[0].at = evidence.now + SignedDuration::from_mins(1);
        assert!(ask(&evidence).because().contains("has run it for 0s"));
    }

    #[test]
    fn lengths_are_told_short() {
        let told = |seconds| told(SignedDuration::from_secs(seconds));
        assert_eq!(
            [told(0), told(59), told(3600), told(90_061)],
            ["0s", "59s", "1h", "1d 1h 1m"]
        );
    }
}
