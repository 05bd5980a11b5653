//! The authorization server (OAuth 2.1) as functions from a request to an answer. Knows no HTTP framework and no
//! XML-RPC.
//!
//! Odoo hosts login and consent and keeps every record; this module is the protocol. It owns the seam that it needs,
//! `AuthorizationStore`. One file an endpoint or grant; `endpoint` has the list of them.

mod authorize;
mod browser;
mod budgets;
mod client_auth;
mod client_document;
mod client_text;
mod derive;
mod endpoint;
mod error;
mod failed_secrets;
pub mod fetch_guard;
mod form_endpoint;
mod grants;
mod http;
mod introspect;
pub mod metadata;
mod pages;
mod params;
mod policy;
mod redirect;
pub mod redirect_uri;
mod register;
mod resource;
mod resume;
mod revoke;
pub mod scopes;
mod server;
pub mod store;
mod token;

pub use budgets::{Budget, Budgets};
pub use client_document::{ClientDocuments, DocumentError};
pub use endpoint::{Endpoint, NOTHING_SERVED};
pub use error::OauthError;
pub use http::{AuditNote, OauthAnswer, OauthRequest};
pub use policy::{Policy, PolicySource, RESOURCE_PATH};
pub use server::AuthorizationServer;
pub use store::{AuthorizationStore, StoreError};
