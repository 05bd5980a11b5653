//! The authorization store in Odoo, and the policy as the mirror knows it.

use std::sync::Arc;
use std::time::Duration;

use crate::mirror::Mirror;
use crate::oauth::store::{
    AuthorizationStore, BeginAnswer, BeginRequest, ClientCredentialsRequest, ClientDocument, Granted,
    IntrospectAnswer, IntrospectRequest, RefreshRequest, RegisterRequest, Registered, ResumeAnswer,
    ResumeRequest, RevokeAnswer, RevokeRequest, StoreError, Stored, TokenRequest,
};
use crate::oauth::{Policy, PolicySource};
use crate::odoo::contract::FaultCode;
use crate::odoo::contract::oauth::{ClientRequest, GrantAnswer, Refusable};
use crate::odoo::{Client, Error};
use crate::vocab::{Proof, Scope};

/// Retry hint while Odoo is busy.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

/// The records in Odoo.
pub(super) struct OdooAuthorizationStore {
    pub(super) client: Arc<Client>,
    /// Learns of tokens that were issued or revoked through this replica.
    pub(super) mirror: Arc<Mirror>,
}

/// The policy of the authorization server: a snapshot of the mirror.
pub(super) fn policy_source(mirror: Arc<Mirror>) -> PolicySource {
    Box::new(move || {
        let settings = mirror.settings();
        let settings = settings.as_deref();
        Policy {
            gate: mirror.gate(),
            enable_oauth: settings.is_none_or(|settings| settings.enable_oauth),
            aliases: settings.is_some_and(|settings| settings.oauth_aliases),
            allow_dynamic_registration: settings.is_some_and(|settings| settings.allow_dynamic_registration),
            default_scope: settings.map_or(Scope::ReadOnly, |settings| settings.oauth_default_scope),
            offers_client_credentials: settings.is_some_and(|settings| settings.offers_client_credentials),
            previous_public_urls: settings
                .map(|settings| settings.previous_public_urls.clone())
                .unwrap_or_default(),
            web_url: mirror.web_url(),
            key: mirror.shared_key(),
        }
    })
}

impl AuthorizationStore for OdooAuthorizationStore {
    fn client<'a>(&'a self, client_id: &'a str) -> Stored<'a, Option<ClientDocument>> {
        Box::pin(async move {
            let answer = self.client.oauth_client(&ClientRequest { client_id }).await;
            answer.map(|answer| answer.client).map_err(|error| store_error(&error))
        })
    }

    fn register<'a>(&'a self, request: &'a RegisterRequest) -> Stored<'a, Registered> {
        Box::pin(async move {
            answered(self.client.oauth_register(request).await).map(|answer| answer.registered)
        })
    }

    fn begin<'a>(&'a self, request: &'a BeginRequest) -> Stored<'a, BeginAnswer> {
        Box::pin(async move { answered(self.client.oauth_begin(request).await) })
    }

    fn resume<'a>(&'a self, request: &'a ResumeRequest) -> Stored<'a, ResumeAnswer> {
        Box::pin(async move { answered(self.client.oauth_resume(request).await) })
    }

    fn exchange_code<'a>(&'a self, request: &'a TokenRequest) -> Stored<'a, Granted> {
        Box::pin(async move { self.granted(self.client.oauth_token(request).await, &request.access).await })
    }

    fn refresh<'a>(&'a self, request: &'a RefreshRequest) -> Stored<'a, Granted> {
        Box::pin(async move { self.granted(self.client.oauth_refresh(request).await, &request.access).await })
    }

    fn client_credentials<'a>(&'a self, request: &'a ClientCredentialsRequest) -> Stored<'a, Granted> {
        Box::pin(async move {
            self.granted(self.client.oauth_client_credentials(request).await, &request.access).await
        })
    }

    fn revoke<'a>(&'a self, request: &'a RevokeRequest) -> Stored<'a, RevokeAnswer> {
        Box::pin(async move {
            let answer = answered(self.client.oauth_revoke(request).await)?;
            if let Some(connection) = answer.connection {
                self.mirror.tokens_revoked(connection);
            }
            Ok(answer)
        })
    }

    fn introspect<'a>(&'a self, request: &'a IntrospectRequest) -> Stored<'a, IntrospectAnswer> {
        Box::pin(async move { answered(self.client.oauth_introspect(request).await) })
    }
}

impl OdooAuthorizationStore {
    /// The tokens of a grant; a client uses the access token at once. A refused code or refresh token that was used
    /// before has revoked the others of its family.
    async fn granted(
        &self,
        outcome: Result<Refusable<GrantAnswer>, Error>,
        access: &Proof,
    ) -> Result<Granted, StoreError> {
        let granted = answered(outcome).map(|answer| answer.granted);
        match &granted {
            Ok(_) => self.mirror.token_issued(access).await,
            Err(StoreError::Refused(refused)) => {
                if let Some(connection) = refused.connection.filter(|_| refused.reason == "reused") {
                    self.mirror.tokens_revoked(connection);
                }
            }
            Err(_) => {}
        }
        granted
    }
}

fn answered<T>(outcome: Result<Refusable<T>, Error>) -> Result<T, StoreError> {
    match outcome {
        Ok(Refusable::Answer(answer)) => Ok(answer),
        Ok(Refusable::Refused { refused }) => Err(StoreError::Refused(Box::new(refused))),
        Err(error) => Err(store_error(&error)),
    }
}

fn store_error(error: &Error) -> StoreError {
    match error {
        Error::Fault(fault) => match fault.code {
            FaultCode::Disabled => StoreError::Disabled,
            FaultCode::Unavailable | FaultCode::Deadline => {
                StoreError::Busy { retry_after: BUSY_RETRY_AFTER }
            }
            code => {
                tracing::error!(?code, "Odoo cannot carry out a request of the authorization server");
                StoreError::Failed
            }
        },
        Error::Busy | Error::MemoryFull => StoreError::Busy { retry_after: BUSY_RETRY_AFTER },
        _ => StoreError::Unreachable,
    }
}
