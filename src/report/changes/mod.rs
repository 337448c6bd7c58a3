//! Changes for people and for other programs: text, JSON, Markdown for a pull request, HTML.
//!
//! What is shown comes from configurations and images that anybody may have written: each renderer takes away what its
//! reader would obey.

mod html;
mod incoming;
mod json;
mod markdown;
mod text;

pub use html::html;
pub use incoming::{Application, Incoming, Version, incoming_html, incoming_json, incoming_markdown, incoming_text};
pub use json::{base_json, changes_json, diff_json};
pub use markdown::markdown;
pub use text::changes_text;

use crate::bundle::{Change, ChangeKind, Impact, Subject};
use crate::image::{BaseDifference, BaseImage, Digest, ImageChange};

/// A longer value is cut where people read it.
const MOST_CHARACTERS: usize = 80;

/// What is shown of a difference.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    /// One side, as it is named, and its digest.
    pub before: (String, Option<Digest>),
    /// The other.
    pub after: (String, Option<Digest>),
    /// The configuration's changes that are shown.
    pub changes: Vec<&'a Change>,
    /// How many milder ones are not.
    pub hidden: usize,
    /// The base, and the rest of the image.
    pub base: &'a BaseDifference,
}

impl<'a> Changes<'a> {
    /// Shows only changes that are at least so grave.
    #[must_use]
    pub fn at_least(mut self, severity: Impact) -> Self {
        let all = self.changes.len();
        self.changes.retain(|change| change.severity >= severity);
        self.hidden += all - self.changes.len();
        self
    }

    /// Whether anything that is shown differs.
    pub fn differs(&self) -> bool {
        !self.changes.is_empty() || self.base.differs()
    }

    /// The answer in one line: `3 changes: 1 breaking, 2 behaviour`, `no difference`.
    pub fn headline(&self) -> String {
        let mut parts = Vec::new();
        if !self.changes.is_empty() {
            let counts: Vec<_> = counts(&self.changes)
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(severity, count)| format!("{count} {}", severity.as_str()))
                .collect();
            parts.push(format!(
                "{}: {}",
                counted(self.changes.len(), "change"),
                counts.join(", ")
            ));
        }
        if self.base.is_another_base() {
            parts.push("another base image".to_owned());
        }
        if !self.base.image.is_empty() {
            parts.push(format!("{} of the image", counted(self.base.image.len(), "change")));
        }
        if parts.is_empty() {
            parts.push("no difference".to_owned());
        }
        if self.hidden > 0 {
            parts.push(format!("{} not shown", counted(self.hidden, "milder change")));
        }
        parts.join("; ")
    }

    /// By subject: the one with the gravest change first, else in the order of the configuration.
    fn groups(&self) -> Vec<Group<'a>> {
        groups(&self.changes)
    }
}

/// The changes of one subject, the gravest first.
struct Group<'a> {
    subject: &'a Subject,
    changes: Vec<&'a Change>,
}

impl Group<'_> {
    fn severity(&self) -> Impact {
        self.changes
            .iter()
            .map(|change| change.severity)
            .max()
            .unwrap_or(Impact::Cosmetic)
    }

    /// `1 removed, 2 changed`
    fn kinds(&self) -> String {
        let kinds = [
            ChangeKind::Removed,
            ChangeKind::Added,
            ChangeKind::Changed,
            ChangeKind::Moved,
        ];
        let counts = kinds.map(|kind| (kind, self.changes.iter().filter(|change| change.kind == kind).count()));
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        counts
            .map(|(kind, count)| format!("{count} {}", kind.as_str()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn groups<'a>(changes: &[&'a Change]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places: std::collections::HashMap<&Subject, usize> = std::collections::HashMap::new();
    for change in changes.iter().copied() {
        let place = *places.entry(&change.subject).or_insert_with(|| {
            groups.push(Group {
                subject: &change.subject,
                changes: Vec::new(),
            });
            groups.len() - 1
        });
        groups[place].changes.push(change);
    }
    for group in &mut groups {
        group.changes.sort_by_key(|change| std::cmp::Reverse(change.severity));
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.severity()));
    groups
}

/// How many changes there are of each severity, the gravest first.
fn counts(changes: &[&Change]) -> [(Impact, usize); 4] {
    Impact::ALL.map(|severity| {
        let of = changes.iter().filter(|change| change.severity == severity);
        (severity, of.count())
    })
}

