//! The files of the project at a revision, read from git's objects: nothing is checked out.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};

use super::{ask, command};
use crate::diagnostic::nearest;

/// The largest listing of a revision that is read.
const MOST_LISTED: u64 = 64 << 20;
/// All files together may have this many bytes.
const MOST_BYTES: u64 = 256 << 20;
/// More files than this are a mistake.
const MOST_FILES: usize = 100_000;

/// A commit, and the files that the project's folder had in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    folder: Utf8PathBuf,
    /// The commit's id.
    pub commit: String,
    files: BTreeMap<Utf8PathBuf, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    object: String,
    is_link: bool,
}

/// Why a revision can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// git is not installed.
    #[error("the git program is not there")]
    NoGit,
    /// The folder is in no repository.
    #[error("`{0}` is in no git repository")]
    NoRepository(Utf8PathBuf),
    /// git knows no such commit.
    #[error("git knows no revision `{name}`")]
    Unknown {
        /// As asked for.
        name: String,
        /// A branch or tag that is called nearly so.
        near: Option<String>,
        /// Whether the clone lacks older commits.
        is_shallow: bool,
    },
    /// The project's folder was not there then.
    #[error("the project's folder is not in `{0}`")]
    NoFolder(String),
    /// More than is read.
    #[error("`{name}` holds more than {limit}")]
    TooMuch {
        /// The revision.
        name: String,
        /// "100000 files".
        limit: String,
    },
    /// A file that can't be read.
    #[error("`{path}` at `{name}` {why}")]
    File {
        /// Seen from the project.
        path: Utf8PathBuf,
        /// The revision.
        name: String,
        /// What is wrong with it; a sentence's end.
        why: String,
    },
    /// git stopped.
    #[error("git could not read `{name}`: {why}")]
    Failed {
        /// The revision.
        name: String,
        /// Its own words, or ours.
        why: String,
    },
}

impl Revision {
    /// Looks a revision up, as git understands it (`HEAD~1`, a branch, a tag, a commit), and lists the files that the
    /// folder had then.
    pub fn open(folder: &Utf8Path, name: &str) -> Result<Self, RevisionError> {
        let Some(prefix) = ask(folder, &["rev-parse", "--show-prefix"]) else {
            return Err(match command(folder).arg("--version").stdout(Stdio::null()).status() {
                Err(_) => RevisionError::NoGit,
                Ok(_) => RevisionError::NoRepository(folder.to_owned()),
            });
        };
        // What begins with a dash were an option.
        let is_name = !name.is_empty() && !name.starts_with('-') && !name.contains(['\0', '\n']);
        let commit = || {
            ask(
                folder,
                &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")],
            )
        };
        let commit = is_name.then(commit).flatten().filter(|commit| !commit.is_empty());
        let commit = commit.ok_or_else(|| unknown(folder, name))?;
        let tree = format!("{commit}:{}", prefix.trim_end_matches('/'));
        let files = list(folder, &tree, name)?;
        Ok(Self {
            folder: folder.to_owned(),
            commit,
            files,
        })
    }

    /// The texts of the files that are wanted, sorted by path, which is seen from the project.
    pub fn texts(
        &self,
        name: &str,
        is_wanted: impl Fn(&Utf8Path) -> bool,
    ) -> Result<Vec<(Utf8PathBuf, String)>, RevisionError> {
        let wanted: Vec<_> = self.files.iter().filter(|(path, _)| is_wanted(path)).collect();
        let failed = |path: &Utf8Path, why: &str| RevisionError::File {
            path: path.to_owned(),
            name: name.to_owned(),
            why: why.to_owned(),
        };
        if wanted.len() > MOST_FILES {
            let limit = format!("{MOST_FILES} files");
            return Err(RevisionError::TooMuch {
                name: name.to_owned(),
                limit,
            });
        }
        if let Some((path, _)) = wanted.iter().find(|(_, entry)| entry.is_link) {
            return Err(failed(path, "is a link, and links are not followed in a revision"));
        }
        let contents = contents(
            &self.folder,
            name,
            wanted.iter().map(|(_, entry)| entry.object.as_str()),
        )?;
        wanted
            .iter()
            .zip(contents)
            .map(|((path, _), bytes)| {
                let text = String::from_utf8(bytes).map_err(|_| failed(path, "is not UTF-8"))?;
                Ok(((*path).clone(), text))
            })
            .collect()
    }

