//! Changes as a comment on a pull request: a summary, a table, and the details folded.
//!
//! Everything that somebody else wrote stands in `<code>` with each punctuation mark as a character reference: such a
//! mark has no meaning in Markdown, and mentions, issues and addresses are not looked for in code.

use std::fmt::Write as _;

use super::{Changes, Group, base_rows, counted, line, shown, values};
use crate::bundle::Change;

/// GitHub takes 65,536 characters in a comment.
const MOST: usize = 60_000;
const LONGEST_PATH: usize = 300;

/// The comment; it ends with a line break.
pub fn markdown(changes: &Changes<'_>) -> String {
    let mut out = format!("### {}\n\n", changes.headline());
    let _ = writeln!(
        out,
        "{} → {}\n",
        code(&line(&changes.before.0, LONGEST_PATH)),
        code(&line(&changes.after.0, LONGEST_PATH))
    );
    out.push_str(&body(changes));
    out
}

/// All but the headline and the sides.
pub(super) fn body(changes: &Changes<'_>) -> String {
    let groups = changes.groups();
    let mut out = String::new();
    if !groups.is_empty() {
        out.push_str("| Severity | What | Changes |\n|---|---|---|\n");
        let rows = groups.iter().map(|group| {
            let (severity, subject) = (
                group.severity().as_str(),
                code(&line(&group.subject.to_string(), LONGEST_PATH)),
            );
            format!("| **{severity}** | {subject} | {} |\n", group.kinds())
        });
        bounded(&mut out, rows, MOST / 4, "thing");
        out.push('\n');
    }
    image_table(&mut out, changes);
    if !groups.is_empty() {
        out.push_str("<details>\n<summary>Every change</summary>\n\n");
        let rows = groups.iter().flat_map(rows);
        out.push_str("| Severity | Change | Where | Before | After |\n|---|---|---|---|---|\n");
        bounded(&mut out, rows, MOST, "change");
        out.push_str("\n</details>\n");
    }
    out
}

/// Adds rows as long as there is room, and says how many are left out.
fn bounded(out: &mut String, rows: impl Iterator<Item = String>, room: usize, what: &str) {
    let mut left = 0;
    for row in rows {
        match left == 0 && out.len() + row.len() < room {
            true => out.push_str(&row),
            false => left += 1,
        }
    }
    if left > 0 {
        let _ = writeln!(out, "\n…and {} more: see `iamship diff`", counted(left, what));
    }
}

fn image_table(out: &mut String, changes: &Changes<'_>) {
    let rows = base_rows(changes.base);
    if rows.is_empty() {
        return;
    }
    out.push_str("| Image | Before | After |\n|---|---|---|\n");
    let cell = |value: Option<String>| value.map_or_else(String::new, |text| code(&shown(&text)));
    let rows = rows
        .into_iter()
        .map(|(what, before, after)| format!("| {} | {} | {} |\n", code(&what), cell(before), cell(after)));
    bounded(out, rows, MOST / 2, "change");
    out.push('\n');
}

fn rows(group: &Group<'_>) -> Vec<String> {
    group.changes.iter().map(|change| row(change)).collect()
}

fn row(change: &Change) -> String {
    let (before, after) = values(change);
    let cell = |value: Option<&str>| value.map_or_else(String::new, |text| code(&shown(text)));
    let because = change
        .because
        .as_ref()
        .map(|text| format!("<br>{}", code(&line(text, LONGEST_PATH))));
    format!(
        "| {} | {} | {}{} | {} | {} |\n",
        change.severity.as_str(),
        change.kind.as_str(),
        code(&line(&change.path, LONGEST_PATH)),
        because.unwrap_or_default(),
        cell(before),
        cell(after)
    )
}

