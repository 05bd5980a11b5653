//! Revocation (RFC 7009): 200 for any token text, so that nothing can be learned about tokens of others.

use http::StatusCode;
use serde_json::json;

use super::error::OauthError;
use super::form_endpoint::{self, ClientForm};
use super::http::{AuditNote, OauthAnswer, OauthRequest};
use super::params::Params;
use super::server::AuthorizationServer;
use super::store::{RevokeAnswer, RevokeRequest};
use crate::vocab::Proof;

const METHOD: &str = "oauth/revoke";

pub(super) async fn revoke(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let read = || {
        let policy = form_endpoint::check_available(server, request)?;
        ClientForm::new(server, request, policy, Params::of_form(&request.headers, &request.body)?)
    };
    let form = match read() {
        Ok(form) => form,
        Err(error) => return OauthError::to_answer(&error, METHOD, None),
    };
    match send(&form).await {
        Ok(answer) => OauthAnswer::json(StatusCode::OK, &json!({})).with_audit(AuditNote {
            method: answer.revoked.then_some(METHOD),
            client: Some(form.client.client_id.clone()),
            connection: answer.connection,
            user: answer.user,
            ..AuditNote::default()
        }),
        Err(error) => error.to_answer(METHOD, form.audit_client(&error)),
    }
}

async fn send(form: &ClientForm<'_>) -> Result<RevokeAnswer, OauthError> {
    let token = form.params.get("token")?;
    let token = token.ok_or_else(|| OauthError::invalid_request("token is missing"))?;
    let store = &form.server.store;
    form.send(|client| {
        let request = RevokeRequest { client, token: Proof::of_text(token) };
        Box::pin(async move { store.revoke(&request).await })
    })
    .await
}
