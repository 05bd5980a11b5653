//! Dynamic client registration (RFC 7591).

use super::error::OauthError;
use super::http::{OauthAnswer, OauthRequest};
use super::server::AuthorizationServer;

pub(super) async fn register(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let _ = (server, request);
    OauthError::unreachable().to_answer("oauth/register", None)
}
