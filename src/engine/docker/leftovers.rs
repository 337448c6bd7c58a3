//! Nothing stays behind: this run removes what it made, and what runs made that were killed.

use std::collections::HashMap;

use futures::StreamExt as _;

use super::owner::RUN;
use super::{Docker, MAKING};
use crate::engine::{ContainerId, EngineError, NetworkId};

/// How many are removed at once.
const AT_ONCE: usize = 8;

impl Docker {
    pub(super) async fn remove_abandoned(&self) -> Result<usize, EngineError> {
        let (containers, networks) = futures::try_join!(self.list(vec![RUN.to_owned()]), self.networks(RUN))?;
        let has_left =
            |labels: &Option<HashMap<String, String>>| labels.as_ref().is_some_and(|all| self.owner.has_abandoned(all));
        let containers = containers
            .into_iter()
            .filter(|container| has_left(&container.labels))
            .map(|container| container.id)
            .collect();
        let networks = networks
            .into_iter()
            .filter(|network| has_left(&network.labels))
            .map(|network| network.id)
            .collect();
        self.remove_all(containers, networks).await
    }

    pub(super) async fn remove_own(&self) -> Result<usize, EngineError> {
        // What was asked for and is not there yet could not be found.
        let all = self.shared.making.acquire_many(MAKING);
        let made = tokio::time::timeout(self.patience.call, all).await;
        let label = format!("{RUN}={}", self.owner.run());
        let (containers, networks) = futures::try_join!(self.list(vec![label.clone()]), self.networks(&label))?;
        drop(made);
        let containers = containers.into_iter().map(|container| container.id).collect();
        let networks = networks.into_iter().map(|network| network.id).collect();
        self.remove_all(containers, networks).await
    }

    /// Containers first: their networks are free when they are gone. All are tried; the first failure is told.
    async fn remove_all(&self, containers: Vec<String>, networks: Vec<String>) -> Result<usize, EngineError> {
        let removed: Vec<_> = futures::stream::iter(containers.into_iter().map(ContainerId))
            .map(|id| async move { self.remove_container(&id).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let free: Vec<_> = futures::stream::iter(networks.into_iter().map(NetworkId))
            .map(|id| async move { self.remove_one_network(&id).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let all: Vec<()> = removed.into_iter().chain(free).collect::<Result<_, _>>()?;
        Ok(all.len())
    }
}
