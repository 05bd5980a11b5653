//! Closes audit entries by rmcp's answer.
//!
//! Calls of our tools have closed theirs before; this is for lists and the like, and for rmcp's own refusals.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::http_fault::HttpFault;
use crate::audit::{RequestEntry, RequestOutcome, Status};
use crate::mcp::AUDIT_UNAVAILABLE;

/// How far into an answer an error begins: only the id of the request precedes it.
const MAX_ERROR_OFFSET: usize = 512;

#[derive(Deserialize)]
struct RpcAnswer<'a> {
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<RpcError<'a>>,
}

#[derive(Deserialize)]
struct RpcError<'a> {
    code: i32,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Closes the entry of a request by the body of its answer. Returns the fault that the client gets instead, if
/// the handler's error has an HTTP status of its own: whether the entry was closed before does not matter.
pub(super) fn close_by_body(body: &Bytes, entry: &RequestEntry) -> Option<HttpFault> {
    let error =
        may_be_error(body).then(|| serde_json::from_slice::<RpcAnswer<'_>>(body).ok()?.error).flatten();
    match error {
        Some(error) => {
            close_by_error(entry, &error);
            fault_of_error(&error)
        }
        None => {
            entry.end(RequestOutcome::SUCCESS);
            None
        }
    }
}

/// The same by a part of an event stream; requests and notifications of the server are no answer.
pub(super) fn close_by_events(chunk: &Bytes, entry: &RequestEntry) {
    if entry.has_ended() {
        return;
    }
    for answer in parse_events(&String::from_utf8_lossy(chunk)) {
        match answer {
            RpcAnswer { method: None, error: Some(error), .. } => close_by_error(entry, &error),
            RpcAnswer { method: None, result: Some(_), .. } => entry.end(RequestOutcome::SUCCESS),
            _ => {}
        }
    }
}

/// The fault that an event stream begins with.
pub(super) fn first_event_fault(chunk: &Bytes) -> Option<HttpFault> {
    // Behind `id:` and `data:`; most answers are long and not an error.
    if !may_be_error(chunk) {
        return None;
    }
    parse_events(&String::from_utf8_lossy(chunk)).find_map(|answer| fault_of_error(&answer.error?))
}

fn parse_events(text: &str) -> impl Iterator<Item = RpcAnswer<'_>> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data).ok())
}

/// The fault behind an error that a handler answers because it cannot choose the HTTP status.
fn fault_of_error(error: &RpcError<'_>) -> Option<HttpFault> {
    (error.code == AUDIT_UNAVAILABLE.0).then_some(HttpFault::AuditFull)
}

/// Scans for the member after the id only, since most answers are long and not an error.
pub(super) fn may_be_error(body: &Bytes) -> bool {
    let head = body.get(..MAX_ERROR_OFFSET.min(body.len())).unwrap_or_default();
    let member = head.windows(8).find(|eight| matches!(*eight, b"\"result\"" | b"\"error\":"));
    member != Some(b"\"result\"".as_slice())
}

fn close_by_error(entry: &RequestEntry, error: &RpcError<'_>) {
    let reason = match error.code {
        -32700 => "parse_error",
        -32600 => "invalid_request",
        -32601 => "method_not_found",
        -32602 => "invalid_params",
        code if code == AUDIT_UNAVAILABLE.0 => "audit_full",
        -32603 => "internal_error",
        _ => "protocol_error",
    };
    let failed = error.code == -32603;
    let status = if failed { Status::Error } else { Status::Refused };
    entry.end(RequestOutcome { status, reason: Some(reason), error: Some(&error.message) });
}
