//! The profiles that travel with the program.

use super::ServerProfile;

/// The names that `[project] server` takes without a file, in the order in which help lists them.
pub const BUILT_IN: &[&str] = &["curity", "keycloak", "generic"];

/// A built-in profile's file, for reading and for copying into a project.
pub fn built_in_text(name: &str) -> Option<&'static str> {
    match name {
        "curity" => Some(include_str!("../../templates/servers/curity.toml")),
        "keycloak" => Some(include_str!("../../templates/servers/keycloak.toml")),
        "generic" => Some(include_str!("../../templates/servers/generic.toml")),
        _ => None,
    }
}

impl ServerProfile {
    /// A built-in profile.
    #[expect(
        clippy::expect_used,
        reason = "the texts are constants, and a test reads each of them"
    )]
    pub fn built_in(name: &str) -> Option<Self> {
        let text = built_in_text(name)?;
        Some(Self::parse(name, text).expect("a built-in profile is valid"))
    }
}
