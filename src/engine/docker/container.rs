//! Containers: made, started, looked at, stopped, removed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptions, StopContainerOptionsBuilder,
};
use secrecy::ExposeSecret as _;

use super::answers::{Binding, ContainerAnswer, ContainerEntry, StateAnswer};
use super::{Docker, has_status, image_id, within};
use crate::engine::{ContainerId, ContainerSpec, ContainerState, EngineError, Found, Phase, Published};

const MAKE: &str = "make the container";
const LOOK: &str = "look at the container";
const REMOVE: &str = "remove the container";
/// Between two looks at a container that somebody else is removing.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Shorter values would take ordinary words out of messages.
const SHORTEST_SECRET: usize = 4;

impl Docker {
    pub(super) async fn make_container(
        &self,
        body: ContainerCreateBody,
        spec: &ContainerSpec,
    ) -> Result<ContainerId, EngineError> {
        let mut options = CreateContainerOptionsBuilder::new();
        if let Some(name) = &spec.name {
            options = options.name(name);
        }
        let (api, options) = (self.api.clone(), options.build());
        let made = self.make(MAKE, async move { api.create_container(Some(options), body).await });
        match made.await {
            Ok(made) => Ok(ContainerId(made.id)),
            Err(EngineError::Refused { act, because, status }) => Err(EngineError::Refused {
                act,
                because: without_values(because, spec),
                status,
            }),
            Err(error) => Err(error),
        }
    }

    /// Makes something, in a task of its own: who stops waiting for it can still wait until it is there, and remove it.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        act: &'static str,
        call: impl Future<Output = Result<T, bollard::errors::Error>> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (shared, limit) = (self.shared.clone(), self.patience.call);
        let permit = shared.making.clone().acquire_owned().await;
        let task = tokio::spawn(async move {
            let made = within(&shared.name, act, limit, call).await;
            drop(permit);
            made
        });
        task.await.unwrap_or_else(|error| {
            Err(EngineError::BrokenOff {
                act,
                because: error.to_string(),
            })
        })
    }

    pub(super) async fn start_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.call("start the container", self.api.start_container(&id.0, None))
            .await
    }

    pub(super) async fn inspect_container(&self, id: &ContainerId) -> Result<ContainerState, EngineError> {
        let seen = self.get(LOOK, &format!("/containers/{}/json", id.0), &[]).await?;
        Ok(state(seen))
    }

    pub(super) async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        const ACT: &str = "stop the container";
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let limit = self.patience.call.saturating_add(grace);
        within(
            &self.shared.name,
            ACT,
            limit,
            self.api.stop_container(&id.0, Some(options)),
        )
        .await
    }

    pub(super) async fn rename_container(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptions { name: name.to_owned() };
        self.call("rename the container", self.api.rename_container(&id.0, options))
            .await
    }

    pub(super) async fn remove_container(&self, id: &ContainerId) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.call(REMOVE, self.api.remove_container(&id.0, Some(options))).await {
            Err(error) if has_status(&error, 404) => Ok(()),
            Err(error) if has_status(&error, 409) => self.wait_until_gone(id, error).await,
            answer => answer,
        }
    }

    /// Somebody else removes it already; its network is free only when it is gone.
    async fn wait_until_gone(&self, id: &ContainerId, why: EngineError) -> Result<(), EngineError> {
        let gone = async {
            loop {
                match self.inspect_container(id).await {
                    Err(error) if has_status(&error, 404) => return Ok(()),
                    Err(error) => return Err(error),
                    Ok(_) => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        tokio::time::timeout(self.patience.call, gone).await.unwrap_or(Err(why))
    }

    pub(super) async fn find_containers(&self, labels: &[(&str, &str)]) -> Result<Vec<Found>, EngineError> {
        let wanted = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let all = self.list(wanted).await?;
        Ok(all.into_iter().filter_map(found).collect())
    }

    /// All containers that match all these filters on labels: `NAME`, `NAME=VALUE`.
    pub(super) async fn list(&self, labels: Vec<String>) -> Result<Vec<ContainerEntry>, EngineError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let query = [("all", "true"), ("filters", &filters)];
        self.get("list its containers", "/containers/json", &query).await
    }
}

/// An engine may quote what it did not like.
fn without_values(message: String, spec: &ContainerSpec) -> String {
    let values = spec.environment.values().map(|value| value.expose_secret());
    values
        .filter(|value| value.len() >= SHORTEST_SECRET)
        .fold(message, |message, value| message.replace(value, "***"))
}

fn state(seen: ContainerAnswer) -> ContainerState {
    let ports = seen.network_settings.and_then(|settings| settings.ports);
    ContainerState {
        phase: phase(&seen.state),
        ports: published(ports.unwrap_or_default()),
    }
}

fn phase(state: &StateAnswer) -> Phase {
    match state.status.as_str() {
        // Podman's own words are the latter two.
        "created" | "configured" | "initialized" => Phase::Created,
        // One that ended and is to be started again has ended.
        _ if state.running && !state.restarting => Phase::Running,
        _ => Phase::Exited {
            code: state.exit_code,
            out_of_memory: state.oom_killed,
        },
    }
}

fn published(ports: HashMap<String, Option<Vec<Binding>>>) -> Vec<Published> {
    let mut all: Vec<Published> = ports
        .into_iter()
        .filter_map(|(name, bindings)| Some((name.strip_suffix("/tcp")?.parse().ok()?, bindings?)))
        .flat_map(|(port, bindings)| bindings.into_iter().map(move |binding| (port, binding)))
        .filter_map(|(port, binding)| {
            let address = SocketAddr::new(binding.host_ip.parse().ok()?, binding.host_port.parse().ok()?);
            Some(Published { port, address })
        })
        .collect();
    all.sort_by_key(|published| (published.port, published.address));
    all
}

fn found(entry: ContainerEntry) -> Option<Found> {
    let name = entry.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    Some(Found {
        id: ContainerId(entry.id),
        name: name.trim_start_matches('/').to_owned(),
        labels: entry.labels.unwrap_or_default().into_iter().collect(),
        is_running: entry.state == "running",
        image: image_id(&entry.image_id)?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::Limits;
    use crate::image::Digest;

    #[test]
    fn a_message_that_quotes_a_value_loses_it() {
        let spec = ContainerSpec {
            image: Digest::of(b""),
            name: None,
            labels: BTreeMap::new(),
            is_kept: false,
            environment: [("A", "hunter22"), ("B", "on")]
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into(),
            command: None,
            entrypoint: None,
            network: None,
            ports: BTreeMap::new(),
            limits: Limits {
                memory: 0,
                processes: 0,
                read_only: true,
                tmpfs: Vec::new(),
                capabilities: false,
            },
        };
        let told = without_values("invalid variable: A=hunter22 on".to_owned(), &spec);
        assert_eq!(told, "invalid variable: A=*** on");
    }

    #[test]
    fn one_that_is_started_again_and_again_has_ended() {
        let state = StateAnswer {
            status: "restarting".to_owned(),
            running: true,
            restarting: true,
            exit_code: 64,
            ..StateAnswer::default()
        };
        let ended = Phase::Exited {
            code: 64,
            out_of_memory: false,
        };
        assert_eq!(phase(&state), ended);
    }
}
