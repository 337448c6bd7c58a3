//! Asks a server that runs whether it serves: HTTP, and OpenID Connect as a client sees it.
//!
//! A finding says what was asked, what came and what was expected, and never a secret: no request's credentials, no
//! token that came back, and nothing of an answer before the stage's secrets are out of it.

#[cfg(test)]
pub(crate) mod fake;
mod finding;
mod http;
mod oidc;
mod page;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Found, Miss};
pub use http::{Door, Forwarded, Prober};
pub use oidc::{Client, Provider, oidc};
pub use page::{answers, look, responds};
