//! When a call is tried again, and after how long.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::options::Patience;
use crate::store::StoreError;

/// A try that came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    /// What to say if it was the last one.
    pub(super) error: StoreError,
    /// Whether another one makes sense.
    pub(super) again: Again,
}

/// Whether another try makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// The answer will be the same.
    Never,
    /// After the usual wait.
    Soon,
    /// After the wait that the server asked for.
    After(Duration),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            again: Again::Never,
        }
    }
}

impl Patience {
    /// So many waits, each about twice as long as the one before, and never the same for two programs.
    pub(super) fn waits(&self, count: usize) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(count)
            .with_jitter()
            .build()
    }
}

/// Runs `attempt` until it succeeds, fails for good, or patience ends.
pub(super) async fn retrying<T, F>(patience: &Patience, mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut waits = patience.waits(patience.tries.saturating_sub(1));
    loop {
        let failure = match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let wait = match (failure.again, waits.next()) {
            (Again::Never, _) | (_, None) => return Err(failure.error),
            (Again::Soon, Some(wait)) => wait,
            (Again::After(wait), Some(_)) => wait.min(patience.longest_wait),
        };
        tracing::debug!(error = %failure.error, milliseconds = wait.as_millis(), "trying again");
        tokio::time::sleep(wait).await;
    }
}

/// How long the server asks to wait: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Again {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let Some(text) = value.map(str::trim) else {
        return Again::Soon;
    };
    if let Ok(seconds) = text.parse::<u32>() {
        return Again::After(Duration::from_secs(seconds.into()));
    }
    match jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
        Ok(date) => {
            let wait = date.duration_since(jiff::Timestamp::now());
            Again::After(Duration::try_from(wait).unwrap_or_default())
        }
        Err(_) => Again::Soon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Again {
        retry_after(&std::iter::once((RETRY_AFTER, text.parse().expect("header"))).collect())
    }

    #[test]
    fn reads_seconds_dates_and_nonsense() {
        assert_eq!(asked("7"), Again::After(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Again::After(Duration::ZERO));
        assert_eq!(asked("soon"), Again::Soon);
        assert_eq!(asked("-1"), Again::Soon);
        assert_eq!(retry_after(&HeaderMap::new()), Again::Soon);
        let Again::After(wait) = asked("Fri, 21 Oct 2095 07:28:00 GMT") else {
            panic!("a date is a wait");
        };
        assert!(wait > Duration::from_secs(3600));
    }
}
