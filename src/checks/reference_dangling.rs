//! Ids that nothing defines: a server with one of them does not start, or fails at the first login.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::bundle::{Node, Tree};
use crate::diagnostic::{Code, Diagnostic, Severity, nearest};
use crate::profile::{ReferenceRule, ServerProfile};

/// From so many ids on, the nearest one is not looked for.
const MOST_TO_COMPARE: usize = 2_000;
/// How many places of one id are shown.
const MOST_PLACES: usize = 3;

/// Looks at each reference of the profile. `assets` gives the paths in the image of the files that travel beside the
/// configuration; it is asked only when an id is not in the tree.
pub(super) fn find(tree: &Tree, profile: &ServerProfile, assets: &dyn Fn() -> Vec<String>) -> Vec<Diagnostic> {
    // What stands in a file that could not be read may define anything.
    if !tree.is_complete() {
        return Vec::new();
    }
    let rules = profile.references.iter();
    rules.flat_map(|rule| dangling(tree, rule, assets)).collect()
}

fn dangling(tree: &Tree, rule: &ReferenceRule, assets: &dyn Fn() -> Vec<String>) -> Vec<Diagnostic> {
    let mut ids = HashSet::new();
    for definition in tree.find_any(&rule.defined_by) {
        let (id, unknown) = definition_id(&definition);
        if unknown {
            // An id that a stage gives may be any of those that are asked for.
            return Vec::new();
        }
        ids.extend(id);
    }
    ids.extend(rule.built_in.iter().map(|id| Cow::Borrowed(id.as_str())));
    let mut missing: Vec<_> = tree
        .find_any(&rule.used_by)
        .filter(|leaf| leaf.is_leaf() && !leaf.has_placeholder())
        .map(|leaf| (leaf, leaf.value()))
        .filter(|(_, id)| !id.is_empty() && !ids.contains(id))
        .collect();
    if !missing.is_empty() && !rule.files.is_empty() {
        let files = file_ids(&rule.files, assets());
        missing.retain(|(_, id)| !files.contains(&**id));
        ids.extend(files.into_iter().map(Cow::Owned));
    }
    let mut places: Vec<(&str, Vec<&Node<'_>>)> = Vec::new();
    let mut known = HashMap::new();
    for (leaf, id) in &missing {
        let index = *known.entry(&**id).or_insert_with(|| {
            places.push((id, Vec::new()));
            places.len() - 1
        });
        places[index].1.push(leaf);
    }
    places
        .into_iter()
        .map(|(id, leaves)| diagnostic(id, &leaves, &ids, rule))
        .collect()
}

/// The id that an element defines, and whether it is known before a stage's values are.
pub(super) fn definition_id<'t>(definition: &Node<'t>) -> (Option<Cow<'t, str>>, bool) {
    if definition.is_leaf() {
        return (Some(definition.value()), definition.has_placeholder());
    }
    let id = definition.id();
    let unknown = definition.key_leaf().is_some_and(|leaf| leaf.has_placeholder());
    (id, unknown)
}

