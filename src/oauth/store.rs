//! The store of the authorization server: clients, requests in flight, codes and tokens, all of which Odoo keeps.
//!
//! Its requests and answers are the contract's own documents; `app` implements the trait with the gateway, tests with
//! a table in memory. Each step that consumes something is one call, decided by the store alone, so that any
//! replica can carry it out.

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use crate::odoo::contract::oauth::{
    BeginAnswer, BeginRequest, ClientCredentialsRequest, ClientDocument, ClientKind, ClientRef,
    DocumentClient, Granted, IntrospectAnswer, IntrospectRequest, RefreshRequest, Refused, RegisterRequest,
    Registered, ResumeAnswer, ResumeRequest, ResumeState, RevokeAnswer, RevokeRequest, TokenRequest,
};

/// Why the store gave no answer, by what the endpoint then answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The administrator switched the server off.
    #[error("the MCP server is disabled by the administrator")]
    Disabled,
    /// Odoo is too busy at the moment.
    #[error("Odoo is too busy at the moment")]
    Busy { retry_after: Duration },
    /// Odoo cannot be reached, or did not answer in time.
    #[error("Odoo cannot be reached")]
    Unreachable,
    /// Odoo refused, and has stored what follows from it.
    #[error("refused: {}", .0.reason)]
    Refused(Box<Refused>),
    /// Odoo failed, or does not speak this part of the contract.
    #[error("Odoo failed to carry out the request")]
    Failed,
}

/// An answer of the store.
pub type Stored<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The records of the authorization server. One method for each method `oauth_*` of the contract.
pub trait AuthorizationStore: Send + Sync {
    /// The client with this id; none: it is unknown.
    fn client<'a>(&'a self, client_id: &'a str) -> Stored<'a, Option<ClientDocument>>;

    /// Stores a client that registers itself.
    fn register<'a>(&'a self, request: &'a RegisterRequest) -> Stored<'a, Registered>;

    /// Stores an authorization request, for consent to find.
    fn begin<'a>(&'a self, request: &'a BeginRequest) -> Stored<'a, BeginAnswer>;

    /// What became of an authorization request; an approved one gets its code.
    fn resume<'a>(&'a self, request: &'a ResumeRequest) -> Stored<'a, ResumeAnswer>;

    /// Exchanges a code for a pair of tokens.
    fn exchange_code<'a>(&'a self, request: &'a TokenRequest) -> Stored<'a, Granted>;

    /// Rotates a refresh token.
    fn refresh<'a>(&'a self, request: &'a RefreshRequest) -> Stored<'a, Granted>;

    /// Grants an access token to a confidential client by itself.
    fn client_credentials<'a>(&'a self, request: &'a ClientCredentialsRequest) -> Stored<'a, Granted>;

    /// Revokes a token.
    fn revoke<'a>(&'a self, request: &'a RevokeRequest) -> Stored<'a, RevokeAnswer>;

    /// The state of a token, for a confidential client.
    fn introspect<'a>(&'a self, request: &'a IntrospectRequest) -> Stored<'a, IntrospectAnswer>;
}
