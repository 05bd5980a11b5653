//! How a request ended, as rmcp's answer tells.
//!
//! Calls of our tools have told it before; what is looked at here are lists and the like, and what rmcp refuses
//! by itself.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use crate::audit::{Entry, Status, Verdict};
use crate::mcp::UNACCOUNTED;

/// How far into an answer an error begins: only the id of the request stands before it.
const HEAD: usize = 512;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Error<'a>>,
}

#[derive(Deserialize)]
struct Error<'a> {
    code: i32,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Closes the entry of a request by the body of its answer. Answers the fault that the client gets instead, where
/// the handler met one that has an HTTP status of its own: whether the entry was closed before does not matter.
pub fn of_body(body: &Bytes, entry: &Entry) -> Option<Fault> {
    let error = may_be_error(body).then(|| serde_json::from_slice::<Answer<'_>>(body).ok()?.error).flatten();
    match error {
        Some(error) => {
            end(entry, &error);
            fault(&error)
        }
        None => {
            entry.end(Verdict::SUCCESS);
            None
        }
    }
}

/// The same by a part of an event stream; requests and notifications of the server are no answer.
pub fn of_events(chunk: &Bytes, entry: &Entry) {
    if entry.is_over() {
        return;
    }
    for answer in answers(&String::from_utf8_lossy(chunk)) {
        match answer {
            Answer { method: None, error: Some(error), .. } => end(entry, &error),
            Answer { method: None, result: Some(_), .. } => entry.end(Verdict::SUCCESS),
            _ => {}
        }
    }
}

/// The fault that an event stream begins with.
pub fn of_first_event(chunk: &Bytes) -> Option<Fault> {
    // Behind `id:` and `data:`; most answers are long and none of them an error.
    if !may_be_error(chunk) {
        return None;
    }
    answers(&String::from_utf8_lossy(chunk)).find_map(|answer| fault(&answer.error?))
}

fn answers(text: &str) -> impl Iterator<Item = Answer<'_>> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data).ok())
}

/// The fault behind an error that a handler answers because it cannot choose the HTTP status.
fn fault(error: &Error<'_>) -> Option<Fault> {
    (error.code == UNACCOUNTED.0).then_some(Fault::AuditFull)
}

/// Looks for the member that comes after the id, since most answers are long and none of them an error.
pub fn may_be_error(body: &Bytes) -> bool {
    let head = body.get(..HEAD.min(body.len())).unwrap_or_default();
    let member = head.windows(8).find(|eight| matches!(*eight, b"\"result\"" | b"\"error\":"));
    member != Some(b"\"result\"".as_slice())
}

fn end(entry: &Entry, error: &Error<'_>) {
    let reason = match error.code {
        -32700 => "parse_error",
        -32600 => "invalid_request",
        -32601 => "method_not_found",
        -32602 => "invalid_params",
        code if code == UNACCOUNTED.0 => "audit_full",
        -32603 => "internal_error",
        _ => "protocol_error",
    };
    let failed = error.code == -32603;
    let status = if failed { Status::Error } else { Status::Refused };
    entry.end(Verdict { status, reason: Some(reason), error: Some(&error.message) });
}
