//! Builders of warp responses: faults, JSON, bytes and streams.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use warp::reply::{Reply, Response};

use super::http_fault::HttpFault;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The answer to a refused request.
pub(super) fn refuse(fault: &HttpFault, id: Option<&Value>) -> Response {
    let mut response = json(fault.status(), &fault.body(id));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = fault.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    if let Some(challenge) = fault.challenge().and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if *fault == HttpFault::Encoding {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(allow) = fault.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = bytes(status, Bytes::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    bytes(status, Bytes::new())
}

/// An answer with a complete body.
pub(super) fn bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

/// An answer with a streamed body.
pub(super) fn stream<S>(body: S) -> Response
where
    S: futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + Sync + 'static,
{
    warp::reply::stream(body).into_response()
}
