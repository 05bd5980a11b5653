//! Shallow parser of the JSON-RPC envelope: enough to route and to refuse, without building a tree.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::http_fault::{HttpFault, Refusal};
use crate::mcp::{CheckedArguments, check_params, repaired_json};
use crate::sessions::client_text;
use crate::vocab::quoted;

/// Bound of the name of a method, tool, prompt or resource; it is compared, counted and quoted.
const MAX_NAME_CHARS: usize = 200;

/// Bound of an id; it is echoed, and kept while its request is in flight.
const MAX_ID_CHARS: usize = 1000;

/// What sort of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageKind {
    Request,
    Notification,
    /// The answer to a request of the server; only in sessions of the legacy era.
    Response,
}

/// The envelope of a message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub kind: MessageKind,
    /// Echoed in refusals.
    pub id: Option<Value>,
    pub method: Option<String>,
    /// `params.name`: of a tool, mostly.
    pub name: Option<String>,
    /// The revision that `_meta` declares; only the modern era does.
    pub version: Option<String>,
    /// Name and version of the client, if the message has them.
    pub client: Option<String>,
    /// Why its parameters cannot be served, if rmcp would not notice or not say so.
    pub params_error: Option<String>,
    /// The repaired message that rmcp gets instead.
    pub body: Option<Bytes>,
    /// Why a tool call goes on without its arguments.
    pub unreadable: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct MessageParams<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    /// Of `initialize`.
    #[serde(borrow, rename = "clientInfo")]
    client: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct MessageMeta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct ClientInfo<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Cow<'a, str>,
}

// === impl Message ===

impl Message {
    /// Parses a body. A fault carries the id to echo, if there is one.
    pub(super) fn read(body: &Bytes) -> Result<Self, Box<Refusal>> {
        match Self::parse(body) {
            Err(refusal) if refusal.fault == HttpFault::InvalidJson => Self::repair(body).ok_or(refusal),
            read => read,
        }
    }

    /// Repairs a tool call that is JSON but for a value in its arguments.
    fn repair(body: &Bytes) -> Option<Self> {
        let body = repaired_json(body)?;
        let message = Self::parse(&body).ok()?;
        // Only if it is then refused: a mark never counts as a value.
        message.unreadable.is_some().then_some(message)
    }

    fn parse(body: &Bytes) -> Result<Self, Box<Refusal>> {
        let first = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(b'{') {
            // serde would read a struct from an array as well.
            return Err(not_an_object(body, first).with_id(None));
        }
        let envelope: Envelope<'_> =
            serde_json::from_slice(body).map_err(|error| parse_fault(&error).with_id(None))?;
        // An answer may have no id to name; a request with null would pass for a notification.
        let id = envelope.id.map(value).filter(|id| envelope.method.is_some() || !id.is_null());
        let invalid = |message: &'static str, id: Option<Value>| {
            HttpFault::InvalidRequest { message: message.into() }.with_id(id.filter(is_id))
        };
        let named = |text: String, id: &Option<Value>| match text.chars().nth(MAX_NAME_CHARS) {
            Some(_) => {
                let why = format!(
                    "a name has at most {MAX_NAME_CHARS} characters, and more begin with {}",
                    quoted(&text)
                );
                Err(HttpFault::InvalidRequest { message: why.into() }.with_id(id.clone()))
            }
            None => Ok(text),
        };
        if envelope.jsonrpc.and_then(text).as_deref() != Some("2.0") {
            return Err(invalid("jsonrpc must be \"2.0\"", id));
        }
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(invalid("id must be a text of at most 1000 characters or a whole number", None));
        }
        let method = match envelope.method {
            Some(raw) => {
                let method = text(raw).ok_or_else(|| invalid("method must be a text", id.clone()))?;
                Some(named(method, &id)?)
            }
            None => None,
        };
        let kind = match (&method, &id) {
            (Some(_), Some(_)) => MessageKind::Request,
            (Some(_), None) => MessageKind::Notification,
            (None, _) if envelope.result.is_some() || envelope.error.is_some() => MessageKind::Response,
            (None, _) => return Err(invalid("a message needs a method", id)),
        };
        let params: MessageParams<'_> = lenient_members(envelope.params);
        let meta: MessageMeta<'_> = lenient_members(params.meta);
        let name = params.name.and_then(text).map(|name| named(name, &id)).transpose()?;
        let version = meta.version.and_then(text);
        let client = if method.as_deref() == Some("initialize") { params.client } else { meta.client };
        let client = client.and_then(client_name);
        // The modern era has no `initialize`, with any parameters.
        let checked = method.as_deref().filter(|method| version.is_none() || *method != "initialize");
        let params_error = checked.and_then(|method| check_params(method, envelope.params));
        let arguments = match method.as_deref() {
            Some("tools/call") => CheckedArguments::of_call(body, envelope.params),
            _ => CheckedArguments::default(),
        };
        let CheckedArguments { body, unreadable } = arguments;
        Ok(Self { kind, id, method, name, version, client, params_error, body, unreadable })
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }
}

