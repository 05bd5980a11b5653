//! The metadata documents over HTTP, and the JSON 404 of every other well-known path (O13).
//!
//! They are public and the same for everybody: any web page may read them, and no cookie, credential or origin is
//! looked at.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;
use warp::reply::Response;

use super::reply;
use super::request::HttpRequest;
use super::server_state::ServerState;
use crate::oauth::metadata::Document;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Short: an administrator's change reaches clients within a minute.
const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// Headers that browser clients send along.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, accept, mcp-protocol-version");

/// Whether a path is one of well-known documents, of the origin or of the endpoint.
pub(super) fn is_well_known(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/.well-known") || below("/odoo/mcp/.well-known")
}

/// Serves one request to a well-known path.
pub(super) fn serve(state: &ServerState, request: &HttpRequest) -> Response {
    let target = &request.transport.target;
    if let Err(fault) = state.host_policy.check(target, &request.headers) {
        return reply::refuse(&fault, None);
    }
    let mut response = match Document::at(target.path()) {
        Some(document) => answer(state, document, &request.method),
        None => missing("There is no such document; MCP is at /odoo/mcp"),
    };
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn answer(state: &ServerState, document: Document, method: &Method) -> Response {
    let oauth = &state.deps.oauth;
    let policy = oauth.policy();
    if !policy.enable_oauth {
        return missing("OAuth is switched off; send an API key as Authorization: Bearer");
    }
    match *method {
        Method::GET | Method::HEAD => {
            let body = oauth.metadata.documents(oauth.features(&policy)).body(document);
            let mut response = reply::bytes(StatusCode::OK, body);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, MAX_AGE);
            response
        }
        Method::OPTIONS => {
            let mut response = reply::empty(StatusCode::NO_CONTENT);
            add_preflight_headers(response.headers_mut());
            response
        }
        _ => {
            let text = "A metadata document is read with GET";
            let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
            response.headers_mut().insert(ALLOW, METHODS);
            response
        }
    }
}

fn add_preflight_headers(headers: &mut HeaderMap) {
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
}

fn missing(text: &str) -> Response {
    error(StatusCode::NOT_FOUND, "not_found", text)
}

fn error(status: StatusCode, code: &str, text: &str) -> Response {
    let mut response = reply::json(status, &json!({"error": code, "error_description": text}));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