/// One line of text as code in which nothing means anything.
pub(super) fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    for character in text.chars() {
        match character {
            '-' | '/' | ',' => out.push(character),
            character if character.is_ascii_punctuation() => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out + "</code>"
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_comment_is_short_at_first_sight() {
        let (changes, base) = (example::changes(), example::base());
        insta::assert_snapshot!(markdown(&example::of(&changes, &base)), @r#"
        ### 4 changes: 1 breaking, 1 security, 1 behaviour, 1 cosmetic; another base image; 1 change of the image

        <code>stage&#58;dev</code> → <code>working tree</code>

        | Severity | What | Changes |
        |---|---|---|
        | **breaking** | <code>client &#96;web-client&#96;</code> | 1 removed, 1 added, 1 changed |
        | **behaviour** | <code>client &#96;shop&#96;</code> | 1 changed |

        | Image | Before | After |
        |---|---|---|
        | <code>base image</code> | <code>example&#46;com/idsvr&#58;11&#46;3&#46;1</code> | <code>example&#46;com/idsvr&#58;11&#46;4&#46;0</code> |
        | <code>digest</code> | <code>sha256&#58;8b173a256d728bcddf256c2ab6d06ab6c7230672478552540ac239c3428ddb9b</code> | <code>sha256&#58;e1584ce8911d7c8327b7076392ac8f278ed317c8fb6ef2505c3d9ecafa744396</code> |
        | <code>user on linux/arm64</code> | <code>10001</code> |  |

        <details>
        <summary>Every change</summary>

        | Severity | Change | Where | Before | After |
        |---|---|---|---|---|
        | breaking | removed | <code>/client&#91;web-client&#93;/redirect-uris</code><br><code>logins that come back there fail</code> | <code>https&#58;//shop&#46;example&#46;com/cb</code> |  |
        | security | changed | <code>/client&#91;web-client&#93;/secret</code> | <code>&#40;secret&#41;</code> | <code>&#40;secret&#41;</code> |
        | cosmetic | added | <code>/client&#91;web-client&#93;/logo</code> |  | <code>&#40;empty&#41;</code> |
        | behaviour | changed | <code>/client&#91;shop&#93;/lifetime</code> | <code>60</code> | <code>30</code> |

        </details>
        "#);
    }

    #[test]
    fn nothing_in_a_value_means_anything() {
        let (changes, base) = (example::hostile(), example::hostile_base());
        let comment = markdown(&example::of(&changes, &base));
        // Outside of what we write ourselves no mark is left.
        let own = [
            "<code>",
            "</code>",
            "<details>",
            "</details>",
            "<summary>Every change</summary>",
            "<br>",
        ];
        let rest = own.iter().fold(comment.clone(), |text, tag| text.replace(tag, ""));
        assert!(
            !rest.contains(['<', '>', '`', '@', '[', ']', '!', '\\', '"', '\'']),
            "{rest}"
        );
        assert!(!rest.contains("://") && !rest.contains("www."), "{rest}");
        // Each row is one line with as many cells as the table has columns.
        for line in comment.lines().filter(|line| line.starts_with('|')) {
            assert!(matches!(line.matches('|').count(), 4 | 6), "{line}");
        }
        let lines = comment
            .lines()
            .filter(|line| line.starts_with("| breaking | changed |"));
        assert_eq!(lines.count(), changes.len());
        assert!(comment.matches("<code>").count() == comment.matches("</code>").count());
    }

    #[test]
    fn a_comment_is_never_longer_than_it_may_be() {
        let many: Vec<_> = (0..10_000)
            .map(|number| {
                example::change(
                    crate::bundle::ChangeKind::Added,
                    &number.to_string(),
                    "a",
                    crate::bundle::Impact::Behaviour,
                )
            })
            .collect();
        let base = crate::image::BaseDifference::default();
        let comment = markdown(&example::of(&many, &base));
        assert!(comment.len() < 65_536, "{}", comment.len());
        assert!(comment.contains("more: see `iamship diff`") && comment.ends_with("</details>\n"));
    }
}
