//! How a request ended, as rmcp's answer tells.
//!
//! Calls of our tools have told it before; what is looked at here are lists and the like, and what rmcp refuses
//! by itself.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::audit::{Entry, Status, Verdict};

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

/// Tells the entry of a request how it was answered, by a body that is there as a whole; the error's code.
pub fn of_body(body: &Bytes, entry: &Entry) -> Option<i32> {
    if entry.is_over() || !may_be_error(body) {
        entry.end(Verdict::SUCCESS);
        return None;
    }
    let answer = serde_json::from_slice::<Answer<'_>>(body).ok();
    match answer.and_then(|answer| answer.error) {
        Some(error) => {
            end(entry, &error);
            Some(error.code)
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
    let text = String::from_utf8_lossy(chunk);
    for data in text.lines().filter_map(|line| line.strip_prefix("data:")) {
        match serde_json::from_str::<Answer<'_>>(data) {
            Ok(Answer { method: None, error: Some(error), .. }) => end(entry, &error),
            Ok(Answer { method: None, result: Some(_), .. }) => entry.end(Verdict::SUCCESS),
            _ => {}
        }
    }
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
        1007 => "audit_full",
        -32603 => "internal_error",
        _ => "protocol_error",
    };
    let failed = error.code == -32603;
    let status = if failed { Status::Error } else { Status::Refused };
    entry.end(Verdict { status, reason: Some(reason), error: Some(&error.message) });
}
