//! Dynamic client registration (RFC 7591): what a client says of itself, what of it is kept, and the answer.
//!
//! Lenient where clients differ and nothing depends on it: unknown members, further grants and wrong application types
//! are dropped, and the answer says what was kept. Strict about redirect URIs. Each registration makes a client of its
//! own, so that none can harm another (O08).

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::budgets::Budget;
use super::client_text;
use super::error::OauthError;
use super::http::{AuditNote, OauthAnswer, OauthRequest};
use super::policy::Policy;
use super::redirect_uri::RedirectUri;
use super::scopes;
use super::server::AuthorizationServer;
use super::store::{RegisterRequest, StoreError};
use crate::vocab::{CredentialKind, Proof, Scope, Secret, base62, quoted_json};

/// The act in the audit log.
const METHOD: &str = "oauth/register";

/// Redirect URIs of one client; real ones have one to four.
const MAX_REDIRECT_URIS: usize = 20;

/// Refused redirect URIs that are explained in the answer.
const MAX_EXPLAINED: usize = 5;

/// Grants that a client can get by registration; others are an administrator's to give.
const GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];

/// Base62 digits of a client id: 128 bits.
const CLIENT_ID_DIGITS: usize = 22;

/// A client as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registration {
    name: String,
    redirect_uris: Vec<String>,
    auth_method: &'static str,
    grant_types: Vec<&'static str>,
    client_uri: Option<String>,
    software_id: Option<String>,
    /// Space separated.
    scope: String,
}

/// Answers `POST /oauth/register`.
pub(super) async fn register(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let mut name = None;
    match answer(server, request, &mut name).await {
        Ok(answer) => {
            answer.with_audit(AuditNote { method: Some(METHOD), client: name, ..AuditNote::default() })
        }
        Err(error) => error.to_answer(METHOD, name.as_deref()),
    }
}

async fn answer(
    server: &AuthorizationServer,
    request: &OauthRequest,
    name: &mut Option<String>,
) -> Result<OauthAnswer, OauthError> {
    let policy = server.policy();
    check_allowed(&policy)?;
    server.budgets.acquire(Budget::Register, request.peer)?;
    let client = Registration::read(&request.body, policy.default_scope)?;
    *name = Some(client.name.clone());
    let client_id = format!("mcp_client_{}", base62(&rand::random::<[u8; 16]>(), CLIENT_ID_DIGITS));
    let secret =
        (client.auth_method != "none").then(|| CredentialKind::ClientSecret.text_of(&rand::random()));
    let stored = RegisterRequest {
        client_id,
        name: client.name.clone(),
        redirect_uris: client.redirect_uris.clone(),
        auth_method: client.auth_method.to_owned(),
        secret: secret.as_ref().map(|secret| Proof::of_text(secret.expose())),
        grant_types: client.grant_types.iter().map(|grant| (*grant).to_owned()).collect(),
        client_uri: client.client_uri.clone(),
        software_id: client.software_id.clone(),
        ip: request.peer.to_string(),
    };
    let registered = server.store.register(&stored).await.map_err(refused)?;
    let document = client.document(&stored.client_id, registered.issued_at, secret.as_ref());
    Ok(OauthAnswer::json(StatusCode::CREATED, &document))
}

fn check_allowed(policy: &Policy) -> Result<(), OauthError> {
    policy.check_enabled()?;
    policy.check_open()?;
    if policy.allow_dynamic_registration {
        return Ok(());
    }
    Err(forbidden(
        "registration_disabled",
        "Dynamic client registration is switched off; ask the administrator of Odoo for a client id, or to allow it in the \
         Server Settings of the MCP server",
    ))
}

fn forbidden(reason: &'static str, description: &'static str) -> OauthError {
    OauthError { status: StatusCode::FORBIDDEN, ..OauthError::new("access_denied", reason, description) }
}

/// Odoo's refusal: it has switched registration off meanwhile, or finds fault with the client.
fn refused(error: StoreError) -> OauthError {
    let error = OauthError::from(error);
    match error.code.as_ref() {
        "access_denied" => OauthError { status: StatusCode::FORBIDDEN, ..error },
        _ => error,
    }
}

// === impl Registration ===

impl Registration {
    fn read(body: &[u8], default_scope: Scope) -> Result<Self, OauthError> {
        let document: Value = serde_json::from_slice(body)
            .map_err(|_| invalid("The body must be client metadata as a JSON object (RFC 7591)"))?;
        let members = document.as_object().ok_or_else(|| invalid("Client metadata must be a JSON object"))?;
        let redirect_uris = redirect_uris(members)?;
        check_response_types(members)?;
        Ok(Self {
            name: client_text::client_name(members, &redirect_uris),
            auth_method: auth_method(members)?,
            grant_types: grant_types(members)?,
            client_uri: client_text::client_uri(members),
            software_id: client_text::software_id(members),
            scope: scope(members, default_scope),
            redirect_uris,
        })
    }

