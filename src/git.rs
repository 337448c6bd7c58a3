//! The git program: what a build was made from, and what the project was at a revision.
//!
//! git is called, not linked: the user's own configuration, worktrees and safe directories count.

mod revision;

use std::process::{Command, Stdio};

use camino::Utf8Path;

pub use revision::{Revision, RevisionError};

/// What git knows of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit that is checked out: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// Whether files below the folder differ from the commit; files that git ignores do not count.
    pub dirty: bool,
    /// Where `origin` is, without user name and password.
    pub origin: Option<String>,
    /// The commit's author: `Ada <ada@example.com>`.
    pub author: Option<String>,
}

/// What git knows of a folder; `None` outside a checkout, before the first commit, and without git.
pub fn checkout(folder: &Utf8Path) -> Option<Checkout> {
    let mut head = ask(folder, &["log", "-1", "--format=%H%n%an <%ae>"])?;
    let author = head.split_off(head.find('\n')?).trim().to_owned();
    Some(Checkout {
        commit: head,
        dirty: ask(
            folder,
            &["status", "--porcelain", "--untracked-files=normal", "--", "."],
        )
        .is_none_or(|changes| !changes.is_empty()),
        origin: ask(folder, &["config", "--get", "remote.origin.url"]).map(|url| without_credentials(&url)),
        author: Some(author).filter(|author| !author.is_empty()),
    })
}

fn ask(folder: &Utf8Path, arguments: &[&str]) -> Option<String> {
    let output = command(folder).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// The git program, seen from a folder; nothing on its input.
fn command(folder: &Utf8Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    command
        // A status must neither wait for another git nor take its lock.
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What a partial clone lacks is not fetched on the quiet.
        .env("GIT_NO_LAZY_FETCH", "1")
        .stdin(Stdio::null());
    command
}

/// A remote's address may carry a token; a signed statement must not.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit('@').next().unwrap_or(host);
            format!("{scheme}://{host}/{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_address_is_left_out() {
        assert_eq!(
            without_credentials("https://ada:ghp_secret@git.example.com/iam/idsvr.git"),
            "https://git.example.com/iam/idsvr.git"
        );
        assert_eq!(
            without_credentials("git@git.example.com:iam.git"),
            "git@git.example.com:iam.git"
        );
    }

    #[test]
    fn outside_a_checkout_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(checkout(Utf8Path::from_path(folder.path()).unwrap()), None);
    }
}
