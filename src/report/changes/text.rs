//! Changes for a terminal: the answer first, then each subject, the gravest first.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::super::text::Color;
use super::{Changes, base_rows, line, shown, values};
use crate::bundle::{Change, Impact};

const BREAKING: Style = AnsiColor::Red.on_default().bold();
const SECURITY: Style = AnsiColor::Magenta.on_default().bold();
const BEHAVIOUR: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// The longest path that is shown whole.
const LONGEST_PATH: usize = 400;

/// The difference; it ends with a line break.
pub fn changes_text(changes: &Changes<'_>, color: Color) -> String {
    let mut out = String::new();
    let headline = changes.headline();
    let _ = writeln!(out, "{}", paint(&headline, STRONG, color));
    let sides = format!("{} → {}", side(&changes.before), side(&changes.after));
    let _ = writeln!(out, "{}", paint(&sides, FAINT, color));
    out.push_str(&body(changes, color));
    out
}

fn side((name, digest): &(String, Option<crate::image::Digest>)) -> String {
    let name = line(name, LONGEST_PATH);
    match digest {
        Some(digest) if !name.starts_with("sha256:") => format!("{name} ({})", digest.short()),
        _ => name,
    }
}

/// All but the first lines.
pub(super) fn body(changes: &Changes<'_>, color: Color) -> String {
    let mut out = String::new();
    for group in changes.groups() {
        let subject = line(&group.subject.to_string(), LONGEST_PATH);
        let _ = writeln!(out, "\n{}", paint(&subject, STRONG, color));
        for change in group.changes {
            write_change(&mut out, change, color);
        }
    }
    let rows = base_rows(changes.base);
    if !rows.is_empty() {
        let _ = writeln!(out, "\n{}", paint("image", STRONG, color));
    }
    for (what, before, after) in rows {
        let _ = writeln!(out, "  {what}: {}", arrow(before.as_deref(), after.as_deref()));
    }
    out
}

fn write_change(out: &mut String, change: &Change, color: Color) {
    let severity = format!("{:9}", change.severity.as_str());
    let severity = paint(&severity, severity_style(change.severity), color);
    let path = line(&change.path, LONGEST_PATH);
    let (before, after) = values(change);
    let value = match (before, after) {
        (None, None) => String::new(),
        (before, after) => format!(": {}", one_or_arrow(before, after)),
    };
    let _ = writeln!(out, "  {severity}  {:7}  {path}{value}", change.kind.as_str());
    if let Some(because) = &change.because {
        let because = format!("because {}", line(because, LONGEST_PATH));
        let _ = writeln!(out, "                      {}", paint(&because, FAINT, color));
    }
}

/// What was added or removed has one value.
fn one_or_arrow(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(one), None) | (None, Some(one)) => shown(one),
        _ => arrow(before, after),
    }
}

fn arrow(before: Option<&str>, after: Option<&str>) -> String {
    let told = |value: Option<&str>| value.map_or_else(|| "(none)".to_owned(), shown);
    format!("{} → {}", told(before), told(after))
}

fn severity_style(severity: Impact) -> Style {
    match severity {
        Impact::Breaking => BREAKING,
        Impact::Security => SECURITY,
        Impact::Behaviour => BEHAVIOUR,
        Impact::Cosmetic => FAINT,
    }
}

pub(super) fn paint(text: &str, style: Style, color: Color) -> String {
    match color {
        Color::Always => format!("{style}{text}{style:#}"),
        Color::Never => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_gravest_comes_first() {
        let (changes, base) = (example::changes(), example::base());
        insta::assert_snapshot!(changes_text(&example::of(&changes, &base), Color::Never), @r#"
        4 changes: 1 breaking, 1 security, 1 behaviour, 1 cosmetic; another base image; 1 change of the image
        stage:dev (ef260e9aa3c6) → working tree

        client `web-client`
          breaking   removed  /client[web-client]/redirect-uris: https://shop.example.com/cb
                              because logins that come back there fail
          security   changed  /client[web-client]/secret: (secret) → (secret)
          cosmetic   added    /client[web-client]/logo: (empty)

        client `shop`
          behaviour  changed  /client[shop]/lifetime: 60 → 30

        image
          base image: example.com/idsvr:11.3.1 → example.com/idsvr:11.4.0
          digest: sha256:8b173a256d728bcddf256c2ab6d06ab6c7230672478552540ac239c3428ddb9b → sha256:e1584ce8911d7c8327b7076392ac8f278ed317c8fb6ef2505c3d9ecafa744396
          user on linux/arm64: 10001 → (none)
        "#);
    }

    #[test]
    fn colours_come_when_asked_for() {
        let (changes, base) = (example::changes(), example::base());
        let of = example::of(&changes, &base);
        assert!(changes_text(&of, Color::Always).contains("\x1b["));
    }

    #[test]
    fn nothing_in_a_value_can_steer_the_terminal_or_fill_it() {
        let (changes, base) = (example::hostile(), example::hostile_base());
        let drawn = changes_text(&example::of(&changes, &base), Color::Never);
        assert!(
            !drawn.contains(['\x1b', '\r', '\x07', '\u{202e}', '\u{200b}']),
            "{drawn:?}"
        );
        assert!(drawn.lines().all(|line| line.chars().count() < 1000));
        assert_eq!(drawn.matches("breaking  ").count(), changes.len());
    }
}
