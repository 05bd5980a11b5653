//! The authorization endpoint: checks the request, stores it bound to the browser, and leads to consent in Odoo.
//!
//! The client and its redirect URI come first. Until both are verified every error is a page: redirecting it would make
//! this server lead anybody's browser anywhere. After that, errors go back to the client.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{Method, StatusCode};

use super::browser;
use super::budgets::Budget;
use super::client_document::{ClientDocuments, DocumentError};
use super::error::OauthError;
use super::http::{AuditNote, OauthAnswer, OauthRequest};
use super::params::Params;
use super::policy::Policy;
use super::server::AuthorizationServer;
use super::store::{BeginRequest, DocumentClient, StoreError};
use super::{pages, redirect, redirect_uri, resource, scopes};
use crate::vocab::Proof;

const METHOD: &str = "oauth/authorize";

/// Where Odoo asks for consent.
const CONSENT_PATH: &str = "/mcp_sidecar/consent";

/// The bound of `state`, in bytes.
const MAX_STATE_BYTES: usize = 4096;

/// The length of a SHA-256 in base64url (RFC 7636, section 4.2).
const CHALLENGE_LEN: usize = 43;

/// The longest client id, in bytes.
const MAX_CLIENT_ID_BYTES: usize = 2000;

/// Advice where a client is not known (O10).
const ADD_AGAIN: &str = "Remove the server from your AI tool and add it again";

/// A client whose redirect URI was verified.
struct VerifiedClient {
    client_id: String,
    name: String,
    document: Option<DocumentClient>,
    redirect_uri: String,
    may_use_codes: bool,
}

/// The client's own choices, checked.
struct Choices {
    code_challenge: String,
    resource: String,
    scope: Option<Vec<String>>,
}

/// An error for a person to read, or one for the client.
enum Failure {
    Page { title: &'static str, error: Box<OauthError>, client: Option<String> },
    Redirect { client: Box<VerifiedClient>, error: Box<OauthError> },
}

pub(super) async fn authorize(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    let params = match read_params(request) {
        Ok(params) => params,
        Err(error) => return pages::error_page("This login cannot be started", &error, METHOD, None),
    };
    // Without a look at what `state` is: a client that sends it twice gets its error without it.
    let state = params.get("state").ok().flatten().filter(|state| state.len() <= MAX_STATE_BYTES);
    match begin(server, request, &params, state).await {
        Ok(answer) => answer,
        Err(Failure::Page { title, error, client }) => {
            pages::error_page(title, &error, METHOD, client.as_deref())
        }
        Err(Failure::Redirect { client, error }) => {
            let uri = &client.redirect_uri;
            let url = redirect::with_error(uri, &error.code, &error.description, state, &server.issuer);
            pages::redirect(see_other(request), &url, error.audit_note(METHOD, Some(&client.name)))
        }
    }
}

fn read_params(request: &OauthRequest) -> Result<Params, OauthError> {
    if request.method == Method::POST {
        Params::of_form(&request.headers, &request.body)
    } else {
        Params::parse(request.query.as_bytes())
    }
}

/// A browser follows both with GET; most clients and proxies know the older one better.
fn see_other(request: &OauthRequest) -> StatusCode {
    if request.method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND }
}

async fn begin(
    server: &AuthorizationServer,
    request: &OauthRequest,
    params: &Params,
    state: Option<&str>,
) -> Result<OauthAnswer, Failure> {
    let policy = server.policy();
    check_available(server, &policy, request)?;
    let client = verified_client(server, request, params).await?;
    let Choices { code_challenge, resource, scope } = match choices(server, &client, params) {
        Ok(choices) => choices,
        Err(error) => return Err(Failure::Redirect { client: Box::new(client), error: Box::new(error) }),
    };
    let handle = browser::random_secret();
    let secret = browser::secret_of(server, &request.headers).unwrap_or_else(browser::random_secret);
    if request.method != Method::HEAD {
        let stored = BeginRequest {
            request: Proof::of_text(&handle),
            browser: Proof::of_text(&secret),
            client_id: client.client_id.clone(),
            document: client.document.clone(),
            redirect_uri: client.redirect_uri.clone(),
            state: state.map(str::to_owned),
            code_challenge,
            scope,
            resource,
            issuer: server.issuer.clone(),
            ip: request.peer.to_string(),
        };
        server.store.begin(&stored).await.map_err(|error| refused(error, &client.name))?;
    }
    let consent = format!("{}{CONSENT_PATH}?request={handle}", policy.web_url.trim_end_matches('/'));
    let note = AuditNote { method: Some(METHOD), client: Some(client.name), ..AuditNote::default() };
    let answer = pages::redirect(see_other(request), &consent, note);
    Ok(answer.with(SET_COOKIE, &browser::set_cookie(server, &secret)))
}

