//! Answers read by ourselves: only what is needed of them, since engines differ in the rest. (bollard insists on the
//! states that Docker knows, and Podman knows another one.)

use std::collections::HashMap;

use bollard::errors::Error;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{Method, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Docker, within};
use crate::engine::EngineError;

/// A container, looked at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContainerAnswer {
    pub(super) state: StateAnswer,
    #[serde(default)]
    pub(super) network_settings: Option<NetworkSettings>,
}

/// How it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct StateAnswer {
    pub(super) status: String,
    pub(super) running: bool,
    pub(super) restarting: bool,
    #[serde(rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    pub(super) exit_code: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    /// `8080/tcp`, and where it is published.
    #[serde(default)]
    pub(super) ports: Option<HashMap<String, Option<Vec<Binding>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Binding {
    #[serde(default)]
    pub(super) host_ip: String,
    #[serde(default)]
    pub(super) host_port: String,
}

/// A container in a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContainerEntry {
    pub(super) id: String,
    #[serde(default)]
    pub(super) names: Option<Vec<String>>,
    #[serde(default, rename = "ImageID")]
    pub(super) image_id: String,
    #[serde(default)]
    pub(super) labels: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(super) state: String,
}

/// A network in a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkEntry {
    pub(super) id: String,
    #[serde(default)]
    pub(super) labels: Option<HashMap<String, String>>,
}

/// An image in a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImageEntry {
    pub(super) id: String,
}

/// An image, looked at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImageAnswer {
    pub(super) id: String,
    #[serde(default, rename = "RootFS")]
    pub(super) root_fs: Option<RootFileSystem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RootFileSystem {
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

impl Docker {
    /// Asks for a document.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        act: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, EngineError> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        within(&self.shared.name, act, self.patience.call, self.ask(&target)).await
    }

    async fn ask<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(target)
            .body(bollard::body_full(Bytes::new()))?;
        let answer = self.transport.send(request).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        let mut document = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                document.extend_from_slice(&data);
            }
        }
        if status.is_success() {
            return Ok(serde_json::from_slice(&document)?);
        }
        Err(Error::DockerResponseServerError {
            status_code: status.as_u16(),
            message: message(&document),
        })
    }
}

/// `{"message": "…"}`, else what it says.
fn message(document: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice::<Refusal>(document) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(document).into_owned(),
    }
}
