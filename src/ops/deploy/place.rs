//! Where a stage's container is in the engine: names, labels, and what a deploy that broke off left there.
//!
//! | name | what |
//! |---|---|
//! | `shop-prod` | what runs |
//! | `shop-prod-next` | belongs to a deploy that goes on, and keeps others out; the engine knows each name once |
//! | `shop-prod-new` | the next one, not yet known to be healthy |
//! | `shop-prod-old` | the one before; only while names change, after the new one was healthy |

use std::net::SocketAddr;
use std::time::Duration;

use super::super::{Context, OpsError};
use crate::engine::{Engine, Found};
use crate::image::Digest;
use crate::project::Stage;
use crate::render::workload_name;

const PROJECT: &str = "dev.iamship.project";
const STAGE: &str = "dev.iamship.stage";
/// What is not kept carries the name of its run; what is kept has an empty one.
const RUN: &str = "dev.iamship.run";
pub(super) const DIGEST: &str = "dev.iamship.digest";
/// What the container was made from; tells nothing of a secret.
pub(super) const CONFIGURATION: &str = "dev.iamship.configuration";

/// On the next one: the one before did not run when the deploy began, so that nothing that mends it starts it.
const BEFORE: &str = "dev.iamship.before";
const STOPPED: &str = "stopped";

pub(super) fn stopped() -> [(String, String); 1] {
    [(BEFORE.to_owned(), STOPPED.to_owned())]
}

/// A stage's place in an engine.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) project: String,
    pub(super) stage: String,
    pub(super) name: String,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Present {
    pub(super) main: Option<Container>,
    pub(super) new: Option<Found>,
    pub(super) old: Option<Found>,
}

/// What runs, and where.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) found: Found,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Container {
    /// Whether it was made from this.
    pub(super) fn is(&self, configuration: Option<Digest>) -> bool {
        let label = self.found.labels.get(CONFIGURATION);
        configuration.is_some_and(|digest| label == Some(&digest.to_string()))
    }

    /// Whether it is published on one of these.
    pub(super) fn holds_any(&self, addresses: &[SocketAddr]) -> bool {
        self.found.is_running && self.addresses.iter().any(|address| addresses.contains(address))
    }
}

impl Place {
    pub(super) fn of(context: &Context<'_>, stage: &Stage) -> Self {
        let project = context.project.name.clone();
        Self {
            name: workload_name(&project, stage.name.as_str()),
            stage: stage.name.to_string(),
            project,
        }
    }

    pub(super) fn next(&self) -> String {
        format!("{}-next", self.name)
    }

    pub(super) fn new_name(&self) -> String {
        format!("{}-new", self.name)
    }

    pub(super) fn old_name(&self) -> String {
        format!("{}-old", self.name)
    }

    /// Everything that is there under the stage's names.
    pub(super) async fn look(&self, engine: &dyn Engine) -> Result<Present, OpsError> {
        let mut present = Present::default();
        for found in engine.find(&[]).await? {
            let is_main = found.name == self.name;
            if !is_main && found.name != self.new_name() && found.name != self.old_name() {
                continue;
            }
            self.check_owner(&found)?;
            if is_main {
                let state = engine.state(&found.id).await?;
                let addresses = state.ports.iter().map(|port| port.address).collect();
                present.main = Some(Container { found, addresses });
            } else if found.name == self.new_name() {
                present.new = Some(found);
            } else {
                present.old = Some(found);
            }
        }
        Ok(present)
    }

    /// A container of somebody else must not be replaced because of its name.
    fn check_owner(&self, found: &Found) -> Result<(), OpsError> {
        let is = |label: &str, text: &str| found.labels.get(label).is_some_and(|value| value == text);
        let is_of_a_run = found.labels.get(RUN).is_some_and(|run| !run.is_empty());
        if is(PROJECT, &self.project) && is(STAGE, &self.stage) && !is_of_a_run {
            return Ok(());
        }
        let message = format!(
            "the engine has a container `{}` that `iamship deploy {}` did not make",
            found.name, self.stage
        );
        Err(OpsError::input(message).help(format!("docker rename {} ANOTHER-NAME", found.name)))
    }

    /// Mends what a deploy that broke off left; only for who keeps others out. Says what it did.
    ///
    /// As long as something is left the next one knows that there was a deploy, so that goes last.
    pub(super) async fn mend(&self, engine: &dyn Engine) -> Result<Option<String>, OpsError> {
        let present = self.look(engine).await?;
        let name = &self.name;
        let said = match (&present.main, &present.new, &present.old) {
            (_, None, None) => return Ok(None),
            // Nobody knows whether the new one is healthy; or the names have changed, and the old one is still to go.
            (Some(main), new, old) => {
                for found in new.iter().chain(old) {
                    // One that never ran, or ends and is started again and again, may refuse.
                    let _ = engine.stop(&found.id, Duration::ZERO).await;
                }
                let before = new.as_ref().and_then(|new| new.labels.get(BEFORE));
                if main.found.is_running {
                    format!("`{name}` runs as before")
                } else if before.is_some_and(|before| before == STOPPED) {
                    format!("`{name}` is stopped, as before")
                } else {
                    engine.start(&main.found.id).await?;
                    format!("`{name}` runs as before")
                }
            }
            (None, Some(new), Some(_)) => {
                engine.rename(&new.id, name).await?;
                return self
                    .remove(engine, &[&present.old])
                    .await
                    .map(|()| Some(format!("`{name}` is the new one: it was healthy")));
            }
            (None, Some(_), None) => "nothing runs, as before".to_owned(),
            (None, None, Some(old)) => {
                engine.rename(&old.id, name).await?;
                if !old.is_running {
                    engine.start(&old.id).await?;
                }
                return Ok(Some(format!("`{name}` runs as before")));
            }
        };
        self.remove(engine, &[&present.new, &present.old]).await?;
        Ok(Some(said))
    }

    async fn remove(&self, engine: &dyn Engine, left: &[&Option<Found>]) -> Result<(), OpsError> {
        for found in left.iter().copied().flatten() {
            engine.remove(&found.id).await?;
        }
        Ok(())
    }
}
