//! The authorization server (OAuth 2.1) as functions from a request to an answer. Knows no HTTP framework and no
//! XML-RPC.
//!
//! Odoo hosts login and consent and keeps every record; this module is the protocol. It owns the seam that it needs,
//! `AuthorizationStore`. One file an endpoint or grant; `endpoint` has the list of them.

mod budgets;
mod client_document;
mod client_text;
mod endpoint;
mod error;
pub mod fetch_guard;
mod http;
pub mod metadata;
mod policy;
pub mod redirect_uri;
mod register;
pub mod scopes;
mod server;
pub mod store;

pub use budgets::{Budget, Budgets};
pub use client_document::{ClientDocuments, DocumentError};
pub use endpoint::Endpoint;
pub use error::OauthError;
pub use http::{AuditNote, OauthAnswer, OauthRequest};
pub use policy::{Policy, PolicySource, RESOURCE_PATH};
pub use server::AuthorizationServer;
pub use store::{AuthorizationStore, StoreError};
