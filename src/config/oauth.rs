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
#[serde(try_from = "String")]
pub enum ClientDocumentMode {
    /// Fetched, and advertised while fetching is known to work.
    #[default]
    Auto,
    /// Fetched and advertised.
    On,
    /// Neither fetched nor advertised.
    Off,
}

/// By hand, as serde's own words for a wrong name speak of variants.
impl TryFrom<String> for ClientDocumentMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(format!("{text:?} is not auto, on or off")),
        }
    }
}