    /// One file's text; none where it was not there.
    pub fn text(&self, name: &str, path: &Utf8Path) -> Result<Option<String>, RevisionError> {
        let texts = self.texts(name, |other| other == path)?;
        Ok(texts.into_iter().next().map(|(_, text)| text))
    }
}

fn unknown(folder: &Utf8Path, name: &str) -> RevisionError {
    let names = ask(folder, &["for-each-ref", "--count=1000", "--format=%(refname:short)"]).unwrap_or_default();
    RevisionError::Unknown {
        near: nearest(name, names.lines()).map(str::to_owned),
        name: name.to_owned(),
        is_shallow: ask(folder, &["rev-parse", "--is-shallow-repository"]).is_some_and(|answer| answer == "true"),
    }
}

/// The files of a tree, with all that are below it. What is no file (a submodule) or has a name that is no text is left
/// out.
fn list(folder: &Utf8Path, tree: &str, name: &str) -> Result<BTreeMap<Utf8PathBuf, Entry>, RevisionError> {
    let mut child = command(folder)
        .args(["ls-tree", "-r", "-z", "--full-tree", tree])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| RevisionError::NoGit)?;
    let mut listing = Vec::new();
    let output = child.stdout.take().into_iter();
    let read = output
        .map(|output| output.take(MOST_LISTED + 1).read_to_end(&mut listing))
        .sum::<std::io::Result<usize>>();
    if listing.len() as u64 > MOST_LISTED {
        let _ = child.kill();
        let _ = child.wait();
        let limit = format!("{} MiB of file names", MOST_LISTED >> 20);
        return Err(RevisionError::TooMuch {
            name: name.to_owned(),
            limit,
        });
    }
    if read.is_err() || !child.wait().is_ok_and(|status| status.success()) {
        return Err(RevisionError::NoFolder(name.to_owned()));
    }
    let entries = listing.split(|byte| *byte == 0).filter_map(|line| {
        let (head, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
        let mut words = head.split(' ');
        let (mode, kind, object) = (words.next()?, words.next()?, words.next()?);
        let entry = Entry {
            object: object.to_owned(),
            is_link: mode == "120000",
        };
        (kind == "blob").then(|| (Utf8PathBuf::from(path), entry))
    });
    Ok(entries.collect())
}

/// The contents of objects, in their order: one process for all of them.
fn contents<'o>(
    folder: &Utf8Path,
    name: &str,
    objects: impl Iterator<Item = &'o str>,
) -> Result<Vec<Vec<u8>>, RevisionError> {
    let wanted: Vec<_> = objects.collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut child = command(folder)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| RevisionError::NoGit)?;
    let questions = wanted.iter().fold(String::new(), |text, object| text + object + "\n");
    let failed = |why: &str| RevisionError::Failed {
        name: name.to_owned(),
        why: why.to_owned(),
    };
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("it has no input"));
    };
    // Whoever writes all before reading waits for ever once both pipes are full.
    let writer = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let mut output = BufReader::new(output);
    let mut left = MOST_BYTES;
    let read = wanted
        .iter()
        .map(|_| answer(&mut output, &mut left))
        .collect::<Result<Vec<_>, Stopped>>();
    drop(output);
    if read.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    let _ = writer.join();
    read.map_err(|stopped| match stopped {
        Stopped::TooMuch => RevisionError::TooMuch {
            name: name.to_owned(),
            limit: format!("{} MiB of configuration", MOST_BYTES >> 20),
        },
        Stopped::Missing => failed("an object is missing: a shallow or partial clone lacks it"),
        Stopped::Broken => failed("its answer breaks off"),
    })
}

enum Stopped {
    TooMuch,
    Missing,
    Broken,
}

impl From<std::io::Error> for Stopped {
    fn from(_: std::io::Error) -> Self {
        Self::Broken
    }
}

