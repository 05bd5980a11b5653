//! `oauth_*`: the records of the authorization server, which Odoo keeps.
//!
//! Scopes travel as lists of OAuth names. No member holds a secret: all of them are proofs.

use serde::{Deserialize, Serialize};

use crate::vocab::{ConnectionId, Proof, UserId};

/// A refusal that is an answer, not a fault: a fault would roll back what follows from it, such as the revocation
/// after a replay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The error code of OAuth.
    pub error: String,
    /// The reason in one word, for logs.
    pub reason: String,
    /// A sentence for the developer or the user of the client.
    pub description: String,
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    #[serde(default)]
    pub user: Option<UserId>,
}

/// An answer, or the refusal in its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Refusable<T> {
    Refused { refused: Refused },
    Answer(T),
}

#[derive(Debug, Clone, Serialize)]
pub struct ClientRequest<'a> {
    pub client_id: &'a str,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ClientAnswer {
    pub client: Option<ClientDocument>,
}

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// It registered itself.
    Dynamic,
    /// An administrator made it.
    Manual,
    /// Its id is the address of its metadata document.
    Document,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientDocument {
    pub client_id: String,
    pub name: String,
    pub kind: ClientKind,
    /// `none`, `client_secret_basic` or `client_secret_post`.
    pub auth_method: String,
    pub redirect_uris: Vec<String>,
    pub grant_types: Vec<String>,
    pub active: bool,
}

/// A client as it authenticates at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientRef {
    pub client_id: String,
    /// None: it sent none.
    pub secret: Option<Proof>,
    pub auth_method: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct RegisterRequest {
    pub client_id: String,
    pub name: String,
    pub redirect_uris: Vec<String>,
    pub auth_method: String,
    pub secret: Option<Proof>,
    pub grant_types: Vec<String>,
    pub client_uri: Option<String>,
    pub software_id: Option<String>,
    pub ip: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RegisterAnswer {
    pub registered: Registered,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Registered {
    /// Seconds of Unix time.
    pub issued_at: u64,
}

/// An authorization request.
#[derive(Debug, Clone, Serialize)]
pub struct BeginRequest {
    pub request: Proof,
    /// Of the secret in the browser's cookie.
    pub browser: Proof,
    pub client_id: String,
    /// What the client's metadata document says; none for other clients.
    pub document: Option<DocumentClient>,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub code_challenge: String,
    /// None: no scope was asked for.
    pub scope: Option<Vec<String>>,
    pub resource: String,
    pub issuer: String,
    pub ip: String,
}

/// A client that is known by its metadata document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentClient {
    pub name: String,
    pub redirect_uris: Vec<String>,
    pub client_uri: Option<String>,
    /// Seconds for which the document may be cached.
    pub expires_in: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct BeginAnswer {
    /// Seconds.
    pub expires_in: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ResumeRequest {
    pub request: Proof,
    pub browser: Proof,
    /// Of the approval that the consent page handed to this browser.
    pub approval: Option<Proof>,
    /// Of the code that an approved request gets.
    pub code: Proof,
}

/// How far an authorization request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeState {
    Approved,
    Denied,
    Pending,
    Expired,
    /// No such request, or not of this browser.
    Unknown,
    /// Its code has been exchanged.
    Used,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ResumeAnswer {
    pub state: ResumeState,
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// The client's own `state`.
    #[serde(default)]
    pub client_state: Option<String>,
    #[serde(default)]
    pub client_name: Option<String>,
    #[serde(default)]
    pub issuer: Option<String>,
    #[serde(default)]
    pub user: Option<UserId>,
    #[serde(default)]
    pub connection: Option<ConnectionId>,
}

#[derive(Debug, Clone, Serialize)]
pub struct TokenRequest {
    pub client: ClientRef,
    pub code: Proof,
    pub redirect_uri: Option<String>,
    /// S256 of the verifier; none: it sent none.
    pub code_challenge: Option<String>,
    pub resource: Option<String>,
    pub access: Proof,
    pub refresh: Proof,
    pub ip: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RefreshRequest {
    pub client: ClientRef,
    pub token: Proof,
    pub scope: Option<Vec<String>>,
    pub resource: Option<String>,
    pub access: Proof,
    pub refresh: Proof,
    pub ip: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct ClientCredentialsRequest {
    pub client: ClientRef,
    pub scope: Option<Vec<String>>,
    pub resource: Option<String>,
    pub access: Proof,
    pub ip: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GrantAnswer {
    pub granted: Granted,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Granted {
    pub scope: Vec<String>,
    /// Seconds that the access token still lives.
    pub expires_in: u64,
    /// Whether a refresh token was stored.
    pub refresh: bool,
    pub client_name: String,
    pub connection: ConnectionId,
    pub user: UserId,
}

#[derive(Debug, Clone, Serialize)]
pub struct RevokeRequest {
    pub client: ClientRef,
    pub token: Proof,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct RevokeAnswer {
    pub revoked: bool,
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    #[serde(default)]
    pub user: Option<UserId>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IntrospectRequest {
    pub client: ClientRef,
    pub token: Proof,
}

/// RFC 7662; all but `active` are absent where it is false.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct IntrospectAnswer {
    pub active: bool,
    #[serde(default)]
    pub scope: Vec<String>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub exp: Option<i64>,
    #[serde(default)]
    pub iat: Option<i64>,
    #[serde(default)]
    pub aud: Option<String>,
    #[serde(default)]
    pub sub: Option<String>,
}
