//! `iamship completions` and `iamship man`.

use crate::support::project::Project;

#[test]
fn every_shell_gets_its_completions() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = project.run(&format!("completions {shell}"));
        run.expect_code(0);
        for verb in ["promote", "rollback", "verify", "expect-current"] {
            assert!(run.stdout.contains(verb), "{shell} lacks {verb}");
        }
    }
    project.run("completions tcsh").expect_code(2);
}

#[test]
fn there_is_a_page_a_verb() {
    let project = Project::empty();
    project.run("man --out pages").expect_code(0);
    for page in ["iamship.1", "iamship-promote.1", "iamship-attest-tested.1"] {
        assert!(project.path("pages").join(page).is_file(), "{page}");
    }
}
