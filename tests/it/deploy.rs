//! `deploy` against an engine that fails at each call, and against a real one.

use std::process::Command;
use std::time::Duration;

use iamship::engine::LocalImage;
use iamship::image::Digest;
use iamship::ops::deploy::{self, Act, Done, Planned, Switching};

use super::support::base::Dialect;
use super::support::ports;
use super::support::project::{Project, key_pair, text};
use super::support::shop::{PASSWORD, Ran};
use super::support::simulated_engine::{Container, SimulatedEngine, Trouble, World};
use super::support::tools::output;
use super::support::yard::{Yard, environment, inspect};

const NAME: &str = "idsvr-dev";

/// A built project of the generic server, and an engine that has its image.
struct Case<'p> {
    project: &'p Project,
    engine: SimulatedEngine,
}

impl<'p> Case<'p> {
    /// An empty engine, and the stage's runtime port at a fixed address, or at any.
    async fn new(project: &'p Project, fixed: bool) -> Self {
        let digest = project.store().tag("dev").expect("built");
        let engine = SimulatedEngine::new(vec![image(project, &digest)]).await;
        let run = format!("[stage.run]\nports = {{ runtime = \"{}\" }}\n", engine.well);
        project.write(
            "iamship.toml",
            &format!("{PROJECT}{}", if fixed { run.as_str() } else { "" }),
        );
        project.write("env/dev.env", "BEHAVIOUR=WELL\n");
        project.write("secrets/dev.env", "DB_PASSWORD=hunter2-first\n");
        Self { project, engine }
    }

    fn world(&self) -> World {
        World::open(self.project.root(), &self.engine)
    }

    /// Changes a value: the next deploy replaces what runs.
    fn change(&self, value: &str) {
        self.project.write("secrets/dev.env", &format!("DB_PASSWORD={value}\n"));
    }

    /// Only the healthy one runs, under its name; nothing else is there. Its secret.
    #[track_caller]
    fn running(&self, why: &str) -> String {
        let containers = self.engine.containers();
        let kept: Vec<_> = containers.iter().filter(|container| container.spec.is_kept).collect();
        let [one] = kept.as_slice() else {
            panic!("{why}: {:?}", kept.iter().map(|one| &one.name).collect::<Vec<_>>())
        };
        assert_eq!((one.name.as_str(), one.is_running), (NAME, true), "{why}");
        secret(one)
    }
}

impl Case<'_> {
    /// Only the first one is there, and does not run.
    #[track_caller]
    fn is_stopped(&self, why: &str) {
        let containers = self.engine.containers();
        let seen: Vec<_> = containers
            .iter()
            .map(|one| (one.name.as_str(), secret(one), one.is_running))
            .collect();
        assert_eq!(seen, [(NAME, "hunter2-first".to_owned(), false)], "{why}");
    }
}

fn secret(container: &Container) -> String {
    use secrecy::ExposeSecret as _;
    container.spec.environment["DB_PASSWORD"].expose_secret().to_owned()
}

