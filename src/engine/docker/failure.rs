//! What went wrong, in the words of [`EngineError`].

use std::io;
use std::net::SocketAddr;

use bollard::errors::Error;

use super::transport::NoConnection;
use crate::engine::EngineError;

/// How many characters of an engine's message are told.
const MAX_MESSAGE: usize = 400;
const NO_ROOM: &str = "it has no addresses left for another network: remove networks that nobody uses \
    (`docker network ls`), or give the engine more `default-address-pools`";

/// What bollard says, seen from what was asked for.
pub(super) fn told(engine: &str, act: &'static str, error: Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code, message } => refused(act, status_code, &message),
        Error::DockerStreamError { error } => refused(act, 200, &error),
        Error::IOError { err } => match err.get_ref().and_then(|inner| inner.downcast_ref::<NoConnection>()) {
            Some(NoConnection(cause)) => unreachable(engine, cause),
            None => broken(act, &err),
        },
        Error::RequestTimeoutError => EngineError::TooSlow { act, seconds: 0 },
        Error::JsonDataError { message, .. } => EngineError::BrokenOff {
            act,
            because: format!("its answer makes no sense: {}", bounded(&message)),
        },
        Error::JsonSerdeError { err } => EngineError::BrokenOff {
            act,
            because: format!("its answer makes no sense: {err}"),
        },
        Error::HyperResponseError { err } => broken(act, &err),
        other => broken(act, &other),
    }
}

fn unreachable(engine: &str, cause: &io::Error) -> EngineError {
    let because = match cause.kind() {
        io::ErrorKind::PermissionDenied => "this user may not open its socket: join the group that owns it (often \
            `docker`), or use an engine of your own (rootless Docker, Podman)"
            .to_owned(),
        io::ErrorKind::NotFound => "its socket is not there".to_owned(),
        _ => bounded(&cause.to_string()),
    };
    EngineError::Unreachable {
        engine: engine.to_owned(),
        because,
    }
}

fn broken(act: &'static str, error: &dyn std::error::Error) -> EngineError {
    let mut because = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !because.contains(&text) {
            because = format!("{because}: {text}");
        }
        source = inner.source();
    }
    EngineError::BrokenOff {
        act,
        because: bounded(&because),
    }
}

fn refused(act: &'static str, status: u16, message: &str) -> EngineError {
    let is_taken = message.contains("address already in use") || message.contains("port is already allocated");
    if let Some(address) = is_taken.then(|| address_in(message)).flatten() {
        return EngineError::AddressTaken { address };
    }
    let no_room = [
        "non-overlapping IPv4 address pool",
        "predefined address pools",
        "could not find free subnet",
    ];
    let because = match bounded(message) {
        _ if no_room.iter().any(|text| message.contains(text)) => NO_ROOM.to_owned(),
        text if text.is_empty() => format!("status {status}"),
        text => text,
    };
    EngineError::Refused { act, because, status }
}

/// `Bind for 127.0.0.1:8443 failed: port is already allocated`, `listen tcp4 127.0.0.1:8443: bind: …`.
fn address_in(message: &str) -> Option<String> {
    message
        .split_whitespace()
        .map(|word| word.trim_matches([':', ',', '"', '\'', '(', ')']))
        .find(|word| word.parse::<SocketAddr>().is_ok())
        .map(str::to_owned)
}

/// One line, not too long.
pub(super) fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|character| !character.is_control()).collect();
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
