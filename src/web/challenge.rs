//! The protected resource (RFC 9728): which access tokens are for it, and where a refused client finds its metadata.
//!
//! Everything comes from the configured public URL, never from a header of the request: a forged `Host` must not
//! send a client to another server to sign in.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::MCP_PATH;
use crate::odoo::contract::SettingsDocument;

/// The scopes that every operation can be done with, the wider one included.
pub(super) const ALL_SCOPES: &str = "mcp:read mcp:write";

const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// `/odoo/mcp` as an OAuth resource.
#[derive(Debug)]
pub struct ProtectedResource {
    /// The audience of its tokens.
    identifier: String,
    /// What a challenge says besides the error.
    hint: HeaderValue,
}

impl ProtectedResource {
    /// The resource under this origin, which has no slash at its end.
    pub fn new(public_origin: &str) -> Self {
        let hint =
            format!("scope=\"{ALL_SCOPES}\", resource_metadata=\"{public_origin}{METADATA_PATH}{MCP_PATH}\"");
        Self {
            identifier: format!("{public_origin}{MCP_PATH}"),
            // The configuration takes no URL that fits no header.
            hint: HeaderValue::try_from(hint).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    /// Whether a token of this audience is accepted: issued for this resource, or for it under a public URL of before.
    pub fn accepts(&self, audience: Option<&str>, settings: &SettingsDocument) -> bool {
        let Some(audience) = audience else { return false };
        let before = |origin: &String| {
            audience.strip_suffix(MCP_PATH).is_some_and(|issued| issued == origin.trim_end_matches('/'))
        };
        audience == self.identifier || settings.previous_public_urls.iter().any(before)
    }

    /// Completes the challenge of a refusal, if it has one, with the metadata document and the scopes.
    pub fn complete_challenge(&self, headers: &mut HeaderMap) {
        let Some(challenge) = headers.get(WWW_AUTHENTICATE) else { return };
        let completed = [challenge.as_bytes(), b", ", self.hint.as_bytes()].concat();
        if let Ok(completed) = HeaderValue::from_bytes(&completed) {
            headers.insert(WWW_AUTHENTICATE, completed);
        }
    }
}