    /// The answer: what was kept. A member that stands for nothing is absent, never null. There is no
    /// `registration_client_uri`: a registration cannot be read or changed, only made anew.
    fn document(&self, client_id: &str, issued_at: u64, secret: Option<&Secret>) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("client_id", json!(client_id));
        put("client_id_issued_at", json!(issued_at));
        if let Some(secret) = secret {
            put("client_secret", json!(secret.expose()));
            put("client_secret_expires_at", json!(0));
        }
        put("client_name", json!(self.name));
        put("redirect_uris", json!(self.redirect_uris));
        put("grant_types", json!(self.grant_types));
        put("response_types", json!(["code"]));
        put("token_endpoint_auth_method", json!(self.auth_method));
        put("scope", json!(self.scope));
        for (name, value) in [("client_uri", &self.client_uri), ("software_id", &self.software_id)] {
            if let Some(value) = value {
                put(name, json!(value));
            }
        }
        members
    }
}

fn invalid(description: impl Into<Cow<'static, str>>) -> OauthError {
    OauthError::new("invalid_client_metadata", "invalid_client_metadata", description)
}

fn invalid_redirect(description: impl Into<Cow<'static, str>>) -> OauthError {
    OauthError::new("invalid_redirect_uri", "invalid_redirect_uri", description)
}

/// The accepted ones; others are dropped, unless none is left: Cursor registers three at once (O06).
fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<String>, OauthError> {
    let listed = match members.get("redirect_uris") {
        Some(Value::Array(listed)) if !listed.is_empty() => listed,
        _ => return Err(invalid_redirect("redirect_uris must be a list of at least one redirect URI")),
    };
    if listed.len() > MAX_REDIRECT_URIS {
        return Err(invalid_redirect("redirect_uris must hold at most 20 redirect URIs"));
    }
    let (mut accepted, mut faults): (Vec<String>, Vec<String>) = Default::default();
    for value in listed {
        let checked = match value.as_str() {
            Some(uri) => RedirectUri::parse(uri).map_err(|error| error.to_string()),
            None => Err("it is not a text".to_owned()),
        };
        match checked {
            Ok(uri) if !accepted.iter().any(|known| known == uri.as_str()) => {
                accepted.push(uri.as_str().to_owned())
            }
            Ok(_) => {}
            Err(fault) => faults.push(format!("{}: {fault}", quoted_json(value))),
        }
    }
    if !accepted.is_empty() {
        return Ok(accepted);
    }
    faults.truncate(MAX_EXPLAINED);
    Err(invalid_redirect(format!("No redirect URI can be accepted. {}", faults.join("; "))))
}

/// A missing method means Basic (RFC 7591, section 2). What is not served, such as a signed assertion, becomes `none`,
/// and the answer says so: PKCE protects such a client as it does every public one.
fn auth_method(members: &Map<String, Value>) -> Result<&'static str, OauthError> {
    match members.get("token_endpoint_auth_method") {
        None | Some(Value::Null) => Ok("client_secret_basic"),
        Some(Value::String(method)) => Ok(match method.as_str() {
            "client_secret_basic" => "client_secret_basic",
            "client_secret_post" => "client_secret_post",
            _ => "none",
        }),
        Some(_) => Err(invalid("token_endpoint_auth_method must be a text")),
    }
}

/// The grants that are asked for and served; without any, both.
fn grant_types(members: &Map<String, Value>) -> Result<Vec<&'static str>, OauthError> {
    let Some(asked) = texts(members, "grant_types")? else { return Ok(GRANTS.to_vec()) };
    let granted: Vec<_> = GRANTS.into_iter().filter(|grant| asked.contains(grant)).collect();
    if granted.contains(&GRANTS[0]) {
        return Ok(granted);
    }
    Err(invalid(
        "grant_types must hold authorization_code. Clients that sign in without a person, by client_credentials, are made by \
         an administrator in Odoo; an API key does the same",
    ))
}

fn check_response_types(members: &Map<String, Value>) -> Result<(), OauthError> {
    match texts(members, "response_types")? {
        Some(types) if !types.contains(&"code") => {
            Err(invalid("response_types must hold code, the one that is served"))
        }
        _ => Ok(()),
    }
}