const PROJECT: &str = "[project]
name = \"idsvr\"
server = \"own\"
[image]
base = \"oci:base#1.0\"
[config]
files = [\"config/server.yaml\"]
[signing]
key = \"env:KEY\"
trusted = [\"keys/test.pub\"]
[[stage]]
name = \"dev\"
values = [\"env/dev.env\"]
secrets = [\"file:secrets/dev.env\"]
test = { timeout = \"1s\" }
";

fn project() -> Project {
    let mut project = Project::empty();
    project.bases().image("1.0", Dialect::Oci, "base");
    let (private, public) = key_pair();
    project.write("keys/test.pub", &public);
    project.set("KEY", &private);
    project.write("iamship.toml", PROJECT);
    let profile = iamship::profile::built_in_text("generic").expect("a profile");
    let profile = profile.replace("name = \"generic\"", "name = \"own\"");
    project.write(
        "servers/own.toml",
        &format!("{profile}\n[health]\nport = 8080\npath = \"/\"\nstatus = 200\n"),
    );
    project.write(
        "config/server.yaml",
        "password: ${DB_PASSWORD}\nbehaviour: ${BEHAVIOUR}\n",
    );
    project.write("env/dev.env", "BEHAVIOUR=WELL\n");
    project.write("secrets/dev.env", "DB_PASSWORD=hunter2-first\n");
    project.build();
    project
}

/// Runs a test of a project: what builds it blocks, and so is done before.
fn with_project(test: impl AsyncFnOnce(&Project)) {
    let project = project();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test(&project));
}

/// The image as an engine tells it.
fn image(project: &Project, digest: &str) -> LocalImage {
    let manifest = project.store().json(digest);
    let id = text(&manifest["config"]["digest"]);
    let config = project.store().json(&id);
    let layers = config["rootfs"]["diff_ids"].as_array().expect("layers");
    LocalImage {
        id: id.parse().expect("a digest"),
        layers: layers
            .iter()
            .map(|layer| text(layer).parse::<Digest>().expect("a digest"))
            .collect(),
    }
}

/// Plans and applies, as the command line does.
async fn deploy(world: &World, switching: &Switching) -> Result<Done, String> {
    let context = world.context();
    let planned = deploy::plan(&context, "dev").await.map_err(|error| error.to_string())?;
    let Planned::Plan(plan) = planned else { panic!("held") };
    deploy::apply(&context, &plan, switching)
        .await
        .map_err(|error| format!("{error:?}"))
}

async fn deployed(case: &Case<'_>) -> bool {
    match deploy(&case.world(), &Switching::default()).await.expect("done") {
        Done::Running { changed, addresses, .. } => {
            assert_eq!(addresses[0].address, case.engine.well);
            changed
        }
        failed @ Done::Failed { .. } => panic!("{failed:?}"),
    }
}

#[test]
fn what_runs_already_is_left_alone_and_a_changed_secret_replaces_it() {
    with_project(async |project| {
        for fixed in [false, true] {
            let case = Case::new(project, fixed).await;
            assert!(deployed(&case).await);
            assert_eq!(case.running("first"), "hunter2-first");
            let id = case.engine.containers()[0].id.clone();
            assert!(!deployed(&case).await);
            assert_eq!(case.engine.containers()[0].id, id);
            case.change("hunter2-second");
            assert!(deployed(&case).await);
            assert_eq!(case.running("second"), "hunter2-second");
            let labels = format!("{:?}", case.engine.containers()[0].spec.labels);
            assert!(!labels.contains("hunter2"), "{labels}");
        }
    });
}

#[test]
fn a_plan_says_what_would_be_done() {
    with_project(async |project| {
        for (fixed, second) in [(false, Act::Replace), (true, Act::Exchange)] {
            let case = Case::new(project, fixed).await;
            let act = || async {
                let world = case.world();
                match deploy::plan(&world.context(), "dev").await.expect("a plan") {
                    Planned::Plan(plan) => plan.act(),
                    Planned::Held(held) => panic!("{held:?}"),
                }
            };
            assert_eq!(act().await, Act::Start);
            deployed(&case).await;
            assert_eq!(act().await, Act::Nothing);
            case.change("hunter2-second");
            assert_eq!(act().await, second);
        }
    });
}

#[test]
fn one_that_does_not_come_up_leaves_the_old_one_running() {
    with_project(async |project| {
        for fixed in [false, true] {
            for (behaviour, said) in [("SICK", "not healthy within"), ("ENDS", "exit code 3")] {
                let case = Case::new(project, fixed).await;
                deployed(&case).await;
                case.project.write("env/dev.env", &format!("BEHAVIOUR={behaviour}\n"));
                let done = deploy(&case.world(), &Switching::default()).await.expect("done");
                let Done::Failed { checks, kept, tails } = done else {
                    panic!("{done:?}")
                };
                assert_eq!(kept.as_deref(), Some(NAME));
                assert!(
                    checks[0].detail.as_deref().is_some_and(|detail| detail.contains(said)),
                    "{checks:?}"
                );
                assert_eq!(tails[0].lines, ["what it said"]);
                assert_eq!(case.running(behaviour), "hunter2-first");
            }
        }
    });
}

#[test]
fn ports_that_only_tests_ask_are_not_waited_for() {
    with_project(async |project| {
        for fixed in [false, true] {
            let case = Case::new(project, fixed).await;
            let probe =
                "kind = \"engine\", suite = \"boot\", probe = [{ name = \"metrics\", port = 9100, path = \"/\" }]";
            project.edit(
                "iamship.toml",
                "{ timeout = \"1s\" }",
                &format!("{{ timeout = \"1s\", {probe} }}"),
            );
            assert!(deployed(&case).await);
            assert!(!deployed(&case).await);
            case.change("hunter2-second");
            assert!(deployed(&case).await);
            assert_eq!(case.running("a probe elsewhere"), "hunter2-second");
            let containers = case.engine.containers();
            let ports: Vec<_> = containers[0].spec.ports.keys().copied().collect();
            assert_eq!(ports, [8080]);
        }
    });
}

#[test]
fn one_that_somebody_stopped_is_not_started_by_a_deploy_that_fails() {
    with_project(async |project| {
        for fixed in [false, true] {
            for behaviour in ["SICK", "ENDS"] {
                let case = stopped(project, fixed).await;
                project.write("env/dev.env", &format!("BEHAVIOUR={behaviour}\n"));
                let done = deploy(&case.world(), &Switching::default()).await.expect("done");
                assert!(matches!(done, Done::Failed { kept: None, .. }), "{done:?}");
                case.is_stopped(behaviour);
            }
        }
    });
}

#[test]
fn trouble_at_any_call_does_not_start_one_that_somebody_stopped() {
    with_project(async |project| {
        for trouble in [Trouble::Refuses, Trouble::BreaksOff, Trouble::Hangs] {
            for number in 0.. {
                let case = stopped(project, true).await;
                case.change("hunter2-second");
                case.engine.trouble(number, trouble);
                let (switching, world) = (Switching::default(), case.world());
                let ended = tokio::select! {
                    ended = deploy(&world, &switching) => Some(ended),
                    () = case.engine.hangs() => None,
                };
                if ended.is_none() {
                    switching.put_back().await.expect("put back");
                }
                case.engine.recover();
                let containers = case.engine.containers();
                let new = |container: &&Container| secret(container) == "hunter2-second";
                match containers.iter().find(new) {
                    Some(new) => assert!(new.is_running, "{trouble:?} at {number}"),
                    None => case.is_stopped(&format!("{trouble:?} at {number}")),
                }
                if case.engine.calls().len() <= number {
                    break;
                }
            }
        }
    });
}

/// A deployed one that somebody stopped.
async fn stopped<'p>(project: &'p Project, fixed: bool) -> Case<'p> {
    use iamship::engine::Engine as _;
    let case = Case::new(project, fixed).await;
    deployed(&case).await;
    let id = case.engine.containers()[0].id.clone();
    case.engine.stop(&id, Duration::ZERO).await.expect("stopped");
    case
}

#[test]
fn the_first_one_that_does_not_come_up_leaves_nothing() {
    with_project(async |project| {
        let case = Case::new(project, true).await;
        case.project.write("env/dev.env", "BEHAVIOUR=SICK\n");
        let done = deploy(&case.world(), &Switching::default()).await.expect("done");
        assert!(matches!(done, Done::Failed { kept: None, .. }), "{done:?}");
        assert_eq!(case.engine.containers().len(), 0);
    });
}

/// Deploys over a running container, with trouble at each call in turn.
async fn at_each_call(project: &Project, fixed: bool, trouble: Trouble) {
    let mut number = 0;
    loop {
        let case = Case::new(project, fixed).await;
        deployed(&case).await;
        case.change("hunter2-second");
        case.engine.trouble(number, trouble);
        let switching = Switching::default();
        let world = case.world();
        let ended = tokio::select! {
            ended = deploy(&world, &switching) => Some(ended),
            () = case.engine.hangs() => None,
        };
        let calls = case.engine.calls();
        if calls.len() <= number {
            ended.expect("no call hung").expect("no call was in trouble");
            break;
        }
        let why = format!("{trouble:?} at call {number}, `{}` of {calls:?}", calls[number]);
        match (trouble, ended) {
            (Trouble::Hangs, None) => {
                // What the command line does on Ctrl-C: the engine is well, nobody waits any more.
                let said = tokio::time::timeout(Duration::from_secs(5), switching.put_back()).await;
                said.expect(&why).expect(&why);
                case.engine.recover();
            }
            (Trouble::Dies, Some(ended)) => {
                match ended {
                    Err(error) => assert!(!error.contains("hunter2"), "{error}"),
                    // Only what keeps others out was still to go.
                    Ok(_) => assert_eq!(number + 1, calls.len(), "{why}"),
                }
                // The engine comes back; then the same command again.
                case.engine.recover();
                deployed(&case).await;
                assert_eq!(case.running(&why), "hunter2-second");
                number += 1;
                continue;
            }
            (_, Some(ended)) => {
                // Where it failed the old one runs; trouble at the very end may be told as a success.
                let failed = ended.is_err();
                case.engine.recover();
                let secret = case.running(&why);
                assert!(failed || secret == "hunter2-second", "{why}: {ended:?}");
            }
            (_, None) => panic!("{why}"),
        }
        case.running(&why);
        // Nothing stands in the way of the next one.
        deployed(&case).await;
        assert_eq!(case.running(&why), "hunter2-second");
        number += 1;
    }
    assert!(number > 8, "only {number} calls");
}

#[test]
fn a_refusal_at_any_call_leaves_one_of_the_two_running() {
    with_project(async |project| {
        at_each_call(project, false, Trouble::Refuses).await;
        at_each_call(project, true, Trouble::Refuses).await;
    });
}

#[test]
fn a_call_that_breaks_off_leaves_one_of_the_two_running() {
    with_project(async |project| {
        at_each_call(project, false, Trouble::BreaksOff).await;
        at_each_call(project, true, Trouble::BreaksOff).await;
    });
}

#[test]
fn an_engine_that_dies_at_any_call_is_mended_by_the_same_command() {
    with_project(async |project| {
        at_each_call(project, false, Trouble::Dies).await;
        at_each_call(project, true, Trouble::Dies).await;
    });
}

#[test]
fn an_interrupt_at_any_call_puts_the_old_one_back() {
    with_project(async |project| {
        at_each_call(project, false, Trouble::Hangs).await;
        at_each_call(project, true, Trouble::Hangs).await;
    });
}

#[test]
fn of_two_at_once_the_second_is_told() {
    with_project(async |project| {
        let case = Case::new(project, true).await;
        let (one, other) = (case.world(), case.world());
        let (first, second) = (Switching::default(), Switching::default());
        // The first one is held where it keeps others out.
        case.engine.trouble(6, Trouble::Hangs);
        tokio::select! {
            ended = deploy(&one, &first) => panic!("{ended:?}"),
            () = case.engine.hangs() => {}
        }
        let error = deploy(&other, &second).await.expect_err("told");
        assert!(error.contains("another deploy of `dev` goes on"), "{error}");
        assert!(error.contains("docker rm --force idsvr-dev-next"), "{error}");
        first.put_back().await.expect("put back");
        case.engine.recover();
        deployed(&case).await;
        case.running("two at once");
    });
}

#[test]
fn a_port_that_is_taken_is_told_and_the_old_one_runs() {
    with_project(async |project| {
        let case = Case::new(project, true).await;
        deployed(&case).await;
        // Somebody else has the address of the next configuration.
        let mut foreign = case.engine.containers()[0].spec.clone();
        foreign.name = Some("squatter".to_owned());
        foreign.labels.clear();
        let taken: std::net::SocketAddr = "127.0.0.1:9".parse().expect("an address");
        foreign.ports = [(8080, taken)].into();
        use iamship::engine::Engine as _;
        let id = case.engine.create(&foreign).await.expect("made");
        case.engine.start(&id).await.expect("started");
        case.project
            .edit("iamship.toml", &case.engine.well.to_string(), "127.0.0.1:9");
        let error = deploy(&case.world(), &Switching::default()).await.expect_err("taken");
        assert!(error.contains("the address `127.0.0.1:9` is taken"), "{error}");
        case.engine.remove(&id).await.expect("removed");
        assert_eq!(case.running("taken"), "hunter2-first");
    });
}

#[test]
fn a_container_of_somebody_else_is_not_touched() {
    with_project(async |project| {
        let case = Case::new(project, false).await;
        case.engine.add_foreign(NAME);
        let error = deploy(&case.world(), &Switching::default()).await.expect_err("foreign");
        assert!(error.contains("that `iamship deploy dev` did not make"), "{error}");
        assert_eq!(case.engine.containers().len(), 1);
        assert_eq!(case.world().heard(), "");
    });
}

#[test]
fn an_engine_elsewhere_is_not_asked() {
    let mut project = project();
    project.edit(
        "iamship.toml",
        "{ timeout = \"1s\" }",
        "{ kind = \"engine\", suite = \"boot\", timeout = \"1s\" }",
    );
    for host in ["tcp://192.0.2.1:2375", "tcp://engine.invalid:2375"] {
        project.set("DOCKER_HOST", host);
        for words in ["test dev", "deploy dev", "deploy dev --dry-run"] {
            let run = project.run(words);
            run.expect_code(3);
            let said = format!("the engine at `{host}` can't be used: it is not on this machine");
            assert!(run.stderr.contains(&said), "{}", run.stderr);
        }
    }
}

#[test]
fn a_real_engine_runs_what_the_stage_runs() {
    let Some(yard) = Yard::new("deploy", "[stage.test]\ntimeout = \"20s\"\n") else {
        return;
    };
    yard.shop.done("build");
    let name = format!("{}-dev", yard.name);
    let running = || vec![(name.clone(), true)];
    let plan = yard.shop.done("deploy dev --dry-run").stdout;
    assert!(plan.starts_with("would start sha256:"), "{plan}");
    assert_eq!(yard.containers(), []);

    let first = yard.shop.answer("deploy dev");
    let id = text(&first["container"]);
    assert_eq!(
        (&first["changed"], &first["addresses"][0]["name"]),
        (&true.into(), &"runtime".into())
    );
    assert_eq!(environment(&id)["DB_PASSWORD"], PASSWORD);
    assert_eq!(yard.containers(), running());
    let host = inspect(&id)["HostConfig"].clone();
    assert_eq!(
        (&host["ReadonlyRootfs"], &host["CapDrop"][0]),
        (&true.into(), &"ALL".into())
    );

    let again = yard.shop.answer("deploy dev");
    assert_eq!(
        (&again["changed"], text(&again["container"])),
        (&false.into(), id.clone())
    );

    // A fixed address, twice: the second time the old one has it.
    let address = ports::listener().local_addr().expect("an address").to_string();
    let run = format!("[stage.run]\nports = {{ runtime = \"{address}\" }}\n\n[stage.test]");
    yard.edit("iamship.toml", "[stage.test]", &run);
    let fixed = yard.shop.answer("deploy dev");
    assert_eq!(text(&fixed["addresses"][0]["address"]), address);
    yard.shop.write("secrets/dev.env", "DB_PASSWORD=hunter2-second\n");
    let plan = yard.shop.answer("deploy dev --dry-run");
    assert_eq!(plan["act"], "exchange");
    let second = yard.shop.answer("deploy dev");
    assert_eq!(
        (&second["changed"], text(&second["addresses"][0]["address"])),
        (&true.into(), address)
    );
    let id = text(&second["container"]);
    assert_eq!(environment(&id)["DB_PASSWORD"], "hunter2-second");
    assert!(!inspect(&id)["Config"]["Labels"].to_string().contains("hunter2"));
    assert_eq!(yard.containers(), running());

    // One that never gets healthy: the old one stays.
    yard.shop.write("secrets/dev.env", "DB_PASSWORD=hunter2-third\n");
    yard.edit("servers/own.toml", "/server.yaml", "/nothing");
    yard.edit("iamship.toml", "20s", "1s");
    let run = yard.shop.run("deploy dev").ends(1);
    assert!(
        !run.stderr.contains("hunter2") && run.stdout.contains("not deployed"),
        "{}",
        run.stdout
    );
    run.says(&format!("`{name}` runs as before"));
    assert_eq!(yard.containers(), running());

    // Ctrl-C while it is waited for.
    yard.edit("iamship.toml", "1s", "60s");
    let child = yard.shop.command("deploy dev").spawn().expect("it starts");
    let started = || yard.containers().len() > 1 && yard.containers().iter().all(|(_, runs)| *runs);
    for _ in 0..400 {
        if started() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(started(), "{:?}", yard.containers());
    output(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let ended = Ran::of(child.wait_with_output().expect("it ends")).ends(3);
    ended.says("interrupted");
    assert_eq!(yard.containers(), running());
    assert_eq!(environment(&name)["DB_PASSWORD"], "hunter2-second");
}
