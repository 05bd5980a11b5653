//! The one table from a refusal to what the client sees.
//!
//! Codes from 1001 on are ours: JSON-RPC reserves the negative ones and MCP gives them meanings. A refusal
//! of the protocol itself (no JSON, a foreign `Origin`, an unknown session) uses JSON-RPC's own codes.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::guard::Reached;
use crate::state::Span;

/// Why a request is refused before, or instead of, MCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The administrator switched the server off.
    Disabled,
    /// Odoo has not confirmed the settings for too long.
    Unknown,
    /// Odoo is needed to check the credential and cannot be asked.
    Unreachable,
    /// No credential, or one that counts for nothing. `sent` tells which challenge fits.
    Unauthorized {
        sent: bool,
        reason: Cow<'static, str>,
        message: Cow<'static, str>,
    },
    /// The connection's address rules refuse the caller.
    Address,
    /// The token's scope is too small but could be larger; `needed` are OAuth scopes.
    Scope {
        needed: &'static str,
    },
    /// A limit was reached; `limit` is its name.
    Limit {
        limit: &'static str,
        wait: Duration,
    },
    /// The connection has made as many requests as it may.
    Rate(Reached),
    /// The audit log takes nothing more; what cannot be accounted for is not done.
    AuditFull,
    /// The body is no JSON.
    Parse,
    /// The body is JSON but no message, or the request is none that can be served.
    Invalid {
        message: Cow<'static, str>,
    },
    /// The parameters of the method are none that it takes.
    Params {
        message: Cow<'static, str>,
    },
    /// Several messages in one body.
    Batch,
    TooLarge {
        most: usize,
    },
    SlowBody,
    MediaType,
    /// The body is compressed.
    Encoding,
    /// The request target has a form that is not served; `message` says what is wrong with it.
    Target {
        message: &'static str,
    },
    /// `Host` is missing, is no host, or is named twice.
    HostForm,
    Host,
    Origin,
    /// The session is unknown, over, or of another connection.
    Session,
    /// A path that is not served.
    Path,
    /// A method that is not served.
    Method {
        allow: &'static str,
    },
    /// rmcp refused; it has chosen the status.
    Engine {
        status: StatusCode,
        message: String,
    },
}

/// A fault on its way to the client, with the id of the request that it answers, if that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub fault: Fault,
    pub id: Option<Value>,
}

/// One row of the table.
struct Row {
    status: StatusCode,
    code: i64,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
}

const INVALID_REQUEST: i64 = -32600;

/// How soon a client may come back after the switch was off; people switch on again by hand.
const SWITCH_WAIT: Duration = Duration::from_secs(30);

/// How soon Odoo may have taken what waits for it.
const AUDIT_WAIT: Duration = Duration::from_secs(30);

/// How soon Odoo may be back.
const ODOO_WAIT: Duration = Duration::from_secs(5);

