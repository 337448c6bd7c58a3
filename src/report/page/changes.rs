//! What a promotion would change, by subject, the gravest first.

use serde::{Serialize, Serializer};

use super::points::Tone;
use super::words;
use crate::bundle::{Change, ChangeKind, Impact};

/// Subjects that are shown; of others only the number.
const MOST_GROUPS: usize = 200;
/// Lines of a subject that are shown.
const MOST_LINES: usize = 50;
/// Characters of a value that are shown.
const MOST_CHARACTERS: usize = 200;

/// What would change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changes {
    /// By subject, the gravest first.
    pub groups: Vec<ChangeGroup>,
    /// How many subjects are not shown.
    pub more_groups: usize,
    /// How many changes of each severity, the gravest first, those not shown among them.
    counts: [usize; 4],
}

/// All that changes in one thing.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeGroup {
    /// The thing, as its users name it.
    pub subject: String,
    /// How grave the gravest is.
    #[serde(serialize_with = "impact")]
    pub severity: Impact,
    /// What happens to it as a whole, where that is one thing.
    #[serde(serialize_with = "kind")]
    pub kind: ChangeKind,
    /// Where it is: the part of the path that all its changes share. Empty where they share none.
    pub place: String,
    /// Each change.
    pub lines: Vec<ChangeLine>,
    /// How many are not shown.
    pub more: usize,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeLine {
    /// What happens.
    #[serde(serialize_with = "kind")]
    pub kind: ChangeKind,
    /// Where in it.
    pub path: String,
    /// How grave it is.
    #[serde(serialize_with = "impact")]
    pub severity: Impact,
    /// Why it is that grave.
    pub because: Option<String>,
    /// The value before, if there was one that may be shown.
    pub before: Option<String>,
    /// The value after, if there is one that may be shown.
    pub after: Option<String>,
    /// It is a secret: nothing of it is here.
    pub secret: bool,
}

impl Changes {
    /// Groups changes.
    pub fn new(changes: &[Change]) -> Self {
        let mut all = Self::default();
        let mut groups: Vec<ChangeGroup> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for change in changes {
            all.counts[rank(change.severity)] += 1;
            let place = *places.entry(&change.subject).or_insert_with(|| {
                groups.push(ChangeGroup {
                    subject: change.subject.to_string().replace('`', ""),
                    severity: change.severity,
                    kind: change.kind,
                    place: place_of(change).to_owned(),
                    lines: Vec::new(),
                    more: 0,
                });
                groups.len() - 1
            });
            groups[place].add(change);
        }
        groups.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
        all.more_groups = groups.len().saturating_sub(MOST_GROUPS);
        groups.truncate(MOST_GROUPS);
        for group in &mut groups {
            group.lines.sort_by_key(|line| std::cmp::Reverse(line.severity));
            group.more = group.lines.len().saturating_sub(MOST_LINES);
            group.lines.truncate(MOST_LINES);
        }
        all.groups = groups;
        all
    }

    /// How many changes there are.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many of a severity.
    pub fn count(&self, severity: Impact) -> usize {
        self.counts[rank(severity)]
    }
}

impl ChangeGroup {
    fn add(&mut self, change: &Change) {
        self.severity = self.severity.max(change.severity);
        if self.kind != change.kind {
            self.kind = ChangeKind::Changed;
        }
        let inside = change.path.strip_prefix(self.place.as_str());
        let inside = inside
            .map(|rest| rest.trim_start_matches('/'))
            .filter(|rest| !rest.is_empty());
        let shown = |value: &Option<String>| value.as_deref().filter(|_| !change.secret).map(cut);
        self.lines.push(ChangeLine {
            kind: change.kind,
            path: inside.unwrap_or(&change.path).to_owned(),
            severity: change.severity,
            because: change.because.clone(),
            before: shown(&change.before),
            after: shown(&change.after),
            secret: change.secret,
        });
    }

    /// How many changes, and what they do to it.
    pub fn summary(&self) -> String {
        let count = self.lines.len() + self.more;
        match (self.kind, count) {
            (kind, 1) => kind.as_str().to_owned(),
            (ChangeKind::Changed, count) => words::counted(count, "change"),
            (kind, count) => format!("{}, {}", kind.as_str(), words::counted(count, "change")),
        }
    }

    /// The colour of the gravest.
    pub fn tone(&self) -> Tone {
        tone(self.severity)
    }

    /// The gravest in words.
    pub fn word(&self) -> &'static str {
        word(self.severity)
    }
}

