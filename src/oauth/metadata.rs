//! Metadata documents: the protected resource (RFC 9728) and the authorization server (RFC 8414, OpenID discovery).
//!
//! Made of the configured public URL alone, never of a request, and kept as bytes until a feature changes, so that they
//! are answered from memory with Odoo down as well (O34). Clients probe for the second document at six places (O27),
//! which all answer the same.

use std::sync::{Arc, RwLock};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::vocab::RwLockExt;

/// Scopes of the resource. `offline_access` is none of them: it belongs to the authorization server.
const RESOURCE_SCOPES: [&str; 2] = ["mcp:read", "mcp:write"];

/// Which of the two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    ProtectedResource,
    AuthorizationServer,
}

/// What the documents promise beyond what is always served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `allow_dynamic_registration` of Server Settings.
    pub dynamic_registration: bool,
    /// Whether some client of an administrator has the grant.
    pub client_credentials: bool,
    /// Whether Client ID Metadata Documents can be fetched.
    pub client_documents: bool,
}

/// The documents in their present form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    features: Features,
    protected_resource: Bytes,
    authorization_server: Bytes,
}

/// The documents of one issuer.
#[derive(Debug)]
pub struct Metadata {
    issuer: String,
    resource: String,
    current: RwLock<Arc<Documents>>,
}

impl Document {
    /// The document that a path names. A slash at the end is one that a person typed behind the endpoint's URL (O04).
    pub fn at(path: &str) -> Option<Self> {
        match path.strip_suffix('/').unwrap_or(path) {
            "/.well-known/oauth-protected-resource" | "/.well-known/oauth-protected-resource/odoo/mcp" => {
                Some(Self::ProtectedResource)
            }
            "/.well-known/oauth-authorization-server"
            | "/.well-known/oauth-authorization-server/odoo/mcp"
            | "/.well-known/openid-configuration"
            | "/.well-known/openid-configuration/odoo/mcp"
            | "/odoo/mcp/.well-known/oauth-authorization-server"
            | "/odoo/mcp/.well-known/openid-configuration" => Some(Self::AuthorizationServer),
            _ => None,
        }
    }
}

// === impl Documents ===

impl Documents {
    fn build(issuer: &str, resource: &str, features: Features) -> Arc<Self> {
        let bytes = |document: Value| Bytes::from(document.to_string());
        Arc::new(Self {
            features,
            protected_resource: bytes(protected_resource(issuer, resource)),
            authorization_server: bytes(authorization_server(issuer, features)),
        })
    }

    pub fn body(&self, document: Document) -> Bytes {
        match document {
            Document::ProtectedResource => self.protected_resource.clone(),
            Document::AuthorizationServer => self.authorization_server.clone(),
        }
    }
}

// === impl Metadata ===

impl Metadata {
    /// `issuer` is the public URL without a slash at its end, `resource_path` the path of the MCP endpoint.
    pub fn new(issuer: &str, resource_path: &str) -> Self {
        let resource = format!("{issuer}{resource_path}");
        let current = RwLock::new(Documents::build(issuer, &resource, Features::default()));
        Self { issuer: issuer.to_owned(), resource, current }
    }

    /// The documents with these features; built anew only when one of them has changed.
    pub fn documents(&self, features: Features) -> Arc<Documents> {
        let current = Arc::clone(&self.current.read_locked());
        if current.features == features {
            return current;
        }
        let built = Documents::build(&self.issuer, &self.resource, features);
        *self.current.write_locked() = Arc::clone(&built);
        built
    }
}

fn protected_resource(issuer: &str, resource: &str) -> Value {
    json!({
        "resource": resource,
        "resource_name": "Odoo MCP Server",
        "authorization_servers": [issuer],
        "scopes_supported": RESOURCE_SCOPES,
        "bearer_methods_supported": ["header"],
    })
}

/// Says nothing that is not served: no keys of id tokens, though OpenID discovery would want some.
fn authorization_server(issuer: &str, features: Features) -> Value {
    let endpoint = |name: &str| format!("{issuer}/oauth/{name}");
    let mut grants = vec!["authorization_code", "refresh_token"];
    if features.client_credentials {
        grants.push("client_credentials");
    }
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "revocation_endpoint": endpoint("revoke"),
        "introspection_endpoint": endpoint("introspect"),
        "scopes_supported": ["mcp:read", "mcp:write", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    });
    if let Some(members) = document.as_object_mut() {
        // Absent rather than false or null: clients test for the member.
        if features.dynamic_registration {
            members.insert("registration_endpoint".to_owned(), json!(endpoint("register")));
        }
        if features.client_documents {
            members.insert("client_id_metadata_document_supported".to_owned(), json!(true));
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_built_once_for_each_change() {
        let metadata = Metadata::new("https://odoo.example.com:8443", "/odoo/mcp");
        let plain = metadata.documents(Features::default());
        assert!(Arc::ptr_eq(&plain, &metadata.documents(Features::default())));
        let all = Features { dynamic_registration: true, client_credentials: true, client_documents: true };
        let full = metadata.documents(all);
        assert!(Arc::ptr_eq(&full, &metadata.documents(all)));
        let read = |documents: &Documents| -> Value {
            serde_json::from_slice(&documents.body(Document::AuthorizationServer)).unwrap()
        };
        let (plain, full) = (read(&plain), read(&full));
        for member in ["registration_endpoint", "client_id_metadata_document_supported", "jwks_uri"] {
            assert!(plain.get(member).is_none(), "{member}");
        }
        assert_eq!(plain["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(full["registration_endpoint"], "https://odoo.example.com:8443/oauth/register");
        assert_eq!(full["client_id_metadata_document_supported"], true);
        assert_eq!(full["grant_types_supported"][2], "client_credentials");
    }
}
