//! `freeze`: nothing new comes to a stage while its windows say so, unless somebody signs why.

use super::super::evidence::Request;
use super::{Evidence, Verdict};

pub(super) fn ask(evidence: &Evidence) -> Verdict {
    let stage = &evidence.to.name;
    let Some((freeze, until)) = evidence.freeze() else {
        return Verdict::pass(match evidence.freezes.is_empty() {
            true => format!("no freeze is set for `{stage}`"),
            false => format!("`{stage}` is not frozen now"),
        });
    };
    let reason = freeze
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let because = format!("`{stage}` is frozen until {until}{reason}");
    if let Some(why) = evidence.overridden_freeze() {
        return Verdict::pass(format!("{because}; overridden: {why}"));
    }
    let anyway = Request {
        override_freeze: Some("REASON".to_owned()),
        ..evidence.request.clone()
    };
    Verdict::Hold {
        because,
        help: vec![
            format!("wait until then, then: {}", evidence.command(&evidence.request)),
            format!("if it can't wait: {}", evidence.command(&anyway)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::evidence;
    use super::*;
    use crate::project::{Freeze, Window};

    /// Frozen for so many seconds from now on.
    fn frozen(reason: Option<&str>, seconds: i64) -> Freeze {
        let now = evidence().now;
        Freeze {
            window: Window::Once {
                from: now,
                until: now + jiff::SignedDuration::from_secs(seconds),
            },
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn outside_of_every_window_it_passes() {
        assert_eq!(ask(&evidence()).because(), "no freeze is set for `prod`");
        let mut evidence = evidence();
        evidence.freezes = vec![frozen(None, 60)];
        evidence.now += jiff::SignedDuration::from_secs(60);
        assert_eq!(ask(&evidence).because(), "`prod` is not frozen now");
    }

    #[test]
    fn a_window_holds_until_it_ends_or_somebody_says_why() {
        let mut evidence = evidence();
        evidence.freezes = vec![frozen(Some("short"), 60), frozen(Some("holidays"), 3600)];
        let verdict = ask(&evidence);
        assert_eq!(
            verdict.because(),
            "`prod` is frozen until 2026-01-01T01:03:20Z: holidays"
        );
        assert_eq!(
            verdict.help()[1],
            "if it can't wait: iamship promote staging prod --override-freeze REASON"
        );
        evidence.request.override_freeze = Some("logins are down".into());
        assert!(!ask(&evidence).is_hold());
        assert!(
            ask(&evidence)
                .because()
                .ends_with("holidays; overridden: logins are down")
        );
        assert_eq!(evidence.overridden_freeze(), Some("logins are down"));
        evidence.freezes.clear();
        assert_eq!(
            evidence.overridden_freeze(),
            None,
            "what is not frozen is not overridden"
        );
    }
}
