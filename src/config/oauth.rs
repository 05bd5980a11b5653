//! `[oauth]`: what the authorization server may do on the network.

use serde::Deserialize;

/// The `[oauth]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthConfig {
    /// Whether documents of clients are fetched, and clients may rely on it.
    pub client_documents: ClientDocumentMode,
}

/// Whether Client ID Metadata Documents are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientDocumentMode {
    /// Fetched, and advertised while fetching is known to work.
    #[default]
    Auto,
    /// Fetched and advertised.
    On,
    /// Neither fetched nor advertised.
    Off,
}