impl Fault {
    #[rustfmt::skip]
    fn row(&self) -> Row {
        let row = |status, code, reason: &'static str, message: Cow<'static, str>| {
            Row { status, code, reason: reason.into(), message }
        };
        match self {
            Self::Disabled => row(StatusCode::SERVICE_UNAVAILABLE, 1001, "disabled",
                "MCP server is disabled by the administrator".into()),
            Self::Unknown => row(StatusCode::SERVICE_UNAVAILABLE, 1002, "settings_unknown",
                "Odoo does not confirm that the MCP server is enabled; try again later, and tell the administrator if it lasts".into()),
            Self::Unreachable => row(StatusCode::SERVICE_UNAVAILABLE, 1002, "odoo_unreachable",
                "Odoo cannot be reached to check the credential; try again later".into()),
            Self::Unauthorized { reason, message, .. } =>
                Row { status: StatusCode::UNAUTHORIZED, code: 1003, reason: reason.clone(), message: message.clone() },
            Self::Address => row(StatusCode::FORBIDDEN, 1004, "address_refused",
                "This connection may not be used from this address".into()),
            Self::Scope { .. } => row(StatusCode::FORBIDDEN, 1005, "insufficient_scope",
                "The token's scope does not allow this".into()),
            Self::Limit { limit, wait } => row(StatusCode::TOO_MANY_REQUESTS, 1006, "limit_reached",
                format!("The limit {limit} is reached: {}. Try again in {} s", occupied(limit), seconds(*wait)).into()),
            Self::Rate(reached) => row(StatusCode::TOO_MANY_REQUESTS, 1006, "limit_reached", told(reached).into()),
            Self::AuditFull => row(StatusCode::SERVICE_UNAVAILABLE, 1007, "audit_full",
                "The audit log cannot be written at the moment, so no tool can be called; try again later".into()),
            Self::Parse => row(StatusCode::BAD_REQUEST, -32700, "parse_error",
                "The body is not valid JSON".into()),
            Self::Invalid { message } => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "invalid_request",
                message.clone()),
            Self::Params { message } => row(StatusCode::BAD_REQUEST, -32602, "invalid_params", message.clone()),
            Self::Batch => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "batch",
                "Batches are not served: send one message in each request".into()),
            Self::TooLarge { most } => row(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, "body_too_large",
                format!("The body has more than {most} bytes: send the records in several calls, or ask for less at once").into()),
            Self::SlowBody => row(StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST, "body_timeout",
                "The body did not arrive in time".into()),
            Self::MediaType => row(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, "media_type",
                "Content-Type must be application/json".into()),
            Self::Encoding => row(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, "content_encoding",
                "Content-Encoding is not served: send the body uncompressed, without that header".into()),
            Self::Target { message } => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "request_target", (*message).into()),
            Self::HostForm => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "host_malformed",
                "Host must be a host name or an address, with or without a port, named once and nothing else".into()),
            Self::Host => row(StatusCode::FORBIDDEN, INVALID_REQUEST, "host_refused",
                "This Host is not served here; the sidecar's allowed_hosts lists further ones".into()),
            Self::Origin => row(StatusCode::FORBIDDEN, INVALID_REQUEST, "origin_refused",
                "This Origin is not allowed".into()),
            Self::Session => row(StatusCode::NOT_FOUND, INVALID_REQUEST, "session_not_found",
                "The session is not known; start a new one with initialize".into()),
            Self::Path => row(StatusCode::NOT_FOUND, INVALID_REQUEST, "path_not_found",
                "Nothing is served here; MCP is at /odoo/mcp".into()),
            Self::Method { .. } => row(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, "method_not_allowed",
                "This HTTP method is not served here".into()),
            Self::Engine { status, .. } if status.is_server_error() => row(*status, -32603, "internal_error",
                "The request failed inside the MCP server".into()),
            Self::Engine { status, message } => row(*status, INVALID_REQUEST, "invalid_request",
                message.clone().into()),
        }
    }

    /// The refusal of the request with this id.
    pub fn of(self, id: Option<Value>) -> Box<Refusal> {
        Box::new(Refusal { fault: self, id })
    }

    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// `data.reason`: for programs and logs.
    pub fn reason(&self) -> Cow<'static, str> {
        self.row().reason
    }

    /// What the audit log tells: the reason, of a limit its name, and the sentence.
    pub fn told(&self) -> (Cow<'static, str>, Cow<'static, str>) {
        let row = self.row();
        let reason = match self {
            Self::Limit { limit, .. } => Cow::Borrowed(*limit),
            Self::Rate(reached) => Cow::Borrowed(name(reached.span)),
            _ => row.reason,
        };
        (reason, row.message)
    }

    /// The JSON-RPC error that answers the request with this id.
    pub fn body(&self, id: Option<&Value>) -> Value {
        let row = self.row();
        let mut data = Map::new();
        data.insert("reason".to_owned(), json!(row.reason));
        match self {
            Self::Limit { limit, wait } => {
                data.insert("limit".to_owned(), json!(limit));
                data.insert("resets_in".to_owned(), json!(seconds(*wait)));
            }
            Self::Rate(reached) => {
                data.insert("limit".to_owned(), json!(name(reached.span)));
                data.insert("most".to_owned(), json!(reached.most));
                data.insert("resets_in".to_owned(), json!(seconds(reached.wait)));
                data.insert("resets_at".to_owned(), json!(reached.resets_at.to_string()));
            }
            Self::Scope { needed } => {
                data.insert("scope".to_owned(), json!(needed));
            }
            _ => {}
        }
        json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": {"code": row.code, "message": row.message, "data": data},
        })
    }

    /// `Retry-After`, in whole seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Disabled => Some(seconds(SWITCH_WAIT)),
            Self::AuditFull => Some(seconds(AUDIT_WAIT)),
            Self::Unknown | Self::Unreachable => Some(seconds(ODOO_WAIT)),
            Self::Limit { wait, .. } | Self::Rate(Reached { wait, .. }) => Some(seconds(*wait)),
            _ => None,
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3). An error is named only if a credential was sent. The place of
    /// the resource metadata is named here once there are some.
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::Unauthorized { sent: false, .. } => Some("Bearer realm=\"odoo\"".to_owned()),
            Self::Unauthorized { sent: true, message, .. } => {
                let quotable = message.replace(['"', '\\'], "'");
                Some(format!(
                    "Bearer realm=\"odoo\", error=\"invalid_token\", error_description=\"{quotable}\""
                ))
            }
            Self::Scope { needed } => {
                Some(format!("Bearer realm=\"odoo\", error=\"insufficient_scope\", scope=\"{needed}\""))
            }
            _ => None,
        }
    }

    /// `Allow`.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method { allow } => Some(allow),
            Self::Engine { status, .. } if *status == StatusCode::METHOD_NOT_ALLOWED => Some("POST"),
            _ => None,
        }
    }
}