fn not_an_object(body: &Bytes, first: Option<u8>) -> HttpFault {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    match first {
        Some(b'[') if is_json => HttpFault::BatchUnsupported,
        _ if is_json => HttpFault::InvalidRequest { message: "a message is an object".into() },
        _ => HttpFault::InvalidJson,
    }
}

fn parse_fault(error: &serde_json::Error) -> HttpFault {
    if error.is_data() {
        HttpFault::InvalidRequest { message: "the message names a member twice".into() }
    } else {
        HttpFault::InvalidJson
    }
}

/// A member that is present, null included.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(id) => id.chars().nth(MAX_ID_CHARS).is_none(),
        id => id.is_i64() || id.is_u64(),
    }
}

fn value(raw: &RawValue) -> Value {
    // A value nested too deep for a tree is no id either.
    serde_json::from_str(raw.get()).unwrap_or(Value::Null)
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn client_name(raw: &RawValue) -> Option<String> {
    let client: ClientInfo<'_> = lenient_members(Some(raw));
    client_text(&client.name, &client.version)
}

/// The members of an object that matter here; the default for another value or a duplicate member: rmcp, which
/// parses the whole message, refuses those that matter.
fn lenient_members<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> T {
    raw.filter(|raw| raw.get().starts_with('{'))
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &str) -> Result<Message, Box<Refusal>> {
        Message::read(&Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn a_call_shows_its_id_method_tool_and_version() {
        let body = r#" {"jsonrpc":"2.0","id":"a\n","method":"tools/call","params":{"name":"n\u0061me",
            "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"arguments":{"x":[1]}}}"#;
        let message = read(body).unwrap();
        assert_eq!(message.kind, MessageKind::Request);
        assert_eq!(message.id, Some(json!("a\n")));
        assert!(message.is("tools/call"));
        assert_eq!(message.name.as_deref(), Some("name"));
        assert_eq!(message.version.as_deref(), Some("2026-07-28"));
    }

    #[test]
    fn a_client_says_who_it_is_once_or_with_each_request() {
        let client = |method: &str, params: &str| {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            read(&body).unwrap().client
        };
        let info = r#"{"name":"a\u0020tool","version":"2.1.0","title":"A"}"#;
        let opening = format!(r#"{{"clientInfo":{info}}}"#);
        let meta = format!(r#"{{"_meta":{{"io.modelcontextprotocol/clientInfo":{info}}}}}"#);
        assert_eq!(client("initialize", opening.as_str()).as_deref(), Some("a tool 2.1.0"));
        assert_eq!(client("tools/list", meta.as_str()).as_deref(), Some("a tool 2.1.0"));
        assert_eq!(client("initialize", meta.as_str()), None);
        assert_eq!(client("tools/list", opening.as_str()), None);
        for odd in ["7", "[]", r#"{"name":7}"#, r#"{"name":"a","name":"b"}"#, "{}", "null"] {
            let odd = format!(r#"{{"clientInfo":{odd}}}"#);
            assert_eq!(client("initialize", odd.as_str()), None, "{odd}");
        }
    }

    #[test]
    fn kinds_are_distinguished() {
        let kind = |body| read(body).unwrap().kind;
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            MessageKind::Notification
        );
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), MessageKind::Response);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#), MessageKind::Response);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#), MessageKind::Request);
    }

    #[test]
    fn what_is_no_message_is_refused_by_kind() {
        let fault = |body| read(body).unwrap_err();
        for body in ["", "{", "nope", "{\"jsonrpc\":\"2.0\",}", "[1,"] {
            assert_eq!(fault(body).fault, HttpFault::InvalidJson, "{body}");
        }
        assert_eq!(fault(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#).fault, HttpFault::BatchUnsupported);
        for body in [
            "1",
            "null",
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
        ] {
            assert!(matches!(fault(body).fault, HttpFault::InvalidRequest { .. }), "{body}");
        }
        assert_eq!(fault(r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#).id, Some(json!(7)));
        assert_eq!(fault(r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#).id, None);
    }

    #[test]
    fn names_and_ids_are_bounded() {
        let long = |count: usize| "x".repeat(count);
        let fault = |body: String| read(&body).unwrap_err().fault;
        for body in [
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, long(1_000_000)),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{}"}}}}"#,
                long(201)
            ),
            format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, long(1001)),
        ] {
            assert!(matches!(fault(body), HttpFault::InvalidRequest { .. }));
        }
        let body = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"{}"}}"#, long(1000), long(200));
        assert_eq!(read(&body).unwrap().kind, MessageKind::Request);
    }

    #[test]
    fn odd_parameters_are_left_to_the_engine() {
        let message = read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["x"]}"#).unwrap();
        assert_eq!(message.name, None);
        let message = read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#).unwrap();
        assert_eq!(message.name, None);
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = format!(r#"{{"jsonrpc":"2.0","id":{deep},"method":"x","params":{deep}}}"#);
        assert!(read(&body).is_err());
    }
}