fn check_available(
    server: &AuthorizationServer,
    policy: &Policy,
    request: &OauthRequest,
) -> Result<(), Failure> {
    let title = "Login is not possible at the moment";
    policy.check_enabled().map_err(|error| page("Login is turned off", error))?;
    policy.check_open().map_err(|error| page(title, error))?;
    if policy.web_url.is_empty() || policy.key.is_none() {
        return Err(page(title, OauthError::unreachable()));
    }
    server.budgets.acquire(Budget::Authorize, request.peer).map_err(|error| page(title, error))
}

fn page(title: &'static str, error: OauthError) -> Failure {
    Failure::Page { title, error: Box::new(error), client: None }
}

/// Odoo's refusal to store the request: for the person, who can do something about it.
fn refused(error: StoreError, client: &str) -> Failure {
    let title = match &error {
        StoreError::Refused(refused) if refused.error == "invalid_client" => "This AI tool is not known here",
        StoreError::Refused(_) => "This login cannot be started",
        _ => "Login is not possible at the moment",
    };
    Failure::Page { title, error: Box::new(error.into()), client: Some(client.to_owned()) }
}

/// The client and its redirect URI.
async fn verified_client(
    server: &AuthorizationServer,
    request: &OauthRequest,
    params: &Params,
) -> Result<VerifiedClient, Failure> {
    let title = "This login cannot be started";
    let duplicate = |duplicate| page(title, OauthError::from(duplicate));
    let Some(client_id) = params.get("client_id").map_err(duplicate)? else {
        return Err(page(
            title,
            OauthError::invalid_request("The AI tool did not name itself (client_id is missing)"),
        ));
    };
    let requested = params.get("redirect_uri").map_err(duplicate)?;
    if client_id.len() > MAX_CLIENT_ID_BYTES {
        return Err(unknown_client());
    }
    let known = if ClientDocuments::is_url(client_id) {
        described_client(server, request, client_id).await?
    } else {
        stored_client(server, client_id).await?
    };
    let redirect_uri = match (requested, known.redirect_uris.as_slice()) {
        (Some(requested), registered) => registered
            .iter()
            .any(|registered| redirect_uri::matches(registered, requested))
            .then(|| requested.to_owned()),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    };
    let Some(redirect_uri) = redirect_uri else {
        let error = OauthError {
            reason: "redirect_uri".into(),
            ..OauthError::invalid_request(format!(
                "The address that {} wants the login to return to is not one that it has registered. {ADD_AGAIN}",
                known.name
            ))
        };
        return Err(Failure::Page { title, error: Box::new(error), client: Some(known.name) });
    };
    let KnownClient { name, document, may_use_codes, .. } = known;
    Ok(VerifiedClient { client_id: client_id.to_owned(), name, document, redirect_uri, may_use_codes })
}

/// A client of either kind, as far as this endpoint needs it.
struct KnownClient {
    name: String,
    redirect_uris: Vec<String>,
    document: Option<DocumentClient>,
    may_use_codes: bool,
}

async fn stored_client(server: &AuthorizationServer, client_id: &str) -> Result<KnownClient, Failure> {
    let title = "Login is not possible at the moment";
    let found = server.store.client(client_id).await.map_err(|error| page(title, error.into()))?;
    let client = found.ok_or_else(unknown_client)?;
    if !client.active {
        let text = format!("An administrator has turned {} off in Odoo. Ask the administrator", client.name);
        return Err(unusable_client("archived", text));
    }
    Ok(KnownClient {
        may_use_codes: client.grant_types.iter().any(|grant| grant == "authorization_code"),
        name: client.name,
        redirect_uris: client.redirect_uris,
        document: None,
    })
}

