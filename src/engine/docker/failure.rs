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
            because: format!("its answer makes no sense: {}", bounded(&err.to_string())),
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

/// `Bind for 127.0.0.1:8443 failed: port is already allocated`, `listen tcp4 127.0.0.1:8443: bind: …`,
/// `failed to bind host port for 127.0.0.1:8443:172.17.0.2:80/tcp: …`.
fn address_in(message: &str) -> Option<String> {
    message.split_whitespace().find_map(|word| {
        let word = word.trim_matches([':', ',', '"', '\'', '(', ')']).split('/').next()?;
        let first_two = word.match_indices(':').nth(1).map_or(word, |(end, _)| &word[..end]);
        let found = [word, first_two]
            .into_iter()
            .find(|text| text.parse::<SocketAddr>().is_ok());
        found.map(str::to_owned)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn server(message: &str, status_code: u16) -> EngineError {
        let error = Error::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        };
        told("unix:///e.sock", "start the container", error)
    }

    #[test]
    fn a_taken_port_is_named() {
        for message in [
            "driver failed programming external connectivity on endpoint x (ab): Bind for 127.0.0.1:8443 failed: port is already allocated",
            "driver failed programming external connectivity: Error starting userland proxy: listen tcp4 127.0.0.1:8443: bind: address already in use",
            "failed to set up container networking: driver failed: failed to bind host port for 127.0.0.1:8443:172.17.0.2:80/tcp: address already in use",
            "failed to bind host port 127.0.0.1:8443/tcp: address already in use",
            "rootlessport listen tcp 127.0.0.1:8443: bind: address already in use",
        ] {
            match server(message, 500) {
                EngineError::AddressTaken { address } => assert_eq!(address, "127.0.0.1:8443"),
                other => panic!("{message}: {other}"),
            }
        }
        let v6 = server("listen tcp6 [::1]:8443: bind: address already in use", 500);
        assert!(matches!(v6, EngineError::AddressTaken { address } if address == "[::1]:8443"));
        let other = server("fork/exec: address already in use", 500);
        assert!(matches!(other, EngineError::Refused { status: 500, .. }));
    }

    #[test]
    fn no_room_for_networks_says_what_to_do() {
        for message in [
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            "all predefined address pools have been fully subnetted",
        ] {
            let text = server(message, 400).to_string();
            assert!(text.contains("default-address-pools"), "{text}");
        }
    }

    #[test]
    fn messages_are_one_line_and_bounded() {
        let error = server(&format!("bad\nnews\u{1b}[31m {}", "x".repeat(9000)), 500).to_string();
        assert!(
            error.starts_with("the engine refused to start the container: bad news[31m x"),
            "{error}"
        );
        assert!(error.len() < 500 && error.ends_with('…'), "{error}");
        assert!(server("", 500).to_string().ends_with("status 500"));
    }

    #[test]
    fn a_closed_socket_says_who_may_open_it() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::IOError {
            err: io::Error::new(denied.kind(), NoConnection(denied)),
        };
        let text = told("unix:///e.sock", "say what it is", error).to_string();
        assert!(text.contains("unix:///e.sock") && text.contains("group"), "{text}");
    }
}