impl ChangeLine {
    /// Its colour.
    pub fn tone(&self) -> Tone {
        tone(self.severity)
    }

    /// How grave it is, in words.
    pub fn word(&self) -> &'static str {
        word(self.severity)
    }

    /// The steps of the path, for breaking lines between them.
    pub fn steps(&self) -> Vec<&str> {
        split(&self.path)
    }
}

/// The path of the thing itself: up to the step that has its key, where there is more behind.
fn place_of(change: &Change) -> &str {
    let key = format!("[{}]", change.subject.id);
    match change.path.rfind(&key) {
        Some(at) if !change.subject.id.is_empty() => &change.path[..at + key.len()],
        _ => "",
    }
}

/// The steps of a path; a slash in brackets is part of a key.
fn split(path: &str) -> Vec<&str> {
    let (mut depth, mut start, mut steps) = (0_usize, 0, Vec::new());
    for (at, character) in path.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                steps.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    steps.push(&path[start..]);
    steps.retain(|step| !step.is_empty());
    steps
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(MOST_CHARACTERS) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

fn rank(severity: Impact) -> usize {
    Impact::ALL.iter().position(|known| *known == severity).unwrap_or(0)
}

fn tone(severity: Impact) -> Tone {
    match severity {
        Impact::Breaking => Tone::Bad,
        Impact::Security => Tone::Warning,
        Impact::Behaviour => Tone::News,
        Impact::Cosmetic => Tone::Quiet,
    }
}

fn word(severity: Impact) -> &'static str {
    match severity {
        Impact::Breaking => "May break applications",
        Impact::Security => "Security",
        Impact::Behaviour => "Behaviour",
        Impact::Cosmetic => "Looks only",
    }
}

fn impact<S: Serializer>(severity: &Impact, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

fn kind<S: Serializer>(kind: &ChangeKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Subject;

    fn change(id: &str, severity: Impact) -> Change {
        Change {
            kind: ChangeKind::Changed,
            subject: Subject {
                what: "client".to_owned(),
                id: id.to_owned(),
            },
            path: format!("/clients/client[{id}]/x"),
            severity,
            because: None,
            whole: false,
            before: Some("a".to_owned()),
            after: Some("b".to_owned()),
            secret: false,
            before_span: None,
            after_span: None,
        }
    }

    #[test]
    fn the_gravest_subject_comes_first_with_all_its_changes() {
        let lines = [
            change("a", Impact::Cosmetic),
            change("b", Impact::Behaviour),
            change("a", Impact::Breaking),
        ];
        let changes = Changes::new(&lines);
        let subjects: Vec<_> = changes.groups.iter().map(|group| group.subject.as_str()).collect();
        assert_eq!(subjects, ["client a", "client b"]);
        assert_eq!(changes.groups[0].lines[0].severity, Impact::Breaking);
        assert_eq!(changes.groups[0].summary(), "2 changes");
        assert_eq!((changes.total(), changes.count(Impact::Breaking)), (3, 1));
    }

    #[test]
    fn a_secret_is_in_no_line_even_if_somebody_left_it_there() {
        let mut secret = change("a", Impact::Security);
        secret.secret = true;
        let json = serde_json::to_string(&Changes::new(&[secret])).unwrap();
        assert!(json.contains(r#""before":null,"after":null,"secret":true"#), "{json}");
    }

    #[test]
    fn ten_thousand_subjects_are_counted_and_not_all_shown() {
        let all: Vec<_> = (0..10_000)
            .map(|number| change(&number.to_string(), Impact::Behaviour))
            .collect();
        let changes = Changes::new(&all);
        assert_eq!((changes.groups.len(), changes.more_groups), (MOST_GROUPS, 9_800));
        assert_eq!(changes.total(), 10_000);
    }

    #[test]
    fn where_a_thing_is_is_told_once() {
        let mut whole = change("web", Impact::Breaking);
        whole.path = "/clients/client[web]".to_owned();
        let changes = Changes::new(&[change("web", Impact::Behaviour), whole]);
        let group = &changes.groups[0];
        assert_eq!(group.place, "/clients/client[web]");
        let paths: Vec<_> = group.lines.iter().map(|line| line.path.as_str()).collect();
        assert_eq!(paths, ["/clients/client[web]", "x"]);
    }

    #[test]
    fn a_slash_in_a_key_is_no_step() {
        assert_eq!(
            split("/clients/client[https://a/b]/x"),
            ["clients", "client[https://a/b]", "x"]
        );
    }
}
