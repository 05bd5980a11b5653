//! The client's methods for the records of the authorization server.
//!
//! What consumes something, a code or a refresh token, is sent again only where Odoo has certainly not carried it out:
//! a repeated exchange would look like a replay and revoke what it has just granted.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::contract::oauth::{
    BeginAnswer, BeginRequest, ClientAnswer, ClientCredentialsRequest, ClientRequest, GrantAnswer,
    IntrospectAnswer, IntrospectRequest, RefreshRequest, Refusable, RegisterAnswer, RegisterRequest,
    ResumeAnswer, ResumeRequest, RevokeAnswer, RevokeRequest, TokenRequest,
};
use super::deadline::Deadline;
use super::exchange::ExchangeResources;
use super::failure::Failure;
use super::{Client, Error, encode};

impl Client {
    /// The client with this id, if there is one.
    pub async fn oauth_client(&self, request: &ClientRequest<'_>) -> Result<ClientAnswer, Error> {
        self.repeatable("oauth_client", request).await
    }

    /// Stores a client that registers itself.
    pub async fn oauth_register(
        &self,
        request: &RegisterRequest,
    ) -> Result<Refusable<RegisterAnswer>, Error> {
        self.once("oauth_register", request).await
    }

    /// Stores an authorization request.
    pub async fn oauth_begin(&self, request: &BeginRequest) -> Result<Refusable<BeginAnswer>, Error> {
        self.once("oauth_begin", request).await
    }

    /// What became of an authorization request; repeated, it gives the same answer.
    pub async fn oauth_resume(&self, request: &ResumeRequest) -> Result<Refusable<ResumeAnswer>, Error> {
        self.repeatable("oauth_resume", request).await
    }

    /// Exchanges a code.
    pub async fn oauth_token(&self, request: &TokenRequest) -> Result<Refusable<GrantAnswer>, Error> {
        self.once("oauth_token", request).await
    }

    /// Rotates a refresh token.
    pub async fn oauth_refresh(&self, request: &RefreshRequest) -> Result<Refusable<GrantAnswer>, Error> {
        self.once("oauth_refresh", request).await
    }

    /// Grants a token to a client by itself.
    pub async fn oauth_client_credentials(
        &self,
        request: &ClientCredentialsRequest,
    ) -> Result<Refusable<GrantAnswer>, Error> {
        self.once("oauth_client_credentials", request).await
    }

    /// Revokes a token; repeated, it changes nothing more.
    pub async fn oauth_revoke(&self, request: &RevokeRequest) -> Result<Refusable<RevokeAnswer>, Error> {
        self.repeatable("oauth_revoke", request).await
    }

    /// The state of a token.
    pub async fn oauth_introspect(
        &self,
        request: &IntrospectRequest,
    ) -> Result<Refusable<IntrospectAnswer>, Error> {
        self.repeatable("oauth_introspect", request).await
    }

    async fn repeatable<Q, A>(&self, method: &'static str, request: &Q) -> Result<A, Error>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        self.request(ExchangeResources::control(), method, request, self.options.control_timeout()).await
    }

    async fn once<Q, A>(&self, method: &'static str, request: &Q) -> Result<A, Error>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        let deadline = Deadline::within(self.options.control_timeout());
        let json = || encode::json(request);
        let text = self.exchanger.send_if_undone(&ExchangeResources::control(), method, json, deadline).await;
        text.map_err(Failure::into_read_error)?.parse()
    }
}
