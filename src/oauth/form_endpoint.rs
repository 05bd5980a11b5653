//! What the JSON endpoints for clients have in common: availability, budget, form, client, and the budget of failed
//! secrets.

use http::StatusCode;

use super::budgets::Budget;
use super::client_auth;
use super::error::OauthError;
use super::http::OauthRequest;
use super::params::Params;
use super::policy::Policy;
use super::server::AuthorizationServer;
use super::store::{ClientRef, StoreError, Stored};

/// A form whose client has presented itself; Odoo checks it with the request itself.
pub(super) struct ClientForm<'a> {
    pub server: &'a AuthorizationServer,
    pub request: &'a OauthRequest,
    pub policy: Policy,
    pub params: Params,
    pub client: ClientRef,
}

/// The checks before anything is read.
pub(super) fn check_available(
    server: &AuthorizationServer,
    request: &OauthRequest,
) -> Result<Policy, OauthError> {
    let policy = server.policy();
    policy.check_enabled()?;
    policy.check_open()?;
    server.budgets.acquire(Budget::Token, request.peer)?;
    Ok(policy)
}

impl<'a> ClientForm<'a> {
    /// The client of a form that was read.
    pub(super) fn new(
        server: &'a AuthorizationServer,
        request: &'a OauthRequest,
        policy: Policy,
        params: Params,
    ) -> Result<Self, OauthError> {
        let client = client_auth::presented(request, &params)
            .map_err(|error| challenged(error, client_auth::uses_basic(request)))?;
        Ok(Self { server, request, policy, params, client })
    }

    /// Sends a request for this client. Odoo ignores the secret of a public client, as some send one all the same (O11).
    pub(super) async fn send<'s, T, F>(&'s self, send: F) -> Result<T, OauthError>
    where
        F: Fn(ClientRef) -> Stored<'s, T>,
        T: 's,
    {
        let (client, peer) = (&self.client, self.request.peer);
        if client.secret.is_some() {
            self.server.failed_secrets.check(&client.client_id, peer)?;
        }
        let outcome = send(client.clone()).await;
        if let Err(StoreError::Refused(refused)) = &outcome
            && (refused.error.as_str(), refused.reason.as_str()) == ("invalid_client", "secret")
        {
            self.server.failed_secrets.record(&client.client_id, peer);
        }
        outcome.map_err(|error| challenged(error.into(), client_auth::uses_basic(self.request)))
    }

    pub(super) fn ip(&self) -> String {
        self.request.peer.to_string()
    }

    /// The client's id as the audit log names it: only where Odoo knows it.
    pub(super) fn audit_client(&self, error: &OauthError) -> Option<&str> {
        let known = error.code != "invalid_client" && error.status == StatusCode::BAD_REQUEST;
        known.then_some(self.client.client_id.as_str())
    }
}

/// RFC 6749, section 5.2: the challenge is for clients that used the header.
fn challenged(error: OauthError, basic: bool) -> OauthError {
    let basic_challenge = basic && error.status == StatusCode::UNAUTHORIZED;
    OauthError { basic_challenge, ..error }
}
