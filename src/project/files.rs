//! The configuration's texts: patterns expanded, files read.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use super::Project;
use super::paths::{self, PathProblem, Root};
use crate::diagnostic::{Code, Diagnostic, Source, Span};

/// All configuration texts together may have this many bytes.
const MOST_BYTES: u64 = 256 << 20;
/// More files than this are a mistake (a `node_modules`, say).
pub(super) const MOST_FILES: usize = 100_000;
/// Folders in folders.
const DEEPEST: usize = 64;
/// Never part of a project.
const SKIPPED: &[&str] = &[".git", ".iamship"];
/// Nor are these, when they lie in the root: what builds leave behind.
const SKIPPED_IN_ROOT: &[&str] = &["target", "node_modules"];

impl Project {
    /// The configuration's texts, sorted by path (which is seen from the root). A byte order mark stays.
    ///
    /// # Errors
    /// A pattern that matches nothing, a file that is not UTF-8 or can't be read, links out of the
    /// project, more than 256 MiB or 100,000 files.
    pub fn config_files(&self) -> Result<Vec<Source>, Vec<Diagnostic>> {
        let root = self.open_root()?;
        let mut found = BTreeSet::new();
        let mut problems = Vec::new();
        for (index, glob) in self.config.files.iter().enumerate() {
            let span = self.config.spans.get(index).or(self.config.span.as_ref());
            match expand(&root, glob) {
                Ok(files) if files.is_empty() => problems.push(no_match(glob, span)),
                Ok(files) => found.extend(files),
                Err(message) => problems.push(at(Diagnostic::new(Code::ProjectInvalid, message), span)),
            }
        }
        let (sources, unreadable) = read_all(&root, found);
        problems.extend(unreadable);
        if problems.is_empty() {
            Ok(sources)
        } else {
            Err(problems)
        }
    }

    pub(super) fn open_root(&self) -> Result<Root, Vec<Diagnostic>> {
        Root::open(&self.root).map_err(|error| {
            let message = format!("`{}` {}", self.root, paths::problem(&error));
            vec![Diagnostic::new(Code::ProjectMissing, message)]
        })
    }
}

/// The texts in a folder that is no project, of files that a pattern fits; sorted by path, which is seen from the folder.
///
/// # Errors
/// A file that is not UTF-8 or can't be read, links out of the folder, more than 256 MiB or 100,000 files.
pub fn files_in(folder: &Utf8Path, pattern: &str) -> Result<Vec<Source>, Vec<Diagnostic>> {
    let problem = |message: String| vec![Diagnostic::new(Code::FileUnreadable, message)];
    let root = Root::open(folder).map_err(|error| problem(format!("`{folder}` {}", paths::problem(&error))))?;
    let (sources, unreadable) = read_all(&root, expand(&root, pattern).map_err(problem)?);
    match unreadable.is_empty() {
        true => Ok(sources),
        false => Err(unreadable),
    }
}

/// The text of one file, which may be anywhere.
///
/// # Errors
/// It is not there, not UTF-8, larger than 256 MiB, or no file.
pub fn file_in(path: &Utf8Path) -> Result<Source, Vec<Diagnostic>> {
    let text = paths::read_text(path, MOST_BYTES);
    let text = text.map_err(|problem| vec![Diagnostic::new(Code::FileUnreadable, format!("`{path}` {problem}"))])?;
    Ok(Source::new(path, text))
}

fn read_all(root: &Root, paths: impl IntoIterator<Item = Utf8PathBuf>) -> (Vec<Source>, Vec<Diagnostic>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let mut left = MOST_BYTES;
    for path in paths {
        match read(root, &path, left) {
            Ok(text) => {
                left -= text.len() as u64;
                sources.push(Source::new(path, text));
            }
            Err(problem) => problems.push(Diagnostic::new(Code::FileUnreadable, format!("`{path}` {problem}"))),
        }
    }
    (sources, problems)
}

/// Which files of a project are its configuration, by their paths alone: for where there is no folder to walk.
#[derive(Clone, Debug)]
pub struct ConfigPatterns {
    patterns: Vec<String>,
    matchers: Vec<GlobMatcher>,
}

impl ConfigPatterns {
    /// The patterns of `[config] files`; none where one of them can't be used.
    pub fn new(patterns: &[String]) -> Option<Self> {
        let patterns: Vec<_> = patterns
            .iter()
            .map(|text| text.strip_prefix("./").unwrap_or(text).to_owned())
            .collect();
        let matcher = |text: &String| {
            Some(
                GlobBuilder::new(text)
                    .literal_separator(true)
                    .build()
                    .ok()?
                    .compile_matcher(),
            )
        };
        let matchers = patterns.iter().map(matcher).collect::<Option<Vec<_>>>()?;
        (!matchers.is_empty()).then_some(Self { patterns, matchers })
    }