/// `<object> blob <size>`, the content, a line break.
fn answer(output: &mut BufReader<impl Read>, left: &mut u64) -> Result<Vec<u8>, Stopped> {
    let mut head = String::new();
    output.by_ref().take(256).read_line(&mut head)?;
    if head.trim_end().ends_with("missing") {
        return Err(Stopped::Missing);
    }
    let size: u64 = head
        .trim_end()
        .rsplit(' ')
        .next()
        .and_then(|size| size.parse().ok())
        .ok_or(Stopped::Broken)?;
    *left = left.checked_sub(size).ok_or(Stopped::TooMuch)?;
    let mut content = Vec::new();
    output.by_ref().take(size).read_to_end(&mut content)?;
    let mut end = [0];
    output.read_exact(&mut end)?;
    match content.len() as u64 == size && end == *b"\n" {
        true => Ok(content),
        false => Err(Stopped::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "-q", "-b", "main"]);
            repository
        }

        fn folder(&self, below: &str) -> Utf8PathBuf {
            Utf8Path::from_path(self.0.path()).unwrap().join(below)
        }

        fn git(&self, arguments: &[&str]) {
            let mut git = command(&self.folder(""));
            git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
                .args(arguments);
            assert!(git.stdout(Stdio::null()).status().unwrap().success(), "{arguments:?}");
        }

        fn commit(&self, files: &[(&str, &[u8])]) {
            for (path, bytes) in files {
                let path = self.folder(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            self.git(&["add", "-A"]);
            self.git(&["commit", "-q", "-m", "change"]);
        }
    }

    fn xml(path: &Utf8Path) -> bool {
        path.extension() == Some("xml")
    }

    #[test]
    fn the_files_of_a_folder_are_read_as_they_were() {
        let repository = Repository::new();
        repository.commit(&[
            ("iam/a.xml", b"<a>1</a>\n"),
            ("iam/sub dir/\"b\u{e9}.xml", b""),
            ("other.xml", b"x"),
        ]);
        repository.commit(&[("iam/a.xml", b"<a>2</a>"), ("iam/note.md", b"\xff")]);
        let now = Revision::open(&repository.folder("iam"), "HEAD").unwrap();
        let before = Revision::open(&repository.folder("iam"), "main~1").unwrap();
        assert_ne!(now.commit, before.commit);
        let texts = before.texts("main~1", xml).unwrap();
        let told: Vec<_> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(told, [("a.xml", "<a>1</a>\n"), ("sub dir/\"b\u{e9}.xml", "")]);
        assert_eq!(
            now.text("HEAD", Utf8Path::new("a.xml")).unwrap().as_deref(),
            Some("<a>2</a>")
        );
        assert_eq!(now.text("HEAD", Utf8Path::new("none.xml")).unwrap(), None);
        let root = Revision::open(&repository.folder(""), "HEAD").unwrap();
        assert_eq!(root.texts("HEAD", |path| path == "other.xml").unwrap().len(), 1);
    }

    #[test]
    fn what_can_not_be_read_says_why() {
        let repository = Repository::new();
        let folder = repository.folder("");
        let unknown = |name: &str| match Revision::open(&folder, name) {
            Err(RevisionError::Unknown { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(unknown("HEAD"), None);
        repository.commit(&[("a.xml", b"\xff")]);
        std::os::unix::fs::symlink("a.xml", folder.join("b.xml")).unwrap();
        repository.commit(&[]);
        assert_eq!(unknown("mian").as_deref(), Some("main"));
        for name in ["--all", "", "a\0b", "HEAD..HEAD", "HEAD:a.xml"] {
            unknown(name);
        }
        let head = Revision::open(&folder, "HEAD").unwrap();
        let why = |wanted: &str| head.texts("HEAD", |path| path == wanted).unwrap_err().to_string();
        assert_eq!(why("a.xml"), "`a.xml` at `HEAD` is not UTF-8");
        assert_eq!(
            why("b.xml"),
            "`b.xml` at `HEAD` is a link, and links are not followed in a revision"
        );
        std::fs::create_dir(folder.join("later")).unwrap();
        let none = Revision::open(&folder.join("later"), "HEAD").unwrap_err();
        assert_eq!(none, RevisionError::NoFolder("HEAD".to_owned()));
        let outside = tempfile::tempdir().unwrap();
        let outside = Utf8Path::from_path(outside.path()).unwrap();
        assert!(matches!(
            Revision::open(outside, "HEAD"),
            Err(RevisionError::NoRepository(_))
        ));
    }

    #[test]
    fn an_answer_that_breaks_off_or_says_too_much_is_refused() {
        let read = |text: &str, mut left: u64| answer(&mut BufReader::new(text.as_bytes()), &mut left);
        assert_eq!(read("0a blob 2\nab\n", 2).ok(), Some(b"ab".to_vec()));
        assert!(matches!(read("0a blob 3\nabc\n", 2), Err(Stopped::TooMuch)));
        assert!(matches!(read("0a missing\n", 2), Err(Stopped::Missing)));
        for text in ["", "0a blob 2\nab", "0a blob 2\na", "0a blob x\nab\n"] {
            assert!(matches!(read(text, 9), Err(Stopped::Broken)), "{text}");
        }
    }
}