fn unknown_client() -> Failure {
    unusable_client("unknown", format!("The server does not know this AI tool, or no longer. {ADD_AGAIN}"))
}

fn unusable_client(reason: &'static str, text: String) -> Failure {
    let error = OauthError { status: StatusCode::BAD_REQUEST, ..OauthError::invalid_client(reason, text) };
    page("This AI tool is not known here", error)
}

async fn described_client(
    server: &AuthorizationServer,
    request: &OauthRequest,
    client_id: &str,
) -> Result<KnownClient, Failure> {
    let document = server.documents.get(client_id, request.peer).await.map_err(|error| {
        let text = format!("Login failed: {error}");
        let refused = match error {
            DocumentError::Busy { retry_after } => {
                OauthError::unavailable("document_budget", text, retry_after)
            }
            DocumentError::Fetch(_) => OauthError::unavailable("document_fetch", text, DOCUMENT_RETRY_AFTER),
            DocumentError::Off | DocumentError::InvalidUrl(_) | DocumentError::Invalid(_) => {
                OauthError { reason: "document".into(), ..OauthError::invalid_request(text) }
            }
        };
        page("The description of this AI tool cannot be used", refused)
    })?;
    Ok(KnownClient {
        name: document.name.clone(),
        redirect_uris: document.redirect_uris.clone(),
        document: Some(document),
        may_use_codes: true,
    })
}

/// Retry hint where a client's document could not be fetched: failures are cached as long.
const DOCUMENT_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What the client asks for; its errors go back to it.
fn choices(
    server: &AuthorizationServer,
    client: &VerifiedClient,
    params: &Params,
) -> Result<Choices, OauthError> {
    params.get("state")?;
    if params.all("state").any(|state| state.len() > MAX_STATE_BYTES) {
        return Err(OauthError::invalid_request("state has more than 4096 bytes"));
    }
    for (name, code) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
        if params.get(name)?.is_some() {
            return Err(OauthError::new(
                code,
                code,
                "Send the parameters themselves; request objects are not read",
            ));
        }
    }
    check_response(params)?;
    if !client.may_use_codes {
        let text = "This client may not let people log in: an administrator sets its grants in Odoo";
        return Err(OauthError::new("unauthorized_client", "grant_type", text));
    }
    let code_challenge = code_challenge(params)?;
    let resource = resource::requested(server, params)?.unwrap_or_else(|| server.resource.clone());
    let scope = params.get("scope")?.and_then(scopes::requested).map(scopes::to_list);
    Ok(Choices { code_challenge, resource, scope })
}

fn check_response(params: &Params) -> Result<(), OauthError> {
    match params.get("response_type")? {
        Some("code") => {}
        Some(_) => {
            let text = "The only response_type is code";
            return Err(OauthError::new("unsupported_response_type", "response_type", text));
        }
        None => return Err(OauthError::invalid_request("response_type is missing; it must be code")),
    }
    match params.get("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => Err(OauthError::invalid_request("The only response_mode is query")),
    }
}

/// PKCE with S256, from every client: a plain challenge would be the secret itself (RFC 9700, section 2.1.1).
fn code_challenge(params: &Params) -> Result<String, OauthError> {
    let refused = |text| Err(OauthError { reason: "pkce".into(), ..OauthError::invalid_request(text) });
    let challenge = params.get("code_challenge")?;
    let method = params.get("code_challenge_method")?;
    let Some(challenge) = challenge else {
        return refused("PKCE is needed: send code_challenge, and code_challenge_method=S256");
    };
    if method != Some("S256") {
        return refused("code_challenge_method must be S256");
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != CHALLENGE_LEN || !challenge.bytes().all(is_base64url) {
        return refused("code_challenge must be a SHA-256 in base64url without padding: 43 characters");
    }
    Ok(challenge.to_owned())
}
