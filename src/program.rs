//! Programs of the project's own: started without a shell, in a process group that ends with them.

use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::{Child, Command};

use crate::project::CommandLine;

/// Variables that no program of a project has a use for: who has them can sign, or push.
pub const WITHHELD: [&str; 4] = [
    "IAMSHIP_KEY_PASSWORD",
    "COSIGN_PASSWORD",
    "IAMSHIP_FINGERPRINT_KEY",
    "IAMSHIP_REGISTRY_PASSWORD",
];

/// A program of the project in `root`, ready to start there: nothing on its input, both outputs piped, this process's
/// environment without what is [`WITHHELD`].
///
/// A name without a slash is looked up in `PATH`, one with a slash is seen from the project.
pub fn command(root: &Utf8Path, line: &CommandLine) -> Command {
    let path = match line.program.contains('/') {
        // Else it were looked for from the folder that it will be started in, which is not ours.
        true => absolute(root).join(&line.program),
        false => Utf8PathBuf::from(&line.program),
    };
    let mut command = Command::new(path);
    command
        .args(&line.arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    for name in WITHHELD {
        command.env_remove(name);
    }
    command
}

fn absolute(root: &Utf8Path) -> Utf8PathBuf {
    camino::absolute_utf8(root).unwrap_or_else(|_| root.to_owned())
}

/// A program and whatever it started: all of it goes with the value, also what outlives the program itself.
pub struct Group {
    /// The program.
    pub child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    /// The group of a program that [`command`] made and that was started just now.
    pub fn of(child: Child) -> Self {
        Self {
            // Asked for now: who has been waited for has no id.
            #[cfg(unix)]
            id: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
            child,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.id {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandLine {
        CommandLine::of(["sh", "-c", script].map(str::to_owned).into()).expect("a program")
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_ends_with_it() {
        use tokio::io::AsyncReadExt as _;
        let line = shell("sleep 600 >/dev/null 2>&1 & echo $!");
        let mut group = Group::of(command(Utf8Path::new("."), &line).spawn().expect("runs"));
        let mut told = String::new();
        let mut output = group.child.stdout.take().expect("piped");
        output.read_to_string(&mut told).await.expect("text");
        assert!(group.child.wait().await.expect("ends").success());
        // Alive, and not only a name that nobody has taken away yet.
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", told.trim()));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        assert!(is_alive());
        drop(group);
        for _ in 0..200 {
            if !is_alive() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("it lives on");
    }

    #[test]
    fn programs_of_the_project_are_found_from_anywhere_and_learn_no_key() {
        let prepared = command(
            Utf8Path::new("shop"),
            &CommandLine::of(vec!["./a b".to_owned()]).expect("a program"),
        );
        let prepared = prepared.as_std();
        let program = std::path::Path::new(prepared.get_program());
        assert!(program.is_absolute() && program.ends_with("shop/a b"), "{program:?}");
        for name in WITHHELD {
            assert!(
                prepared
                    .get_envs()
                    .any(|(given, value)| given == name && value.is_none()),
                "{name}"
            );
        }
    }
}
