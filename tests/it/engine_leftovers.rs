//! Nothing stays behind, and nothing that is others' is touched: against a real engine.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use iamship::engine::{ContainerId, Engine, EngineError, Phase};
use iamship::image::Digest;

use crate::support::engine::{Shelf, engine, shell};

#[tokio::test]
async fn what_is_kept_and_what_is_others_stays() {
    let Some(engine) = engine().await else { return };
    let other = crate::support::engine::engine().await.expect("the same engine");
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let mut spec = shell(image, "exec sleep 600");
    let theirs = other.create(&spec).await.expect("made");
    let label = format!("{}-{}", std::process::id(), Digest::of(theirs.0.as_bytes()).short());
    spec.is_kept = true;
    spec.labels = [("dev.iamship.stage".to_owned(), label.clone())].into();
    let kept = engine.create(&spec).await.expect("made");
    engine.start(&kept).await.expect("started");
    engine
        .rename(&kept, &format!("iamship-test-{label}"))
        .await
        .expect("renamed");
    assert_eq!(engine.clean_up().await.expect("clean"), 0, "it has nothing of its own");
    engine.sweep().await.expect("swept");

    let found = engine.find(&[("dev.iamship.stage", &label)]).await.expect("found");
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.id.clone(), one.image, one.is_running), (kept.clone(), image, true));
    assert_eq!(one.name, format!("iamship-test-{label}"));
    assert_eq!(engine.state(&theirs).await.expect("there").phase, Phase::Created);

    engine.stop(&kept, Duration::ZERO).await.expect("stopped");
    engine.stop(&kept, Duration::ZERO).await.expect("stopped is stopped");
    let state = engine.state(&kept).await.expect("there");
    assert!(
        matches!(
            state.phase,
            Phase::Exited {
                code: 137,
                out_of_memory: false
            }
        ),
        "{state:?}"
    );
    engine.remove(&kept).await.expect("removed");
    assert_eq!(other.clean_up().await.expect("clean"), 1);
}

#[tokio::test]
async fn what_was_being_made_when_it_was_interrupted_is_removed() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let spec = shell(image, "true");
    tokio::select! {
        biased;
        _ = engine.create(&spec) => panic!("a request takes longer"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(engine.clean_up().await.expect("clean"), 1);
    assert_eq!(engine.clean_up().await.expect("clean"), 0);
}

const VICTIM: &str = "IAMSHIP_TEST_VICTIM";

/// Runs in a process of its own, which is killed.
#[tokio::test]
async fn victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let engine = engine().await.expect("an engine");
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let mut spec = shell(image, "exec sleep 600");
    let network = engine.create_network().await.expect("a network");
    spec.network = Some(network.clone());
    let id = engine.create(&spec).await.expect("made");
    engine.start(&id).await.expect("started");
    println!("\nvictim {} {}", id.0, network.0);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_next_run_removes_what_a_killed_one_left() {
    let Some(engine) = engine().await else { return };
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "engine_leftovers::victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let output = BufReader::new(victim.stdout.take().expect("piped"));
    let mut lines = output.lines().map(|line| line.expect("text"));
    let line = lines
        .find(|line| line.starts_with("victim "))
        .expect("it says what it made");
    let mut words = line.split(' ').skip(1).map(str::to_owned);
    let id = ContainerId(words.next().expect("a container"));
    engine.sweep().await.expect("swept");
    assert_eq!(engine.state(&id).await.expect("it lives").phase, Phase::Running);
    victim.kill().expect("killed");
    victim.wait().expect("reaped");
    engine.sweep().await.expect("swept");
    let error = engine.state(&id).await.expect_err("gone");
    assert!(matches!(error, EngineError::Refused { status: 404, .. }), "{error}");
}