    /// As the text of an `iamship.toml` says, whatever else may be wrong with it; none where it doesn't.
    pub fn of_project_file(text: &str) -> Option<Self> {
        let file: toml::Table = toml::from_str(text).ok()?;
        let patterns = match file.get("config")?.get("files")? {
            toml::Value::String(pattern) => vec![pattern.clone()],
            toml::Value::Array(patterns) => patterns
                .iter()
                .map(|pattern| pattern.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            _ => return None,
        };
        Self::new(&patterns)
    }

    /// As written, without `./`.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether a path, seen from the root, is of a configuration file.
    pub fn fit(&self, path: &Utf8Path) -> bool {
        let mut folders = path.parent().into_iter().flat_map(Utf8Path::iter).enumerate();
        let is_skipped =
            folders.any(|(depth, name)| SKIPPED.contains(&name) || (depth == 0 && SKIPPED_IN_ROOT.contains(&name)));
        !is_skipped && self.matchers.iter().any(|matcher| matcher.is_match(path.as_std_path()))
    }
}

fn at(diagnostic: Diagnostic, span: Option<&Span>) -> Diagnostic {
    match span {
        Some(span) => diagnostic.at(span.clone(), ""),
        None => diagnostic,
    }
}

fn no_match(glob: &str, span: Option<&Span>) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::ProjectMissing, format!("no file matches `{glob}`"));
    at(diagnostic, span).help("`*` is any name in one folder, `**` any number of folders")
}

/// The files that a pattern matches, seen from the root.
fn expand(root: &Root, glob: &str) -> Result<Vec<Utf8PathBuf>, String> {
    let matcher = GlobBuilder::new(glob).literal_separator(true).build();
    let matcher: GlobMatcher = matcher.map_err(|error| error.to_string())?.compile_matcher();
    let start = literal_start(glob);
    if !start.as_str().is_empty() {
        match root.existing(start.as_str()) {
            Ok(_) => {}
            Err(PathProblem::Missing) => return Ok(Vec::new()),
            Err(problem) => return Err(format!("`{start}` {problem}")),
        }
    }
    let mut files = Vec::new();
    for entry in walk(root, &start) {
        let entry = entry.map_err(|error| walk_problem(&error))?;
        let relative = relative(root, &entry)?;
        if entry.file_type().is_dir() || !matcher.is_match(relative.as_std_path()) {
            continue;
        }
        files.push(relative);
        if files.len() > MOST_FILES {
            return Err(format!("`{glob}` matches more than {MOST_FILES} files"));
        }
    }
    Ok(files)
}

/// The folders that a pattern begins with, before its first special character.
fn literal_start(glob: &str) -> Utf8PathBuf {
    let literal = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    glob.split('/').take_while(literal).collect()
}

/// `start` is seen from the root.
pub(super) fn walk(root: &Root, start: &Utf8Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let from_root = start.as_str().is_empty();
    let kept = move |entry: &DirEntry| {
        let is = |name: &&str| entry.file_name() == *name;
        let skipped = SKIPPED.iter().any(is) || (from_root && entry.depth() == 1 && SKIPPED_IN_ROOT.iter().any(is));
        entry.depth() == 0 || !entry.file_type().is_dir() || !skipped
    };
    let start = root.path().join(start);
    WalkDir::new(start)
        .max_depth(DEEPEST)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(kept)
}

pub(super) fn walk_problem(error: &walkdir::Error) -> String {
    let path = error.path().map(|path| path.display().to_string()).unwrap_or_default();
    let reason = error.io_error().map(|error| error.kind().to_string());
    format!(
        "`{path}` can't be read: {}",
        reason.unwrap_or_else(|| "a loop of links".to_owned())
    )
}

pub(super) fn relative(root: &Root, entry: &DirEntry) -> Result<Utf8PathBuf, String> {
    let path = entry.path().strip_prefix(root.path()).unwrap_or(entry.path());
    match Utf8Path::from_path(path) {
        Some(path) => Ok(path.to_owned()),
        None => Err(format!("the name of `{}` is not UTF-8", path.display())),
    }
}

