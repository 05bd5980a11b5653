//! The authorization server's shared parts, for the functions that each answer one endpoint.

use std::sync::Arc;

use super::budgets::Budgets;
use super::client_document::ClientDocuments;
use super::failed_secrets::FailedSecrets;
use super::metadata::{Features, Metadata};
use super::policy::{Policy, PolicySource, RESOURCE_PATH};
use super::store::AuthorizationStore;

/// One for the whole process.
pub struct AuthorizationServer {
    /// The configured public URL without a slash at its end: the same text in every document and answer.
    pub issuer: String,
    /// The URL of the MCP endpoint.
    pub resource: String,
    pub store: Arc<dyn AuthorizationStore>,
    pub budgets: Arc<Budgets>,
    /// Clients that describe themselves at a URL of theirs.
    pub documents: Arc<ClientDocuments>,
    pub metadata: Metadata,
    pub(super) failed_secrets: FailedSecrets,
    policy: PolicySource,
}

impl std::fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizationServer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl AuthorizationServer {
    pub fn new(
        issuer: &str,
        store: Arc<dyn AuthorizationStore>,
        documents: Arc<ClientDocuments>,
        budgets: Arc<Budgets>,
        policy: PolicySource,
    ) -> Self {
        Self {
            issuer: issuer.to_owned(),
            resource: format!("{issuer}{RESOURCE_PATH}"),
            store,
            budgets,
            documents,
            metadata: Metadata::new(issuer, RESOURCE_PATH),
            failed_secrets: FailedSecrets::new(),
            policy,
        }
    }

    /// The settings at this moment.
    pub fn policy(&self) -> Policy {
        (self.policy)()
    }

    /// What the metadata documents may promise at this moment.
    pub fn features(&self, policy: &Policy) -> Features {
        Features {
            dynamic_registration: policy.allow_dynamic_registration,
            client_credentials: policy.offers_client_credentials,
            client_documents: self.documents.is_advertised(),
        }
    }

    /// Whether the endpoints are on plain HTTP, which is for loopback addresses only.
    pub fn is_plain_http(&self) -> bool {
        self.issuer.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    }
}
