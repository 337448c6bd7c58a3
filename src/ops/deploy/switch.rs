//! From the old container to the new one, so that at each step one of the two can run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::trial::{Check, Ports, Tail, Trial};
use super::super::{Event, OpsError};
use super::place::{self, Container, Place, Present};
use super::{Done, Plan, beside, kept, named};
use crate::engine::{ContainerId, Engine, EngineError};

/// How long a server may take to end.
const GRACE: Duration = Duration::from_secs(30);
/// The same for one that was only tried: it served nobody.
const TRIAL_GRACE: Duration = Duration::from_secs(2);
/// The engine knows each name once.
const CONFLICT: u16 = 409;

/// A deploy that goes on, for whoever has to end it early.
#[derive(Default)]
pub struct Switching(Mutex<Option<Begun>>);

struct Begun {
    engine: Arc<dyn Engine>,
    place: Place,
    /// The old container, once it was asked to end.
    stopping: Option<ContainerId>,
}

impl Switching {
    fn set(&self, begun: Option<Begun>) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = begun;
        }
    }

    /// Puts back what ran before a deploy that was broken off. Says what runs; nothing when nothing was begun.
    pub async fn put_back(&self) -> Result<Option<String>, OpsError> {
        let begun = self.0.lock().ok().and_then(|mut begun| begun.take());
        let Some(begun) = begun else { return Ok(None) };
        let engine = &*begun.engine;
        if let Some(old) = begun.stopping {
            // It may still be about to end; started before it has, it would end after all.
            engine.stop(&old, GRACE).await?;
        }
        begun.place.mend(engine).await
    }
}

/// What came of a container.
enum Started {
    Healthy(Ports),
    Failed(Vec<Check>, Vec<Tail>),
}

/// Keeps others out, and switches.
pub(super) async fn run(trial: &Trial<'_>, plan: &Plan<'_>, switching: &Switching) -> Result<Done, OpsError> {
    let (engine, place) = (&*plan.engine, &plan.place);
    let lock = lock(trial, plan).await?;
    let begun = |stopping| {
        Some(Begun {
            engine: plan.engine.clone(),
            place: place.clone(),
            stopping,
        })
    };
    switching.set(begun(None));
    let done = switch(trial, plan, &lock, |old| switching.set(begun(old))).await;
    let done = match done {
        Ok(done) => Ok(done),
        Err(error) => Err(put_back_after(engine, place, error).await),
    };
    switching.set(None);
    if let Err(error) = engine.remove(&lock).await {
        let text = format!(
            "`{}` may be left in the engine ({error}): the next run removes it",
            place.next()
        );
        trial.context.events.tell(Event::Warning(&text));
    }
    done
}

/// The container that keeps others out: not started, and removed with the run, however it ends.
async fn lock(trial: &Trial<'_>, plan: &Plan<'_>) -> Result<ContainerId, OpsError> {
    let place = &plan.place;
    match trial.engine.create(&beside(trial, plan, &place.next())).await {
        Ok(id) => Ok(id),
        Err(EngineError::Refused { status: CONFLICT, .. }) => Err(OpsError::world(format!(
            "another deploy of `{}` goes on: the container `{}` is there",
            place.stage,
            place.next()
        ))
        .help(format!("if none does: docker rm --force {}", place.next()))),
        Err(error) => Err(error.into()),
    }
}

/// The error, with what became of the old container.
async fn put_back_after(engine: &dyn Engine, place: &Place, error: OpsError) -> OpsError {
    match place.mend(engine).await {
        Ok(Some(what)) => error.help(what),
        Ok(None) => error,
        Err(_) => error.help(format!(
            "`{}` may be stopped; when the engine answers again: iamship deploy {}",
            place.name, place.stage
        )),
    }
}

