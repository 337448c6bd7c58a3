//! Ages, dates and numbers as people say them.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `24 Nov 2026, 18:30 UTC`
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// `24 Nov 2026`
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

/// `November 2026`
pub(super) fn month(at: Timestamp) -> String {
    at.strftime("%B %Y").to_string()
}

/// `12 days`: how long it is from one moment to the next.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second() - from.as_second();
    match seconds {
        ..MINUTE => "less than a minute".to_owned(),
        MINUTE..HOUR => counted((seconds / MINUTE) as usize, "minute"),
        HOUR..DAY => counted((seconds / HOUR) as usize, "hour"),
        _ => match seconds / DAY {
            days @ ..60 => counted(days as usize, "day"),
            days @ ..730 => counted((days / 30) as usize, "month"),
            days => counted((days / 365) as usize, "year"),
        },
    }
}

/// `12 days ago`
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match (now.as_second() - at.as_second()).abs() {
        ..MINUTE => "just now".to_owned(),
        _ if at > now => format!("in {}", span(now, at)),
        _ => format!("{} ago", span(at, now)),
    }
}

/// `1 version`, `1,200 versions`
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", number(count))
}

/// `1,200`
pub(super) fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// With a capital at its beginning, as a sentence has.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A text by what stands in backticks and what does not. With an odd one none counts.
pub(super) fn segments(text: &str) -> Vec<(bool, &str)> {
    if !text.matches('`').count().is_multiple_of(2) {
        return vec![(false, text)];
    }
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| (index % 2 == 1, part))
        .filter(|(_, part)| !part.is_empty())
        .collect()
}

/// `a`, `a and b`, `a, b and c`
pub(super) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_roughly() {
        let now: Timestamp = "2026-11-24T18:30:00Z".parse().unwrap();
        for (at, said) in [
            ("2026-11-24T18:29:30Z", "just now"),
            ("2026-11-24T18:28:30Z", "1 minute ago"),
            ("2026-11-24T13:00:00Z", "5 hours ago"),
            ("2026-11-23T18:00:00Z", "1 day ago"),
            ("2026-06-24T18:00:00Z", "5 months ago"),
            ("2023-06-24T18:00:00Z", "3 years ago"),
            ("2026-12-04T18:31:00Z", "in 10 days"),
        ] {
            assert_eq!(ago(at.parse().unwrap(), now), said);
        }
        assert_eq!(date(now), "24 Nov 2026, 18:30 UTC");
    }

    #[test]
    fn what_stands_in_backticks_is_told_apart() {
        assert_eq!(
            segments("run `a b` now"),
            [(false, "run "), (true, "a b"), (false, " now")]
        );
        assert_eq!(segments("one ` only"), [(false, "one ` only")]);
        assert_eq!(segments(""), []);
        assert_eq!(sentence("été"), "Été");
    }

    #[test]
    fn numbers_and_lists_are_read_easily() {
        assert_eq!(counted(1, "version"), "1 version");
        assert_eq!(counted(1_234_567, "version"), "1,234,567 versions");
        assert_eq!(number(999), "999");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
