//! The value behind a `NAME=` of an env file: unquoted, in single or in double quotes.

use std::ops::Range;

use super::env_problem::Problem;

/// What stands behind an `=`.
pub(super) struct Reading {
    /// The value; none when it can't be read.
    pub(super) value: Option<String>,
    /// Where it stands, without quotes.
    pub(super) range: Range<usize>,
    /// Where the next line begins.
    pub(super) next: usize,
    /// What is wrong or doubtful.
    pub(super) problems: Vec<Problem>,
}

pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// The line that begins at `start`, without its line break.
pub(super) fn line_at(text: &str, start: usize) -> Range<usize> {
    let line = text[start..].split('\n').next().unwrap_or_default();
    start..start + line.strip_suffix('\r').unwrap_or(line).len()
}

/// Where the line after the one that ends at `end` begins.
pub(super) fn next_line(text: &str, end: usize) -> usize {
    text[end..].find('\n').map_or(text.len(), |at| end + at + 1)
}

/// Reads the value that begins at `start`.
pub(super) fn read(text: &str, start: usize) -> Reading {
    match text[start..].chars().next() {
        Some('\'') => single(text, start + 1),
        Some('"') => double(text, start + 1),
        _ => unquoted(text, start),
    }
}

fn unquoted(text: &str, start: usize) -> Reading {
    let line = line_at(text, start);
    let written = without_comment(&text[line.clone()]);
    let value = written.trim_end_matches(is_blank);
    let next = next_line(text, line.end);
    if value.starts_with("-----BEGIN ") && !value.contains("-----END ") {
        return refusal(Problem::PemWithoutQuotes, after_pem(text, next));
    }
    if value.starts_with(is_blank) {
        return refusal(Problem::BlankAfter, next);
    }
    accepted(value.to_owned(), start..start + value.len(), next, value)
}

/// Up to a `#` behind a blank; a `#` elsewhere belongs to the value.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| line[..*at].ends_with(is_blank));
    let line = comment.map_or(line, |(at, _)| &line[..at]);
    // Blanks alone are an empty value; before a value they are told.
    if line.chars().all(is_blank) { "" } else { line }
}

/// Where the line behind the next `-----END …` begins, so that none of a key's lines is taken for a name.
fn after_pem(text: &str, start: usize) -> usize {
    match text[start..].find("-----END ") {
        Some(at) => next_line(text, start + at),
        None => start,
    }
}

fn single(text: &str, start: usize) -> Reading {
    match text[start..].find('\'') {
        None => refusal(Problem::OpenQuote, next_line(text, start)),
        Some(length) => closed(text, start..start + length, text[start..start + length].to_owned(), ""),
    }
}

fn double(text: &str, start: usize) -> Reading {
    let mut value = String::new();
    let mut bare = String::new();
    let mut characters = text[start..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return closed(text, start..start + at, value, &bare),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            _ => {
                value.push(character);
                bare.push(character);
            }
        }
    }
    refusal(Problem::OpenQuote, next_line(text, start))
}

/// A value whose closing quote stands at `range.end`. `expandable` is the part in which others expand `$X`.
fn closed(text: &str, range: Range<usize>, value: String, expandable: &str) -> Reading {
    let rest = line_at(text, range.end + 1);
    let next = next_line(text, rest.end);
    let behind = &text[rest];
    let comment = behind.trim_start_matches(is_blank);
    let is_comment = comment.starts_with('#') && comment.len() < behind.len();
    if !comment.is_empty() && !is_comment {
        // A quote left open ends at the next one, lines below: go on with the very next line, so that one slip hides no others.
        return match text[range.clone()].contains('\n') {
            true => refusal(Problem::OpenQuote, next_line(text, range.start)),
            false => refusal(Problem::BehindQuote, next),
        };
    }
    accepted(value.replace("\r\n", "\n"), range, next, expandable)
}

fn accepted(value: String, range: Range<usize>, next: usize, expandable: &str) -> Reading {
    if value.contains('\0') {
        return refusal(Problem::Nul, next);
    }
    let problems = if is_expanded(expandable) {
        vec![Problem::Dollar]
    } else {
        Vec::new()
    };
    Reading {
        value: Some(value),
        range,
        next,
        problems,
    }
}

/// Whether a shell or compose would put something in the place of a `$`.
fn is_expanded(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '{' | '(' | '$'))
    })
}

fn refusal(problem: Problem, next: usize) -> Reading {
    Reading {
        value: None,
        range: next..next,
        next,
        problems: vec![problem],
    }
}