/// `1 change`, `2 changes`
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// A change's value before and after, where there is one to be shown.
fn values(change: &Change) -> (Option<&str>, Option<&str>) {
    if change.secret {
        let secret = |is_there: bool| is_there.then_some("(secret)");
        return (
            secret(change.kind != ChangeKind::Added),
            secret(change.kind != ChangeKind::Removed),
        );
    }
    (change.before.as_deref(), change.after.as_deref())
}

/// One line of at most so many characters, without any that steer a terminal, turn the direction of text, or hide.
fn line(text: &str, most: usize) -> String {
    // What is cut is not worth cleaning: a value may have megabytes.
    let start: String = text.chars().take(most + 1).collect();
    let cleaned = super::text::clean(&start).replace('\n', "␊");
    let visible = |c: char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut shown: String = cleaned
        .chars()
        .map(|c| if visible(c) { c } else { '\u{fffd}' })
        .take(most)
        .collect();
    if cleaned.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// A value for people: one line, never nothing.
fn shown(value: &str) -> String {
    match value {
        "" => "(empty)".to_owned(),
        value => line(value, MOST_CHARACTERS),
    }
}

/// What is told of a base: its reference, or its digest.
fn base_name(base: Option<&BaseImage>) -> String {
    match base {
        None => "(unknown)".to_owned(),
        Some(base) => match (&base.reference, &base.digest) {
            (Some(reference), _) => line(reference, 200),
            (None, Some(digest)) => digest.to_string(),
            (None, None) => "(unknown)".to_owned(),
        },
    }
}

/// A base's reference, version and digest, as far as they differ: what, before, after.
fn base_rows(base: &BaseDifference) -> Vec<(String, Option<String>, Option<String>)> {
    let mut rows = Vec::new();
    if base.is_another_base() {
        rows.push((
            "base image".to_owned(),
            Some(base_name(base.before.as_ref())),
            Some(base_name(base.after.as_ref())),
        ));
        let of = |side: &Option<BaseImage>| {
            side.as_ref()
                .and_then(|base| base.digest.map(|digest| digest.to_string()))
        };
        rows.push(("digest".to_owned(), of(&base.before), of(&base.after)));
    }
    rows.extend(
        base.image
            .iter()
            .map(|change| (image_name(change), change.before.clone(), change.after.clone())),
    );
    rows
}

/// `environment JAVA_OPTS on linux/arm64`
fn image_name(change: &ImageChange) -> String {
    let platform = change.platform.as_ref().map(|platform| format!(" on {platform}"));
    let name = match change.name.as_str() {
        "" => String::new(),
        name => format!(" {name}"),
    };
    line(&format!("{}{name}{}", change.what, platform.unwrap_or_default()), 200)
}

/// Differences for the renderers' tests.
#[cfg(test)]
mod example {
    use super::*;
    use crate::diagnostic::Source;

    pub(super) fn change(kind: ChangeKind, id: &str, leaf: &str, severity: Impact) -> Change {
        Change {
            kind,
            subject: Subject {
                what: "client".to_owned(),
                id: id.to_owned(),
            },
            path: format!("/client[{id}]/{leaf}"),
            severity,
            because: None,
            whole: false,
            before: None,
            after: None,
            secret: false,
            before_span: None,
            after_span: None,
        }
    }

    pub(super) fn changes() -> Vec<Change> {
        let mut lifetime = change(ChangeKind::Changed, "shop", "lifetime", Impact::Behaviour);
        lifetime.before = Some("60".to_owned());
        lifetime.after = Some("30".to_owned());
        lifetime.after_span = Some(Source::new("config/clients.xml", "<a>\n  30</a>").span(6..8));
        let mut secret = change(ChangeKind::Changed, "web-client", "secret", Impact::Security);
        secret.secret = true;
        let mut redirect = change(ChangeKind::Removed, "web-client", "redirect-uris", Impact::Breaking);
        redirect.before = Some("https://shop.example.com/cb".to_owned());
        redirect.because = Some("logins that come back there fail".to_owned());
        let mut logo = change(ChangeKind::Added, "web-client", "logo", Impact::Cosmetic);
        logo.after = Some(String::new());
        vec![lifetime, logo, secret, redirect]
    }

    pub(super) fn base() -> BaseDifference {
        let base = |tag: &str| {
            let reference = format!("example.com/idsvr:{tag}").parse().expect("valid");
            Some(BaseImage::pinned(&reference, Digest::of(tag.as_bytes())))
        };
        BaseDifference {
            before: base("11.3.1"),
            after: base("11.4.0"),
            image: vec![ImageChange {
                what: "user",
                name: String::new(),
                before: Some("10001".to_owned()),
                after: None,
                platform: Some("linux/arm64".to_owned()),
            }],
        }
    }

    /// Values that a renderer could fall for.
    pub(super) const HOSTILE: [&str; 12] = [
        "\x1b[31mred\x07\r",
        "`code` | cell | <b>bold</b> **strong** [x](https://evil.example)",
        "</code></td></table></details><script>alert(1)</script>",
        "@everyone #1 https://evil.example www.evil.example a@evil.example",
        "![x](https://evil.example/pixel.png)",
        "line\n\n# heading\n| a | b |\n```\n",
        "\u{202e}gnp.exe\u{200b}",
        "\" onmouseover=\"alert(1)",
        "' onload='x",
        "&lt;b&gt; &amp; &#64;everyone",
        "-->]]><!-- \\",
        "",
    ];

    pub(super) fn hostile() -> Vec<Change> {
        let values = HOSTILE.iter().map(|text| {
            let mut change = change(ChangeKind::Changed, text, text, Impact::Breaking);
            change.before = Some((*text).to_owned());
            change.after = Some(format!("{text}{}", "x".repeat(100_000)));
            change.because = Some((*text).to_owned());
            change.subject.what = (*text).to_owned();
            change
        });
        values.collect()
    }

    pub(super) fn hostile_base() -> BaseDifference {
        let base = |text: &str| BaseImage {
            reference: Some(text.to_owned()),
            digest: Some(Digest::of(text.as_bytes())),
            version: Some(text.to_owned()),
        };
        let image = HOSTILE.iter().map(|text| ImageChange {
            what: "label",
            name: (*text).to_owned(),
            before: Some((*text).to_owned()),
            after: Some(format!("{text}{text}")),
            platform: Some((*text).to_owned()),
        });
        BaseDifference {
            before: Some(base(HOSTILE[2])),
            after: Some(base(HOSTILE[1])),
            image: image.collect(),
        }
    }

    pub(super) fn of<'a>(changes: &'a [Change], base: &'a BaseDifference) -> Changes<'a> {
        Changes {
            before: ("stage:dev".to_owned(), Some(Digest::of(b"dev"))),
            after: ("working tree".to_owned(), None),
            changes: changes.iter().collect(),
            hidden: 0,
            base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_is_the_answer() {
        let (changes, base) = (example::changes(), example::base());
        let nothing = BaseDifference::default();
        let headline = |changes: &[Change], base| example::of(changes, base).headline();
        assert_eq!(headline(&[], &nothing), "no difference");
        assert_eq!(headline(&changes[..1], &nothing), "1 change: 1 behaviour");
        assert_eq!(
            headline(&changes, &base),
            "4 changes: 1 breaking, 1 security, 1 behaviour, 1 cosmetic; another base image; 1 change of the image"
        );
        let grave = example::of(&changes, &nothing).at_least(Impact::Security);
        assert_eq!(
            grave.headline(),
            "2 changes: 1 breaking, 1 security; 2 milder changes not shown"
        );
        let none = example::of(&changes[..1], &nothing).at_least(Impact::Breaking);
        assert_eq!(none.headline(), "no difference; 1 milder change not shown");
        assert!(!none.differs() && grave.differs());
    }

    #[test]
    fn a_line_stays_one_and_short() {
        assert_eq!(line("a\nb\tc", 9), "a␊b    c");
        assert_eq!(line(&"é".repeat(100), 3), "ééé…");
        assert_eq!(line("abc", 3), "abc");
        for text in example::HOSTILE {
            let line = line(text, 80);
            assert!(
                !line
                    .chars()
                    .any(|c| c.is_control() || c == '\u{202e}' || c == '\u{200b}'),
                "{line:?}"
            );
        }
    }
}
