//! Where placeholders stand in a text, and the text with digits in their place.

use std::borrow::Cow;
use std::ops::Range;

use super::super::placeholder::{Doubt, Found, Grammar};

/// The placeholders of a text from the left; those that touch are one.
pub(super) struct Holes(Vec<Range<usize>>);

impl Holes {
    pub(super) fn find(text: &str, grammar: &Grammar) -> Self {
        let mut holes: Vec<Range<usize>> = Vec::new();
        for at in grammar.openings(text) {
            let done = holes.last().map_or(0, |last| last.end);
            if at < done {
                continue;
            }
            // No placeholder goes over the end of a line.
            let line_end = memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |length| at + length);
            let end = match grammar.read(text, at, line_end) {
                Found::Placeholder { end, .. } => end,
                Found::Unclear { end, doubt, .. } if doubt != Doubt::Unclosed => end,
                Found::Unclear { .. } | Found::Other => continue,
            };
            match holes.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => holes.push(at..end),
            }
        }
        Self(holes)
    }

    /// The text with a number for each placeholder, as long as it is; no two are the same, as far as there are digits.
    pub(super) fn stand_in<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut standing_in = String::with_capacity(text.len());
        let mut done = 0;
        for (index, hole) in self.0.iter().enumerate() {
            standing_in.push_str(&text[done..hole.start]);
            let digits = index.to_string();
            let room = hole.len() - 1;
            standing_in.push('1');
            standing_in.extend(std::iter::repeat_n('0', room.saturating_sub(digits.len())));
            standing_in.push_str(&digits[digits.len().saturating_sub(room)..]);
            done = hole.end;
        }
        standing_in.push_str(&text[done..]);
        Cow::Owned(standing_in)
    }

    /// Whether a placeholder stands in a range.
    pub(super) fn any_in(&self, range: &Range<usize>) -> bool {
        let next = self.0.partition_point(|hole| hole.end <= range.start);
        self.0.get(next).is_some_and(|hole| hole.start < range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ServerProfile;

    #[test]
    fn the_stand_in_is_as_long_and_a_number_where_placeholders_are() {
        let profile = ServerProfile::built_in("generic").expect("built in");
        let (grammar, _) = Grammar::new(&profile.placeholder);
        let text = "a: ${A}\nb: é${BB:-\"é\"}${C} ${x.y} ${\n";
        let holes = Holes::find(text, &grammar);
        let standing_in = holes.stand_in(text);
        assert_eq!(standing_in, "a: 1000\nb: é100000000000001 ${x.y} ${\n");
        assert_eq!(standing_in.len(), text.len());
        assert!(holes.any_in(&(3..4)) && !holes.any_in(&(0..3)));
        let holes = Holes::find("none", &grammar);
        assert!(matches!(holes.stand_in("none"), Cow::Borrowed("none")));
    }
}
