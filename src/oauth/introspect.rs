//! Introspection (RFC 7662), for confidential clients only: the answer says whose token it is.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::error::OauthError;
use super::form_endpoint::{self, ClientForm};
use super::http::{OauthAnswer, OauthRequest};
use super::params::Params;
use super::server::AuthorizationServer;
use super::store::{IntrospectAnswer, IntrospectRequest};
use crate::vocab::Proof;

const METHOD: &str = "oauth/introspect";

pub(super) async fn introspect(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let read = || {
        let policy = form_endpoint::check_available(server, request)?;
        ClientForm::new(server, request, policy, Params::of_form(&request.headers, &request.body)?)
    };
    let form = match read() {
        Ok(form) => form,
        Err(error) => return OauthError::to_answer(&error, METHOD, None),
    };
    match send(&form).await {
        Ok(answer) => OauthAnswer::json(StatusCode::OK, &document(answer, &server.issuer)),
        Err(error) => error.to_answer(METHOD, form.audit_client(&error)),
    }
}

async fn send(form: &ClientForm<'_>) -> Result<IntrospectAnswer, OauthError> {
    let token = form.params.get("token")?;
    let token = token.ok_or_else(|| OauthError::invalid_request("token is missing"))?;
    if form.client.secret.is_none() {
        return Err(OauthError::invalid_client(
            "method",
            "Introspection is for clients with a secret; none was sent",
        ));
    }
    let store = &form.server.store;
    form.send(|client| {
        let request = IntrospectRequest { client, token: Proof::of_text(token) };
        Box::pin(async move { store.introspect(&request).await })
    })
    .await
}

/// Of a token that is not active nothing is said (RFC 7662, section 2.2).
fn document(answer: IntrospectAnswer, issuer: &str) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("active".to_owned(), json!(answer.active));
    if !answer.active {
        return members;
    }
    let IntrospectAnswer { scope, client_id, username, exp, iat, aud, sub, .. } = answer;
    let scope = (!scope.is_empty()).then(|| json!(scope.join(" ")));
    for (name, value) in [
        ("scope", scope),
        ("client_id", client_id.map(Value::from)),
        ("username", username.map(Value::from)),
        ("token_type", Some(json!("Bearer"))),
        ("exp", exp.map(Value::from)),
        ("iat", iat.map(Value::from)),
        ("sub", sub.map(Value::from)),
        ("aud", aud.map(Value::from)),
        ("iss", Some(json!(issuer))),
    ] {
        members.extend(value.map(|value| (name.to_owned(), value)));
    }
    members
}