/// The names of the fields in Odoo where an administrator sets the limits.
fn name(span: Span) -> &'static str {
    match span {
        Span::Minute => "rate_limit_minute",
        Span::Day => "rate_limit_day",
    }
}

/// For the model that made the request: which limit, until when, and what to do.
fn told(reached: &Reached) -> String {
    let Reached { span, most, wait, resets_at } = reached;
    let (name, wait) = (name(*span), seconds(*wait));
    let (span, then) = match span {
        Span::Minute => ("minute", "Wait so long, then go on with fewer calls, each for many records"),
        Span::Day => (
            "day",
            "Stop here and say so to the user: until then every request is refused, unless an administrator raises the \
             limit in Odoo",
        ),
    };
    format!(
        "Limit reached: this connection may make {most} requests a {span} ({name}) and has made them. The count starts \
         anew in {wait} s, at {resets_at}. {then}"
    )
}

/// What a limit of places, memory or tries is about, and what frees it.
fn occupied(limit: &str) -> &'static str {
    match limit {
        "in_flight_per_connection" => {
            "this connection waits for as many answers as it may at once; send the next request when one has come"
        }
        "in_flight" => "the server is busy with as many requests as it serves at once",
        "streams_per_connection" => {
            "this connection has as many open streams as it may; close one that is not needed"
        }
        "streams" => "the server has as many open streams as it serves",
        "sessions_per_connection" => {
            "this connection has as many open sessions as it may; go on in one of them, or end one with DELETE"
        }
        "sessions" => "the server has as many open sessions as it serves",
        "memory_per_connection" => {
            "the requests of this connection are too large together; send smaller ones, or one after the other"
        }
        "memory" => "the server is busy with large requests",
        "failed_attempts" => "too many credentials from this address were refused; check the key first",
        "unknown_credentials" => "the server is checking as many unknown credentials as it may",
        _ => "nothing more is taken at the moment",
    }
}

/// Rounded up: a client that comes back on the second must not be early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
