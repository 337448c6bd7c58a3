//! A container's specification in the words of the API.

use std::collections::HashMap;
use std::net::SocketAddr;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, PortBinding, PortMap, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use secrecy::ExposeSecret as _;

use super::owner::Owner;
use crate::engine::{ContainerSpec, EngineError};
use crate::profile::TMPFS;

const ACT: &str = "make the container";

/// What the engine is asked for.
pub(super) fn body(spec: &ContainerSpec, owner: &Owner) -> Result<ContainerCreateBody, EngineError> {
    let ports: Vec<String> = spec.ports.keys().map(|port| format!("{port}/tcp")).collect();
    Ok(ContainerCreateBody {
        image: Some(spec.image.to_string()),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        env: Some(environment(spec)?),
        labels: Some(labels(spec, owner)),
        exposed_ports: (!ports.is_empty()).then_some(ports),
        host_config: Some(host(spec)?),
        ..ContainerCreateBody::default()
    })
}

fn environment(spec: &ContainerSpec) -> Result<Vec<String>, EngineError> {
    let wrong = |because: String| EngineError::Refused {
        act: ACT,
        because,
        status: 400,
    };
    let mut environment = Vec::with_capacity(spec.environment.len());
    for (name, value) in &spec.environment {
        // Asked about by the engine, its answer would have the value in it.
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(wrong(format!(
                "`{}` can't name an environment variable",
                name.escape_debug()
            )));
        }
        if value.expose_secret().contains('\0') {
            return Err(wrong(format!(
                "the value of `{name}` has a NUL in it, which no environment can hold"
            )));
        }
        environment.push(format!("{name}={}", value.expose_secret()));
    }
    Ok(environment)
}

fn labels(spec: &ContainerSpec, owner: &Owner) -> HashMap<String, String> {
    let own = match spec.is_kept {
        true => Owner::labels_of_nobody(),
        false => owner.labels(),
    };
    let given = spec.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    // The run's own come last: nobody can hide a container from the sweep, or put one before it.
    given.chain(own).collect()
}

fn host(spec: &ContainerSpec) -> Result<HostConfig, EngineError> {
    let limits = &spec.limits;
    let memory = i64::try_from(limits.memory).unwrap_or(i64::MAX);
    let tmpfs = limits.tmpfs.iter().map(|path| (path.clone(), TMPFS.to_owned()));
    Ok(HostConfig {
        memory: Some(memory),
        // Equal: no swap beside it.
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.processes)),
        readonly_rootfs: Some(limits.read_only),
        tmpfs: Some(tmpfs.collect()),
        cap_drop: (!limits.capabilities).then(|| vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        // A dump of its memory would have the secrets in it, and lie somewhere on the host.
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("core".to_owned()),
            soft: Some(0),
            hard: Some(0),
        }]),
        network_mode: Some(spec.network.as_ref().map_or("none", |network| &network.0).to_owned()),
        port_bindings: bindings(&spec.ports)?,
        log_config: Some(log()),
        auto_remove: Some(false),
        // What is kept comes back with the machine.
        restart_policy: spec.is_kept.then_some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    })
}

/// Whatever the engine's own default is: a flood fills two files of 8 MiB and no disk.
fn log() -> HostConfigLogConfig {
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from([
            ("max-size".to_owned(), "8m".to_owned()),
            ("max-file".to_owned(), "2".to_owned()),
        ])),
    }
}

fn bindings(ports: &std::collections::BTreeMap<u16, SocketAddr>) -> Result<Option<PortMap>, EngineError> {
    let mut map = PortMap::new();
    for (port, address) in ports {
        if !address.ip().is_loopback() {
            return Err(EngineError::Refused {
                act: ACT,
                because: format!("port {port} would be published on {address}, and only loopback addresses are"),
                status: 400,
            });
        }
        let binding = PortBinding {
            host_ip: Some(address.ip().to_string()),
            host_port: Some(address.port().to_string()),
        };
        map.insert(format!("{port}/tcp"), Some(vec![binding]));
    }
    Ok((!map.is_empty()).then_some(map))
}
