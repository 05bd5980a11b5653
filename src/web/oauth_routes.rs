//! The endpoints of OAuth over HTTP: host, CORS, method and bounded body; what they answer is decided in `oauth`.
//!
//! Any web page may call the JSON endpoints: they take no cookie, and a page learns nothing by them that a program
//! could not. Pages and redirects are not for scripts and get no CORS headers.

use std::time::Instant;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use uuid::Uuid;
use warp::reply::Response;

use super::http_fault::HttpFault;
use super::request::HttpRequest;
use super::server_state::ServerState;
use super::{body, reply};
use crate::audit::{RequestInfo, RequestOutcome};
use crate::oauth::{AuditNote, Endpoint, OauthAnswer, OauthError, OauthRequest};

/// The endpoint at this path; none: the path is not one of OAuth.
pub(super) fn endpoint_at(state: &ServerState, path: &str) -> Option<Endpoint> {
    Endpoint::at(path, state.deps.oauth.policy().aliases)
}

/// Serves one request to an endpoint.
pub(super) async fn serve(state: &ServerState, endpoint: Endpoint, request: HttpRequest) -> Response {
    let begun = Instant::now();
    let peer = state.client_address(&request.transport, &request.headers);
    if let Err(fault) = state.host_policy.check(&request.transport.target, &request.headers) {
        return reply::refuse(&fault, None);
    }
    if request.method == Method::OPTIONS {
        return preflight(endpoint);
    }
    let answer = answer(state, endpoint, request, peer).await;
    record(state, &answer.audit, peer, begun);
    let mut response = reply::bytes(answer.status, answer.body);
    response.headers_mut().extend(answer.headers);
    if !endpoint.is_page() {
        add_cors_headers(response.headers_mut());
    }
    response
}

async fn answer(
    state: &ServerState,
    endpoint: Endpoint,
    request: HttpRequest,
    peer: std::net::IpAddr,
) -> OauthAnswer {
    let method = endpoint.audit_method();
    if !endpoint.allows(&request.method) {
        let error = OauthError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..OauthError::new(
                "invalid_request",
                "method_not_allowed",
                format!("This address takes {} only", endpoint.allowed_methods()),
            )
        };
        return error.to_answer(method, None).with_allow(endpoint.allowed_methods());
    }
    let query = request.transport.target.query().unwrap_or("").to_owned();
    let timeout = state.limits.body_timeout;
    let body = match body::read(request.body, endpoint.max_body_bytes(), timeout).await {
        Ok(body) => body,
        Err(fault) => return unreadable(&fault).to_answer(method, None),
    };
    let request = OauthRequest { method: request.method, headers: request.headers, query, body, peer };
    endpoint.answer(&state.deps.oauth, &request).await
}

fn unreadable(fault: &HttpFault) -> OauthError {
    let (reason, message) = fault.audit_reason();
    OauthError { status: fault.status(), reason, ..OauthError::invalid_request(message) }
}

fn preflight(endpoint: Endpoint) -> Response {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(http::header::ALLOW, HeaderValue::from_static(endpoint.allowed_methods()));
    if !endpoint.is_page() {
        add_cors_headers(headers);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(endpoint.allowed_methods()));
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type, accept, mcp-protocol-version"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
    response
}

/// CORS for every origin, without credentials.
fn add_cors_headers(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, Retry-After"));
}

/// Records the outcome in the audit log.
fn record(state: &ServerState, note: &AuditNote, peer: std::net::IpAddr, begun: Instant) {
    let Some(method) = note.method else { return };
    if let Some(reason) = &note.reason {
        tracing::info!(method, %reason, %peer, "refused a request to the authorization server");
    }
    let entry = state.deps.audit.open(Uuid::now_v7(), peer, begun);
    if let (Some(connection), Some(user)) = (note.connection, note.user) {
        entry.identify(connection, user);
    }
    entry.describe(RequestInfo {
        method: Some(method.to_owned()),
        is_request: true,
        ..RequestInfo::default()
    });
    match &note.reason {
        Some(reason) => entry.end(RequestOutcome::refused(reason, note.error.as_deref().unwrap_or(""))),
        None => entry.end(RequestOutcome::SUCCESS),
    }
}