fn read(root: &Root, path: &Utf8Path, most: u64) -> Result<String, String> {
    let whole = root.path().join(path);
    // Only a link needs the slow look at where it leads; folders are not followed.
    if std::fs::symlink_metadata(&whole).is_ok_and(|metadata| metadata.is_symlink()) {
        root.real_inside(path).map_err(|problem| problem.to_string())?;
    }
    let large = std::fs::metadata(&whole).is_ok_and(|metadata| metadata.len() > most);
    if large {
        return Err(format!("makes the configuration larger than {} MiB", MOST_BYTES >> 20));
    }
    paths::read_text(&whole, most).map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::fixture::{self, Folder};

    fn project(folder: &Folder, files: &str) -> Project {
        let text = fixture::MINIMAL.replace("\"config/**/*.xml\"", files);
        folder.write("iamship.toml", &text);
        Project::load(folder.path()).expect("valid")
    }

    fn paths_of(sources: &[Source]) -> Vec<&str> {
        sources.iter().map(|source| source.path().as_str()).collect()
    }

    #[test]
    fn patterns_expand_sorted_each_file_once_and_skip_what_is_never_configuration() {
        let folder = Folder::new();
        for path in [
            "config/b.xml",
            "config/a/c.xml",
            "config/.git/x.xml",
            "config/readme.md",
            ".iamship/config/d.xml",
        ] {
            folder.write(path, "\u{feff}<x/>");
        }
        let sources = project(&folder, "'./config/**/*.xml', 'config/*.xml'")
            .config_files()
            .expect("readable");
        assert_eq!(paths_of(&sources), ["config/a/c.xml", "config/b.xml"]);
        assert!(sources[0].text().starts_with('\u{feff}'));
        let sources = project(&folder, "'config/*.xml'").config_files().expect("readable");
        assert_eq!(paths_of(&sources), ["config/b.xml"]);
    }

    #[test]
    fn what_can_not_be_read_is_told_all_at_once() {
        let folder = Folder::new();
        folder.write("config/a.xml", "<x/>");
        std::fs::write(folder.path().join("config/bad.xml"), b"<x>\n\xff</x>").expect("file");
        std::fs::write(folder.path().join("config/wide.xml"), b"\xff\xfe<\0").expect("file");
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("config/out.xml")).expect("link");
        let project = project(&folder, "'config/*.xml', 'none/*.xml', 'config/*.json'");
        let problems = project.config_files().expect_err("refused");
        let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "no file matches `none/*.xml`",
                "no file matches `config/*.json`",
                "`config/bad.xml` can't be read: it is not UTF-8 from line 2, byte 5",
                "`config/out.xml` is a link that leads out of the project",
                "`config/wide.xml` can't be read: it is UTF-16, not UTF-8",
            ]
        );
        assert_eq!(problems[1].labels[0].span.text(), "'config/*.json'");
    }

    #[test]
    fn paths_alone_tell_the_same_as_the_folder() {
        let text = "[config]\nfiles = ['./config/**/*.xml']\n[image]\nbase = 1\n";
        let patterns = ConfigPatterns::of_project_file(text).expect("patterns");
        let fits = |path: &str| patterns.fit(Utf8Path::new(path));
        assert!(fits("config/a.xml") && fits("config/a/b.xml"));
        assert!(!fits("a.xml") && !fits("config/a.json") && !fits("config/.git/a.xml"));
        for text in [
            "",
            "x",
            "[config]",
            "[config]\nfiles = 1",
            "[config]\nfiles = ['[']",
            "[config]\nfiles = []",
        ] {
            assert!(ConfigPatterns::of_project_file(text).is_none(), "{text}");
        }
        let all = ConfigPatterns::new(&["**/*.xml".to_owned()]).expect("patterns");
        assert!(!all.fit("target/a.xml".into()) && all.fit("a/target/b.xml".into()) && all.fit("target.xml".into()));
    }

    #[test]
    fn a_folder_needs_no_project_file() {
        let folder = Folder::new();
        folder.write("b.xml", "<b/>");
        folder.write("a/a.xml", "<a/>");
        folder.write("note.md", "");
        let sources = files_in(folder.path(), "**/*.xml").expect("readable");
        assert_eq!(paths_of(&sources), ["a/a.xml", "b.xml"]);
        assert!(files_in(&folder.path().join("none"), "**/*").is_err());
        assert_eq!(file_in(&folder.path().join("b.xml")).expect("readable").text(), "<b/>");
        let refused = file_in(folder.path()).expect_err("a folder");
        assert!(refused[0].message.ends_with("is not a file"), "{refused:?}");
    }

    #[test]
    fn a_folder_that_links_out_of_the_project_is_refused() {
        let folder = Folder::new();
        std::os::unix::fs::symlink("/etc", folder.path().join("config")).expect("link");
        let problems = project(&folder, "'config/*.conf'").config_files().expect_err("refused");
        assert!(problems[0].message.contains("leads out of the project"), "{problems:?}");
    }
}
