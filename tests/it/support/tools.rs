//! Programs of others that tests ask; a test says when it does not run because one is missing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// Where a program is; `None`, said aloud, where it is not. In a pipeline that is a failure.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let mut folders = std::env::split_paths(&path).chain([own]);
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    if found.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{name} is not available: run ci/tools.sh"
        );
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "not run: {name} is not available: run ci/tools.sh");
    }
    found
}

/// Runs a command that must end well; what it wrote.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}
