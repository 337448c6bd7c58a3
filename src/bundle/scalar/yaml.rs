//! YAML's scalars (YAML 1.2.2, sections 7.3 and 8.1): quotes, escapes, folded lines, blocks.

use std::borrow::Cow;

/// A plain scalar: its lines are folded.
pub(super) fn plain(written: &str) -> Cow<'_, str> {
    if written.contains(['\n', '\r']) {
        Cow::Owned(folded(written, |line, text| text.push_str(line)))
    } else {
        Cow::Borrowed(written)
    }
}

/// Between single quotes: two of them are one.
pub(super) fn single(written: &str) -> Cow<'_, str> {
    if written.contains(['\n', '\r']) {
        return Cow::Owned(folded(written, |line, text| text.push_str(&line.replace("''", "'"))));
    }
    if written.contains("''") {
        Cow::Owned(written.replace("''", "'"))
    } else {
        Cow::Borrowed(written)
    }
}

/// Between double quotes.
pub(super) fn double(written: &str) -> Cow<'_, str> {
    if memchr::memchr3(b'\\', b'\n', b'\r', written.as_bytes()).is_none() {
        return Cow::Borrowed(written);
    }
    Cow::Owned(folded(&joined(written), unescape))
}

/// Lines that end with a `\` and the next ones, joined: nothing is folded there, and blanks before it stay. A mark
/// takes the place of the break, so that these blanks are not at a line's end.
fn joined(written: &str) -> Cow<'_, str> {
    let mut result = String::new();
    let mut rest = written;
    let mut done = 0;
    let bytes = written.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        let after = &written[at + 1..];
        if !after.starts_with(['\n', '\r']) {
            at += 2;
            while !written.is_char_boundary(at) {
                at += 1;
            }
            continue;
        }
        result.push_str(&written[done..at]);
        let line = |text: &'_ str| {
            text.strip_prefix("\r\n")
                .or(text.strip_prefix(['\n', '\r']))
                .map(str::len)
        };
        let mut next = &after[after.len() - line(after).unwrap_or(0)..];
        loop {
            next = next.trim_start_matches([' ', '\t']);
            let Some(length) = line(next) else { break };
            // Empty lines after it are line ends.
            result.push_str("\\n");
            next = &next[next.len() - length..];
        }
        done = written.len() - next.len();
        rest = next;
        at = done;
    }
    if done == 0 {
        return Cow::Borrowed(written);
    }
    result.push_str(rest);
    Cow::Owned(result)
}

/// One line break between texts is a blank; of more, all but the first stay. Blanks round them go.
fn folded(written: &str, push: impl Fn(&str, &mut String)) -> String {
    let mut text = String::with_capacity(written.len());
    let mut breaks = 0_usize;
    let mut lines = lines(written).peekable();
    let mut is_first = true;
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        let line = if is_first {
            line
        } else {
            line.trim_start_matches([' ', '\t'])
        };
        let line = if is_last { line } else { trim_end(line) };
        if !is_first {
            breaks += 1;
        }
        if line.is_empty() && !is_last && !is_first {
            continue;
        }
        match breaks {
            0 => {}
            1 => text.push(' '),
            more => text.extend(std::iter::repeat_n('\n', more - 1)),
        }
        breaks = 0;
        push(line, &mut text);
        is_first = false;
    }
    text
}

/// Without blanks at the end, but for one that a `\` keeps.
fn trim_end(line: &str) -> &str {
    let trimmed = line.trim_end_matches([' ', '\t']);
    let slashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    if slashes % 2 == 1 && trimmed.len() < line.len() {
        &line[..=trimmed.len()]
    } else {
        trimmed
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

fn unescape(line: &str, text: &mut String) {
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = escape(rest);
        text.push(character);
        rest = &rest[length..];
    }
    text.push_str(rest);
}

fn escape(text: &str) -> (char, usize) {
    let digits = match text.as_bytes().get(1) {
        Some(b'0') => return ('\0', 2),
        Some(b'a') => return ('\u{7}', 2),
        Some(b'v') => return ('\u{b}', 2),
        Some(b'e') => return ('\u{1b}', 2),
        Some(b'N') => return ('\u{85}', 2),
        Some(b'_') => return ('\u{a0}', 2),
        Some(b'L') => return ('\u{2028}', 2),
        Some(b'P') => return ('\u{2029}', 2),
        Some(blank @ (b' ' | b'\t')) => return (*blank as char, 2),
        Some(b'x') => 2,
        Some(b'U') => 8,
        _ => return super::json_escape(text),
    };
    let code = text
        .get(2..2 + digits)
        .and_then(|code| u32::from_str_radix(code, 16).ok());
    match code.and_then(char::from_u32) {
        Some(character) => (character, 2 + digits),
        None => ('\\', 1),
    }
}

/// A block scalar from its `|` or `>` on. `indentation`: of the lines, where the header says it.
pub(super) fn block(written: &str, indentation: Option<usize>) -> Cow<'_, str> {
    let (header, body) = written.split_once('\n').unwrap_or((written, ""));
    let header = header.split('#').next().unwrap_or_default();
    let lines: Vec<_> = lines(body).collect();
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = lines.iter().find(|line| !line.trim_start_matches(' ').is_empty());
    // Of lines without text the longest counts.
    let longest = || lines.iter().map(|line| blanks(line)).max().unwrap_or(0);
    let indentation = indentation.unwrap_or_else(|| first.map_or_else(longest, |line| blanks(line)));
    let mut texts: Vec<&str> = lines
        .iter()
        .map(|line| &line[indentation.min(blanks(line))..])
        .collect();
    // What follows the last line end is the beginning of the next line.
    let mut ends = 0;
    while let Some(last) = texts.last()
        && last.is_empty()
    {
        texts.pop();
        ends += 1;
    }
    // A last line with text and no line end is ended all the same.
    let ends = ends.max(1);
    let mut text = if header.starts_with('>') {
        fold_block(&texts)
    } else {
        texts.join("\n")
    };
    match header {
        header if header.contains('-') => {}
        header if header.contains('+') => {
            let more = if texts.is_empty() { ends - 1 } else { ends };
            text.extend(std::iter::repeat_n('\n', more));
        }
        _ if texts.is_empty() => {}
        _ => text.push('\n'),
    }
    Cow::Owned(text)
}

/// Lines of text are joined; those that are indented further stay lines (section 8.1.3).
fn fold_block(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut before: Option<&str> = None;
    let mut empty = 0;
    for line in lines {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        let further = |line: &str| line.starts_with([' ', '\t']);
        let breaks = match before {
            None => empty,
            Some(before) if further(before) || further(line) => empty + 1,
            Some(_) => empty,
        };
        if before.is_some() && breaks == 0 {
            text.push(' ');
        }
        text.extend(std::iter::repeat_n('\n', breaks));
        text.push_str(line);
        before = Some(line);
        empty = 0;
    }
    text
}

/// The indentation of a block's lines where its header at `at` says it (`|2`): seen from what the block is a value of.
pub(super) fn indentation(text: &str, at: usize) -> Option<usize> {
    let header = text[at..].lines().next()?;
    let says = header[1..].chars().take(2).find_map(|c| c.to_digit(10))? as usize;
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line..at];
    // `- - a: |2`: of `a`; `- |2`: of the last `-`.
    let mut parent = 0;
    for (place, c) in before.char_indices() {
        match c {
            ' ' => {}
            '-' if before[place + 1..].starts_with(' ') => parent = place,
            _ => {
                parent = place;
                break;
            }
        }
    }
    Some(parent + says)
}
