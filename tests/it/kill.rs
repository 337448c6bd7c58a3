//! SIGKILL at any moment: a tag is the old digest or the new one, and the same command again finishes.

use std::time::{Duration, Instant};

use crate::support::project::{Project, kill_after};

/// Every reference is whole, and every verb that reads can.
fn is_whole(project: &Project) {
    if !project.path(".iamship/store/index.json").exists() {
        return;
    }
    assert_eq!(project.store().flaws(), Vec::<String>::new());
    project.run("status").expect_code(0);
    for stage in ["dev", "staging"] {
        let history = project.run(&format!("history {stage}"));
        history.expect_code(0);
        assert!(!history.stderr.contains("warning: "), "{}", history.stderr);
        if project.store().tag(stage).is_some() {
            assert_eq!(
                project.stage(stage)["digest"],
                project.store().tag(stage).expect("a tag")
            );
            assert!(!project.stage(stage)["version"].is_null(), "its records can be read");
        }
    }
}

/// So many moments over the time that the command takes here, and a little more.
fn moments(whole: Duration) -> impl Iterator<Item = Duration> {
    const MOMENTS: u32 = 15;
    (0..MOMENTS).map(move |number| whole.mul_f64(0.3 + 0.8 * f64::from(number) / f64::from(MOMENTS)))
}

fn time(project: &Project, arguments: &str) -> Duration {
    let began = Instant::now();
    project.run(arguments).expect_code(0);
    began.elapsed()
}

#[test]
fn a_build_that_was_killed_is_finished_by_the_next() {
    let project = Project::new();
    let whole = time(&project, "build");
    let mut killed = 0;
    for (number, delay) in moments(whole).enumerate() {
        let before = project.store().tag("dev");
        project.change_configuration(&format!("moment {number}"));
        killed += u32::from(kill_after(project.command(&["build"]), delay));
        let now = project.store().tag("dev");
        is_whole(&project);
        let built = project.build();
        assert!(
            now == before || now.as_ref() == Some(&built),
            "{now:?} is neither old nor new"
        );
        assert_eq!(project.store().tag("dev"), Some(built));
        assert_eq!(project.stage("dev")["recorded"], true);
        project.json("verify dev", 0);
    }
    assert!(killed > 0, "no moment was early enough");
}

#[test]
fn a_first_build_that_was_killed_is_finished_too() {
    let whole = time(&Project::new(), "build");
    for delay in moments(whole).step_by(3) {
        let project = Project::new();
        kill_after(project.command(&["build"]), delay);
        is_whole(&project);
        let built = project.build();
        assert_eq!(project.store().tag("dev"), Some(built));
        project.json("verify dev", 0);
    }
}

#[test]
fn a_promotion_that_was_killed_is_finished_by_the_next() {
    let project = Project::new();
    project.build();
    project.test("dev");
    let whole = time(&project, "promote dev staging");
    let mut killed = 0;
    for (number, delay) in moments(whole).enumerate() {
        let before = project.store().tag("staging");
        project.change_configuration(&format!("moment {number}"));
        let built = project.build();
        project.test("dev");
        killed += u32::from(kill_after(project.command(&["promote", "dev", "staging"]), delay));
        let now = project.store().tag("staging");
        assert!(
            now == before || now.as_ref() == Some(&built),
            "{now:?} is neither old nor new"
        );
        is_whole(&project);
        project.json("promote dev staging", 0);
        assert_eq!(project.store().tag("staging"), Some(built));
        let row = project.stage("staging");
        assert_eq!(row["recorded"], true, "{row}");
        assert_eq!(row["raced"], false, "{row}");
        // One move, one record: the second run takes up what the first wrote.
        let entries = project.json("history staging --limit 100", 0)["entries"].clone();
        assert_eq!(entries.as_array().map(Vec::len), Some(number + 2), "{entries:#}");
        project.json("verify staging", 0);
    }
    assert!(killed > 0, "no moment was early enough");
}
