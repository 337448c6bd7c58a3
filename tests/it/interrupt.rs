//! Ctrl-C, and the SIGTERM of a pipeline that is cancelled: what was made in the engine is removed, then it ends.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::fake_engine::{Answer, FakeEngine, VERSION};
use crate::support::project::Project;

const LIST: &str = "GET /containers/json";

/// A project whose first stage is tested in an engine, with something to test.
fn project() -> Project {
    let project = Project::new();
    let secrets = "secrets = [\"file:secrets/dev.env\"]";
    let test = "test = { kind = \"engine\", suite = \"boot\" }";
    project.edit("iamship.toml", secrets, &format!("{test}\n{secrets}"));
    project.build();
    project
}

/// Something to be removed, and an engine that never says whether it has the image.
fn engine(list: impl Fn(usize) -> Answer + Send + Sync + 'static) -> FakeEngine {
    let lists = std::sync::atomic::AtomicUsize::new(0);
    FakeEngine::new(move |request| match request {
        "GET /version" => Answer::ok(VERSION),
        LIST => list(lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        "GET /networks" => Answer::ok(r#"[{"Id":"nn"}]"#),
        asked if asked.starts_with("DELETE") => Answer::Json(204, String::new()),
        _ => Answer::Silence,
    })
}

fn start(project: &mut Project, engine: &FakeEngine) -> Child {
    project.set("DOCKER_HOST", &format!("unix://{}", engine.socket().display()));
    let mut command = project.command(&["test", "dev"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

/// Waits until so many requests begin so.
async fn heard(engine: &FakeEngine, what: &str, times: usize) {
    let began = Instant::now();
    loop {
        let asked = engine.asked();
        if asked
            .iter()
            .filter(|asked| asked.replace("/v1.41", "").starts_with(what))
            .count()
            >= times
        {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "only {asked:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

async fn end(child: Child) -> Output {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
    ended.expect("waited").expect("it ends")
}

fn deleted(engine: &FakeEngine) -> Vec<String> {
    let asked = engine.asked().into_iter();
    asked.filter(|asked| asked.starts_with("DELETE")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_is_removed() {
    for signal in ["-INT", "-TERM"] {
        let engine = engine(|_| Answer::ok(r#"[{"Id":"aa"}]"#));
        let mut project = tokio::task::spawn_blocking(project).await.expect("a project");
        let child = start(&mut project, &engine);
        heard(&engine, "GET /images/", 1).await;
        assert_eq!(deleted(&engine), Vec::<String>::new());
        send(signal, &child);
        let output = end(child).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        let wanted = [
            "DELETE /v1.41/containers/aa?v=true&force=true&link=false",
            "DELETE /v1.41/networks/nn",
        ];
        assert_eq!(deleted(&engine), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_interrupts_twice_does_not_wait() {
    let engine = engine(|times| match times {
        0 => Answer::ok("[]"),
        _ => Answer::Silence,
    });
    let mut project = tokio::task::spawn_blocking(project).await.expect("a project");
    let child = start(&mut project, &engine);
    heard(&engine, "GET /images/", 1).await;
    send("-INT", &child);
    heard(&engine, LIST, 2).await;
    send("-INT", &child);
    let output = end(child).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("the next run removes it"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_away_is_the_world_s_fault_and_nothing_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = tokio::task::spawn_blocking(move || {
        let mut project = project();
        project.set("DOCKER_HOST", &format!("unix://{}/socket", folder.path().display()));
        let before = project.store().flaws();
        let run = project.run("test dev");
        assert_eq!(project.store().flaws(), before);
        assert!(project.stage("dev")["tested"].is_null(), "{}", project.stage("dev"));
        run
    });
    let run = run.await.expect("ran");
    run.expect_code(3);
    assert!(run.stderr.contains("its socket is not there"), "{}", run.stderr);
    assert!(run.stderr.contains("DOCKER_HOST"), "{}", run.stderr);
}
