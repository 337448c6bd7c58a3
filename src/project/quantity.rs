//! Times and sizes as people write them: `90s`, `2h 30m`, `3d`; `512MiB`, `2GiB`.

use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// A length of time; a day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length(pub(super) Duration);

/// How long to wait for something: more than nothing, at most a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience(pub(super) Duration);

/// Bytes of memory: at least what an engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory(pub(super) u64);

/// Docker refuses less.
const LEAST_MEMORY: u64 = 6 << 20;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidQuantity {
    #[error("`{0}` is not a length of time: write `90s`, `10m`, `2h 30m`, `3d`")]
    Length(String),
    #[error("`{0}` is not a time to wait: write from `1s` to `24h`")]
    Patience(String),
    #[error("`{0}` is not an amount of memory: write `512MiB`, `2GiB`; at least 6 MiB")]
    Memory(String),
}

impl FromStr for Length {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let length = || {
            let span: Span = text.parse().ok()?;
            let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
            Duration::try_from(length).ok()
        };
        length()
            .map(Self)
            .ok_or_else(|| InvalidQuantity::Length(text.to_owned()))
    }
}

impl FromStr for Patience {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let Length(length) = text.parse()?;
        match length >= Duration::from_secs(1) && length <= DAY {
            true => Ok(Self(length)),
            false => Err(InvalidQuantity::Patience(text.to_owned())),
        }
    }
}

impl FromStr for Memory {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        memory(text)
            .filter(|bytes| *bytes >= LEAST_MEMORY)
            .map(Self)
            .ok_or_else(|| InvalidQuantity::Memory(text.to_owned()))
    }
}

/// `512MiB`, `2GiB`, `1.5GiB` is none; Kubernetes' `Mi` and `Gi` too.
pub(crate) fn memory(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
    let number: u64 = digits.parse().ok()?;
    let shift = match text[digits.len()..].trim_start() {
        "KiB" | "Ki" => 10,
        "MiB" | "Mi" => 20,
        "GiB" | "Gi" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let seconds = |text: &str| text.parse::<Length>().ok().map(|Length(length)| length.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("2h 30m"), Some(9000));
        assert_eq!(seconds("3d"), Some(3 * 86_400));
        assert_eq!(seconds("0s"), Some(0));
        for text in ["", "90", "-5m", "1 month", "soon"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert!("0s".parse::<Patience>().is_err() && "25h".parse::<Patience>().is_err());
    }

    #[test]
    fn amounts_of_memory() {
        assert_eq!(memory("512MiB"), Some(512 << 20));
        assert_eq!(memory("2 Gi"), Some(2 << 30));
        for text in [
            "",
            "512",
            "1.5GiB",
            "512MB",
            "-1MiB",
            "99999999999999999999GiB",
            "18446744073709551615GiB",
        ] {
            assert_eq!(memory(text), None, "{text}");
        }
        assert!("1MiB".parse::<Memory>().is_err());
    }
}