async fn switch(
    trial: &Trial<'_>,
    plan: &Plan<'_>,
    lock: &ContainerId,
    stopping: impl Fn(Option<ContainerId>),
) -> Result<Done, OpsError> {
    let (engine, place) = (trial.engine, &plan.place);
    if let Some(what) = place.mend(engine).await? {
        let text = format!("an earlier deploy broke off: {what}");
        trial.context.events.tell(Event::Warning(&text));
    }
    let Present { main, .. } = place.look(engine).await?;
    if let Some(main) = main
        .as_ref()
        .filter(|main| main.found.is_running && main.is(plan.configuration))
    {
        trial.context.step(format!("waiting until `{}` is healthy", place.name));
        let (check, ports) = trial.healthy(&main.found.id, &plan.ports(trial.context)).await?;
        if !check.has_failed() {
            return Ok(Done::Running {
                id: main.found.id.clone(),
                addresses: named(trial.context, &ports),
                changed: false,
            });
        }
        let text = format!("`{}` runs and is not healthy: it is replaced", place.name);
        trial.context.events.tell(Event::Warning(&text));
    }
    let in_the_way = main.as_ref().filter(|main| main.holds_any(&plan.fixed()));
    if in_the_way.is_some() {
        trial
            .context
            .step(format!("trying {} next to `{}`", trial.digest.short(), place.name));
        if let Started::Failed(checks, tails) = start(trial, plan, lock).await? {
            return failed(engine, place, checks, tails).await;
        }
        engine.stop(lock, TRIAL_GRACE).await?;
    }
    // Before the old one is stopped: what is there under this name tells the next deploy to put the old one back.
    let mut spec = kept(trial, plan, &place.new_name());
    if main.as_ref().is_some_and(|main| !main.found.is_running) {
        spec.labels.extend(place::stopped());
    }
    let new = engine.create(&spec).await?;
    if let Some(main) = in_the_way {
        trial.context.step(format!("stopping `{}`", place.name));
        stopping(Some(main.found.id.clone()));
        engine.stop(&main.found.id, GRACE).await?;
        stopping(None);
    }
    trial
        .context
        .step(format!("starting {} as `{}`", trial.digest.short(), place.name));
    match start(trial, plan, &new).await? {
        Started::Failed(checks, tails) => {
            place.mend(engine).await?;
            failed(engine, place, checks, tails).await
        }
        Started::Healthy(ports) => {
            take_over(engine, place, main.as_ref(), &new).await?;
            Ok(Done::Running {
                id: new,
                addresses: named(trial.context, &ports),
                changed: true,
            })
        }
    }
}

/// What was seen, and what a look afterwards finds running.
async fn failed(engine: &dyn Engine, place: &Place, checks: Vec<Check>, tails: Vec<Tail>) -> Result<Done, OpsError> {
    let main = place.look(engine).await?.main;
    let kept = main.filter(|main| main.found.is_running);
    Ok(Done::Failed {
        checks,
        tails,
        kept: kept.map(|main| main.found.name),
    })
}

/// Starts a container and waits until it is healthy.
async fn start(trial: &Trial<'_>, plan: &Plan<'_>, id: &ContainerId) -> Result<Started, OpsError> {
    match trial.engine.start(id).await {
        Ok(()) => {}
        Err(EngineError::Refused { because, status, .. }) if (400..500).contains(&status) => {
            let because = trial.redactor.text(&because);
            let check = Check::failed("started", format!("it can't be started: {because}"));
            return Ok(Started::Failed(vec![check], Vec::new()));
        }
        Err(error) => return Err(error.into()),
    }
    let (check, ports) = trial.healthy(id, &plan.ports(trial.context)).await?;
    match check.has_failed() {
        true => Ok(Started::Failed(vec![check], vec![trial.log(id).await])),
        false => Ok(Started::Healthy(ports)),
    }
}

/// The new one takes the name; then the old one goes.
async fn take_over(
    engine: &dyn Engine,
    place: &Place,
    main: Option<&Container>,
    new: &ContainerId,
) -> Result<(), OpsError> {
    if let Some(main) = main {
        engine.rename(&main.found.id, &place.old_name()).await?;
    }
    engine.rename(new, &place.name).await?;
    if let Some(main) = main {
        if main.found.is_running {
            engine.stop(&main.found.id, GRACE).await?;
        }
        engine.remove(&main.found.id).await?;
    }
    Ok(())
}
