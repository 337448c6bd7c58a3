//! A client's requests: how it proves who it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded::byte_serialize;

use super::Client;
use crate::probe::http::Question;
use crate::project::Authentication;

/// A POST of a client that authenticates with a secret: its own, or a wrong one.
pub(super) fn post(path: String, client: &Client, secret: Option<&SecretString>, form: &[(&str, &str)]) -> Question {
    let mut fields = form.to_vec();
    let secret = secret.map(|secret| secret.expose_secret());
    match (client.authentication, secret) {
        (Authentication::Basic, Some(secret)) => {
            // RFC 6749, section 2.3.1: both are form-encoded first.
            let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", part(&client.id), part(secret));
            let mut question = Question::post(path, &fields);
            question.authorization = Some(STANDARD.encode(pair).into());
            question
        }
        (Authentication::Post, Some(secret)) => {
            fields.extend([("client_id", client.id.as_str()), ("client_secret", secret)]);
            Question::post(path, &fields)
        }
        _ => {
            fields.push(("client_id", &client.id));
            Question::post(path, &fields)
        }
    }
}
