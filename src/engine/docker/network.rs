//! Networks of a run's own.

use std::time::Duration;

use bollard::models::NetworkCreateRequest;

use super::answers::NetworkEntry;
use super::{Docker, has_status};
use crate::engine::{EngineError, NetworkId};

/// A network is in use for a moment longer than its last container is there.
const TRIES: u32 = 20;
const WAIT: Duration = Duration::from_millis(100);

impl Docker {
    pub(super) async fn make_network(&self) -> Result<NetworkId, EngineError> {
        let mut random = [0; 4];
        // Two networks of one name would be no harm: all that is done is done by id.
        let _ = getrandom::fill(&mut random);
        let request = NetworkCreateRequest {
            name: format!("iamship-{}-{:08x}", &self.owner.run()[..12], u32::from_ne_bytes(random)),
            driver: Some("bridge".to_owned()),
            labels: Some(self.owner.labels()),
            ..NetworkCreateRequest::default()
        };
        let api = self.api.clone();
        let made = self
            .make("make a network", async move { api.create_network(request).await })
            .await?;
        Ok(NetworkId(made.id))
    }

    pub(super) async fn remove_one_network(&self, id: &NetworkId) -> Result<(), EngineError> {
        let mut tries = 1;
        loop {
            match self.call("remove the network", self.api.remove_network(&id.0)).await {
                Err(error) if has_status(&error, 404) => return Ok(()),
                Err(EngineError::Refused { .. }) if tries < TRIES => tokio::time::sleep(WAIT).await,
                answer => return answer,
            }
            tries += 1;
        }
    }

    /// The networks that carry a label: `NAME`, `NAME=VALUE`.
    pub(super) async fn networks(&self, label: &str) -> Result<Vec<NetworkEntry>, EngineError> {
        let filters = serde_json::json!({ "label": [label] }).to_string();
        self.get("list its networks", "/networks", &[("filters", &filters)])
            .await
    }
}