/// One finding for all the places that name an id.
fn diagnostic(id: &str, leaves: &[&Node<'_>], ids: &HashSet<Cow<'_, str>>, rule: &ReferenceRule) -> Diagnostic {
    let what = &rule.what;
    let name = leaves.first().map_or("", |leaf| leaf.name());
    let message = match leaves.len() {
        1 => format!("`{name}` names the {what} `{id}`, which nothing defines"),
        count => format!("{count} places name the {what} `{id}`, which nothing defines"),
    };
    let mut found = Diagnostic::new(Code::ReferenceDangling, message);
    for (index, leaf) in leaves.iter().take(MOST_PLACES).enumerate() {
        let text = if index == 0 {
            format!("no such {what}")
        } else {
            "named here, too".to_owned()
        };
        found = found.at(leaf.text_span(), text);
    }
    if !rule.files.is_empty() {
        // The base image may have the file.
        found.severity = Severity::Warning;
        found = found.help(format!(
            "a file may define it, `{}`: bring yours with `[[asset]]`; the base image's is not seen here",
            rule.files.first().map_or("", |glob| glob)
        ));
    }
    found.help(mend(id, name, ids, rule))
}

fn mend(id: &str, name: &str, ids: &HashSet<Cow<'_, str>>, rule: &ReferenceRule) -> String {
    let what = &rule.what;
    let near = (ids.len() <= MOST_TO_COMPARE)
        .then(|| {
            let mut known: Vec<_> = ids.iter().map(|id| &**id).collect();
            known.sort_unstable();
            nearest(id, known)
        })
        .flatten();
    match near {
        Some(near) => format!("there is a {what} `{near}`"),
        None => format!("define the {what} `{id}`, or remove `{name}`"),
    }
}

/// Names, without their endings, of the files that the globs fit.
fn file_ids(globs: &[String], paths: Vec<String>) -> HashSet<String> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs.iter().filter_map(|glob| Glob::new(glob).ok()) {
        builder.add(glob);
    }
    let set = builder.build().unwrap_or_else(|_| GlobSet::empty());
    let fits = paths.iter().filter(|path| set.is_match(path.as_str()));
    fits.filter_map(|path| camino::Utf8Path::new(path).file_stem())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::{profile, read_contents};

    const SOURCES: &str = "<facilities><data-source><id>main</id></data-source></facilities>";

    fn found(contents: &[&str], assets: &[&str]) -> Vec<Diagnostic> {
        let (bundle, _) = read_contents(contents);
        let assets: Vec<_> = assets.iter().map(|path| (*path).to_owned()).collect();
        find(bundle.tree(), &profile(), &|| assets.clone())
    }

    #[test]
    fn an_id_of_another_file_is_found() {
        assert_eq!(
            found(&[SOURCES, "<p><data-source-id> main </data-source-id></p>"], &[]),
            []
        );
    }

    #[test]
    fn an_id_that_nothing_defines_is_told_with_the_nearest() {
        let diagnostics = found(&["<p><data-source-id>mian</data-source-id></p>", SOURCES], &[]);
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].code, Code::ReferenceDangling);
        assert_eq!(diagnostics[0].labels[0].span.text(), "mian");
        assert_eq!(diagnostics[0].help, ["there is a data source `main`"]);
        let diagnostics = found(&["<p><data-source-id>other</data-source-id></p>"], &[]);
        assert_eq!(
            diagnostics[0].help,
            ["define the data source `other`, or remove `data-source-id`"]
        );
    }

    #[test]
    fn what_a_stage_decides_is_not_judged() {
        assert_eq!(
            found(&["<p><data-source-id>#{X}</data-source-id><data-source-id/></p>"], &[]),
            []
        );
        let sources = "<facilities><data-source><id>#{X}</id></data-source></facilities>";
        assert_eq!(found(&[sources, "<p><data-source-id>a</data-source-id></p>"], &[]), []);
    }

    #[test]
    fn a_file_of_the_image_defines_an_id() {
        let used = "<p><data-source-id>issue</data-source-id></p>";
        let (bundle, _) = read_contents(&[used]);
        let mut profile = profile();
        profile.references[0].files = vec!["/etc/init/*-procedures/*.js".to_owned()];
        let count = |path: &str| find(bundle.tree(), &profile, &|| vec![path.to_owned()]).len();
        assert_eq!(count("/etc/init/token-procedures/issue.js"), 0);
        assert_eq!(count("/etc/init/token-procedures/other.js"), 1);
        assert_eq!(count("/elsewhere/issue.js"), 1);
        let told = find(bundle.tree(), &profile, &Vec::new).remove(0);
        assert_eq!(told.severity, Severity::Warning, "the base image may have it");
    }

    #[test]
    fn many_places_of_one_id_are_one_finding() {
        let used = "<p><data-source-id>x</data-source-id></p>";
        let contents: Vec<_> = (0..5).map(|_| used).collect();
        assert_eq!(found(&contents, &[]).len(), 1, "one leaf in five files");
        let used: String = (0..5)
            .map(|n| format!("<p{n}><data-source-id>x</data-source-id></p{n}>"))
            .collect();
        let diagnostics = found(&[&used], &[]);
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].labels.len(), 3);
        assert!(diagnostics[0].message.starts_with("5 places"));
    }

    #[test]
    fn nothing_is_said_when_a_file_is_missing_from_the_tree() {
        assert_eq!(
            found(&["<p><data-source-id>a</data-source-id></p>", "<broken>"], &[]),
            []
        );
    }
}