/// A list of texts; none: it is missing or empty.
fn texts<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, OauthError> {
    let malformed = || invalid(format!("{name} must be a list of texts"));
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => {
            let texts: Option<Vec<_>> = values.iter().map(Value::as_str).collect();
            texts.map(|texts| Some(texts).filter(|texts| !texts.is_empty())).ok_or_else(malformed)
        }
        Some(_) => Err(malformed()),
    }
}

/// The known scopes among those that are asked for, else the default: clients go on to ask for what this says (O02).
fn scope(members: &Map<String, Value>, default: Scope) -> String {
    let asked = members.get("scope").and_then(Value::as_str).unwrap_or("");
    let granted = scopes::names(scopes::requested(asked).unwrap_or(default));
    let offline = asked.split_ascii_whitespace().find(|name| *name == "offline_access");
    granted.iter().copied().chain(offline).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: Value) -> Result<Registration, OauthError> {
        let mut document = json!({"redirect_uris": ["https://claude.ai/cb"]});
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Registration::read(document.to_string().as_bytes(), Scope::Full)
    }

    #[test]
    fn members_are_kept_dropped_or_defaulted() {
        let plain = read(json!({})).unwrap();
        assert_eq!((plain.name.as_str(), plain.auth_method), ("claude.ai", "client_secret_basic"));
        assert_eq!((plain.grant_types.as_slice(), plain.scope.as_str()), (&GRANTS[..], "mcp:read mcp:write"));
        for (method, expected) in [
            ("none", "none"),
            ("client_secret_post", "client_secret_post"),
            ("client_secret_basic", "client_secret_basic"),
            ("private_key_jwt", "none"),
            ("client_secret_jwt", "none"),
            ("tls_client_auth", "none"),
        ] {
            assert_eq!(read(json!({"token_endpoint_auth_method": method})).unwrap().auth_method, expected);
        }
        for (asked, expected) in [
            ("mcp:read", "mcp:read"),
            ("mcp:write", "mcp:read mcp:write"),
            ("openid profile", "mcp:read mcp:write"),
            ("openid mcp:read offline_access", "mcp:read offline_access"),
            ("", "mcp:read mcp:write"),
        ] {
            assert_eq!(read(json!({"scope": asked})).unwrap().scope, expected, "{asked}");
        }
        let grants =
            json!(["urn:ietf:params:oauth:grant-type:device_code", "implicit", "authorization_code"]);
        assert_eq!(read(json!({"grant_types": grants})).unwrap().grant_types, ["authorization_code"]);
        let odd = json!({"contacts": 7, "logo_uri": [], "jwks": null, "application_type": "web", "x": {"y": 1},
            "grant_types": [], "response_types": null, "scope": ["mcp:read"], "client_name": null});
        assert!(read(odd).is_ok());
    }

    #[test]
    fn what_is_no_client_is_refused() {
        for (change, code) in [
            (json!({"redirect_uris": null}), "invalid_redirect_uri"),
            (json!({"redirect_uris": []}), "invalid_redirect_uri"),
            (json!({"redirect_uris": "https://claude.ai/cb"}), "invalid_redirect_uri"),
            (json!({"redirect_uris": [7, null]}), "invalid_redirect_uri"),
            (json!({"redirect_uris": vec!["https://claude.ai/cb"; 21]}), "invalid_redirect_uri"),
            (json!({"grant_types": ["client_credentials"]}), "invalid_client_metadata"),
            (json!({"grant_types": ["implicit"]}), "invalid_client_metadata"),
            (json!({"grant_types": "authorization_code"}), "invalid_client_metadata"),
            (json!({"grant_types": [1]}), "invalid_client_metadata"),
            (json!({"response_types": ["token"]}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": 1}), "invalid_client_metadata"),
        ] {
            let error = read(change.clone()).unwrap_err();
            assert_eq!((error.status, error.code.as_ref()), (StatusCode::BAD_REQUEST, code), "{change}");
        }
        for body in ["", "{", "[]", "null", "\"x\"", "a=b&c=d", "{\"redirect_uris\""] {
            let error = Registration::read(body.as_bytes(), Scope::Full).unwrap_err();
            assert_eq!(error.code, "invalid_client_metadata", "{body}");
        }
    }

    #[test]
    fn each_refused_redirect_uri_has_its_reason() {
        let uris = json!(["http://evil.example/cb", "javascript:alert(1)\"\n", "https://a/#x", 7]);
        let error = read(json!({"redirect_uris": uris})).unwrap_err();
        let text = error.description;
        for part in [
            "http://evil.example/cb\": http is accepted",
            "percent-encoded",
            "fragment",
            "7: it is not a text",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains('\n'));
    }
}
