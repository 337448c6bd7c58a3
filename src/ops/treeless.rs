//! Files that have no tree: all that can be told of them is that they differ.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::below_pattern;
use crate::bundle::{Bundle, Change, ChangeKind, Impact, Subject};
use crate::diagnostic::Source;
use crate::profile::{Format, ServerProfile};

const BECAUSE: &str = "it is a text whose meaning is not known, so its lines are not compared";

/// Changes of files that are in no tree. Each side comes with the patterns that its files were found by: they tell
/// where in the image a file would be. Files of an image are named so already, and have none.
pub(super) fn changes(
    server: &ServerProfile,
    before: (&Bundle, &[String]),
    after: (&Bundle, &[String]),
) -> Vec<Change> {
    // What XML could not be read is an error, so all of it is in the tree.
    if server.format == Format::Xml {
        return Vec::new();
    }
    let (old, new) = (treeless(server, before), treeless(server, after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| change(name, old.get(name).copied(), new.get(name).copied()))
        .collect()
}

fn change(name: &str, before: Option<&Source>, after: Option<&Source>) -> Option<Change> {
    let kind = match (before, after) {
        (Some(before), Some(after)) if before.text() == after.text() => return None,
        (Some(_), Some(_)) => ChangeKind::Changed,
        (Some(_), None) => ChangeKind::Removed,
        (None, _) => ChangeKind::Added,
    };
    Some(Change {
        kind,
        subject: Subject {
            what: "file".to_owned(),
            id: name.to_owned(),
        },
        path: format!("/{name}"),
        severity: match kind {
            ChangeKind::Removed => Impact::Breaking,
            _ => Impact::Behaviour,
        },
        because: Some(BECAUSE.to_owned()),
        before: None,
        after: None,
        secret: false,
        before_span: before.map(|file| file.span(0..0)),
        after_span: after.map(|file| file.span(0..0)),
    })
}

/// The files without a tree, by their names in the server's configuration folder.
fn treeless<'b>(server: &ServerProfile, (bundle, patterns): (&'b Bundle, &[String])) -> BTreeMap<String, &'b Source> {
    let known: BTreeSet<usize> = bundle.tree().leaves().map(|leaf| leaf.file()).collect();
    let name = |file: &Source| match (patterns.is_empty(), server.config.subfolders) {
        (true, _) => file.path().to_string(),
        (false, true) => below_pattern(patterns, file.path()).to_string(),
        (false, false) => file.path().file_name().unwrap_or_default().to_owned(),
    };
    let files = bundle
        .files()
        .iter()
        .enumerate()
        .filter(|(index, _)| !known.contains(index));
    files.map(|(_, file)| (name(file), file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
        let mut server = ServerProfile::built_in("generic").unwrap();
        server.format = Format::Text;
        let read = |files: &[(&str, &str)]| {
            let files = files.iter().map(|(path, text)| Source::new(*path, *text)).collect();
            Bundle::read(files, &server).0
        };
        let patterns = ["config/**/*".to_owned()];
        changes(&server, (&read(before), &[]), (&read(after), &patterns))
            .iter()
            .map(|change| {
                format!(
                    "{} {} {}",
                    change.kind.as_str(),
                    change.subject,
                    change.severity.as_str()
                )
            })
            .collect()
    }

    #[test]
    fn files_meet_by_their_names_in_the_image() {
        let before = [
            ("a/b.properties", "x 1"),
            ("c.properties", "x 1"),
            ("gone.properties", ""),
        ];
        let after = [
            ("config/a/b.properties", "x 2"),
            ("config/c.properties", "x 1"),
            ("config/new.properties", ""),
        ];
        assert_eq!(
            told(&before, &after),
            [
                "changed file `a/b.properties` behaviour",
                "removed file `gone.properties` breaking",
                "added file `new.properties` behaviour",
            ]
        );
    }
}
