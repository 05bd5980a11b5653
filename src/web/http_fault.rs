//! Error table: from each refusal to its status, code and sentence.
//!
//! Codes from 1001 on are ours: JSON-RPC reserves the negative ones and MCP gives them meanings. A refusal
//! of the protocol itself (no JSON, a foreign `Origin`, an unknown session) uses JSON-RPC's own codes.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::guard::RateLimitExceeded;
use crate::state::LimitPeriod;

/// Why a request is refused before, or instead of, MCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFault {
    /// The administrator switched the server off.
    Disabled,
    /// Odoo has not confirmed the settings for too long.
    SettingsUnknown,
    /// Odoo is needed to check the credential and is unreachable.
    Unreachable,
    /// No credential, or an invalid one. `sent` decides the challenge.
    Unauthorized {
        sent: bool,
        reason: Cow<'static, str>,
        message: Cow<'static, str>,
    },
    /// The connection's address rules refuse the caller.
    AddressRefused,
    /// The token's scope is too small but could be larger; `needed` are OAuth scopes.
    InsufficientScope {
        needed: &'static str,
    },
    /// A limit was reached; `limit` is its name.
    LimitReached {
        limit: &'static str,
        retry_after: Duration,
    },
    /// The rate limit of the connection is exhausted.
    RateLimited(RateLimitExceeded),
    /// The audit log cannot be written; a call that cannot be audited is not made.
    AuditFull,
    /// The body is not JSON.
    InvalidJson,
    /// The body is JSON but not a message, or the request cannot be served.
    InvalidRequest {
        message: Cow<'static, str>,
    },
    /// The method does not accept these parameters.
    InvalidParams {
        message: Cow<'static, str>,
    },
    /// Several messages in one body.
    BatchUnsupported,
    BodyTooLarge {
        max_bytes: usize,
    },
    BodyTimeout,
    MediaType,
    /// The body is compressed.
    Encoding,
    /// The request target has a form that is not served; `message` says what is wrong with it.
    InvalidTarget {
        message: &'static str,
    },
    /// `Host` is missing, malformed or named twice.
    HostMalformed,
    HostRefused,
    OriginRefused,
    /// The session is unknown, over, or of another connection.
    SessionNotFound,
    /// A path that is not served.
    PathNotFound,
    /// A method that is not served.
    MethodNotAllowed {
        allow: &'static str,
    },
    /// rmcp refused; it has chosen the status.
    EngineRefused {
        status: StatusCode,
        message: String,
    },
}

/// A fault on its way to the client, with the id of the request that it answers, if that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub fault: HttpFault,
    pub id: Option<Value>,
}

/// One row of the table.
struct FaultRow {
    status: StatusCode,
    code: i64,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
}

const INVALID_REQUEST: i64 = -32600;

/// Retry hint while the switch is off; people switch on again by hand.
const DISABLED_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Retry hint of a full spool: Odoo may have taken some entries by then.
const AUDIT_FULL_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Retry hint while Odoo is unreachable.
const ODOO_RETRY_AFTER: Duration = Duration::from_secs(5);

impl HttpFault {
    #[rustfmt::skip]
    fn row(&self) -> FaultRow {
        let row = |status, code, reason: &'static str, message: Cow<'static, str>| {
            FaultRow { status, code, reason: reason.into(), message }
        };
        match self {
            Self::Disabled => row(StatusCode::SERVICE_UNAVAILABLE, 1001, "disabled",
                "MCP server is disabled by the administrator".into()),
            Self::SettingsUnknown => row(StatusCode::SERVICE_UNAVAILABLE, 1002, "settings_unknown",
                "Odoo does not confirm that the MCP server is enabled; try again later, and contact the administrator if it lasts".into()),
            Self::Unreachable => row(StatusCode::SERVICE_UNAVAILABLE, 1002, "odoo_unreachable",
                "Odoo cannot be reached to check the credential; try again later".into()),
            Self::Unauthorized { reason, message, .. } =>
                FaultRow { status: StatusCode::UNAUTHORIZED, code: 1003, reason: reason.clone(), message: message.clone() },
            Self::AddressRefused => row(StatusCode::FORBIDDEN, 1004, "address_refused",
                "This connection may not be used from this address".into()),
            Self::InsufficientScope { .. } => row(StatusCode::FORBIDDEN, 1005, "insufficient_scope",
                "The token's scope does not allow this".into()),
            Self::LimitReached { limit, retry_after: wait } => row(StatusCode::TOO_MANY_REQUESTS, 1006, "limit_reached",
                format!("The limit {limit} is reached: {}. Try again in {} s", occupied(limit), ceil_seconds(*wait)).into()),
            Self::RateLimited(reached) => row(StatusCode::TOO_MANY_REQUESTS, 1006, "limit_reached", rate_limit_message(reached).into()),
            Self::AuditFull => row(StatusCode::SERVICE_UNAVAILABLE, 1007, "audit_full",
                "The audit log cannot be written at the moment, so no tool can be called; try again later".into()),
            Self::InvalidJson => row(StatusCode::BAD_REQUEST, -32700, "parse_error",
                "The body is not valid JSON".into()),
            Self::InvalidRequest { message } => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "invalid_request",
                message.clone()),
            Self::InvalidParams { message } => row(StatusCode::BAD_REQUEST, -32602, "invalid_params", message.clone()),
            Self::BatchUnsupported => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "batch",
                "Batches are not served: send one message in each request".into()),
            Self::BodyTooLarge { max_bytes } => row(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, "body_too_large",
                format!("The body has more than {max_bytes} bytes: send the records in several calls, or ask for less at once").into()),
            Self::BodyTimeout => row(StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST, "body_timeout",
                "The body did not arrive in time".into()),
            Self::MediaType => row(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, "media_type",
                "Content-Type must be application/json".into()),
            Self::Encoding => row(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, "content_encoding",
                "Content-Encoding is not served: send the body uncompressed, without that header".into()),
            Self::InvalidTarget { message } => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "request_target", (*message).into()),
            Self::HostMalformed => row(StatusCode::BAD_REQUEST, INVALID_REQUEST, "host_malformed",
                "Host must be a host name or an address, with or without a port, named once and nothing else".into()),
            Self::HostRefused => row(StatusCode::FORBIDDEN, INVALID_REQUEST, "host_refused",
                "This Host is not served here; the sidecar's allowed_hosts lists further ones".into()),
            Self::OriginRefused => row(StatusCode::FORBIDDEN, INVALID_REQUEST, "origin_refused",
                "This Origin is not allowed".into()),
            Self::SessionNotFound => row(StatusCode::NOT_FOUND, INVALID_REQUEST, "session_not_found",
                "The session is not known; start a new one with initialize".into()),
            Self::PathNotFound => row(StatusCode::NOT_FOUND, INVALID_REQUEST, "path_not_found",
                "Nothing is served here; MCP is at /odoo/mcp".into()),
            Self::MethodNotAllowed { .. } => row(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, "method_not_allowed",
                "This HTTP method is not served here".into()),
            Self::EngineRefused { status, .. } if status.is_server_error() => row(*status, -32603, "internal_error",
                "The request failed inside the MCP server".into()),
            Self::EngineRefused { status, message } => row(*status, INVALID_REQUEST, "invalid_request",
                message.clone().into()),
        }
    }

    /// The refusal of the request with this id.
    pub fn with_id(self, id: Option<Value>) -> Box<Refusal> {
        Box::new(Refusal { fault: self, id })
    }

    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// `data.reason`: for programs and logs.
    pub fn reason(&self) -> Cow<'static, str> {
        self.row().reason
    }

    /// What the audit log records: the reason, of a limit its name, and the sentence.
    pub fn audit_reason(&self) -> (Cow<'static, str>, Cow<'static, str>) {
        let row = self.row();
        let reason = match self {
            Self::LimitReached { limit, .. } => Cow::Borrowed(*limit),
            Self::RateLimited(reached) => Cow::Borrowed(limit_name(reached.span)),
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
            Self::LimitReached { limit, retry_after: wait } => {
                data.insert("limit".to_owned(), json!(limit));
                data.insert("resets_in".to_owned(), json!(ceil_seconds(*wait)));
            }
            Self::RateLimited(reached) => {
                data.insert("limit".to_owned(), json!(limit_name(reached.span)));
                data.insert("most".to_owned(), json!(reached.max_requests));
                data.insert("resets_in".to_owned(), json!(ceil_seconds(reached.retry_after)));
                data.insert("resets_at".to_owned(), json!(reached.resets_at.to_string()));
            }
            Self::InsufficientScope { needed } => {
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
            Self::Disabled => Some(ceil_seconds(DISABLED_RETRY_AFTER)),
            Self::AuditFull => Some(ceil_seconds(AUDIT_FULL_RETRY_AFTER)),
            Self::SettingsUnknown | Self::Unreachable => Some(ceil_seconds(ODOO_RETRY_AFTER)),
            Self::LimitReached { retry_after: wait, .. }
            | Self::RateLimited(RateLimitExceeded { retry_after: wait, .. }) => Some(ceil_seconds(*wait)),
            _ => None,
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3). An error is named only if a credential was sent.
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::Unauthorized { sent: false, .. } => Some("Bearer realm=\"odoo\"".to_owned()),
            Self::Unauthorized { sent: true, message, .. } => {
                let quotable = message.replace(['"', '\\'], "'");
                Some(format!(
                    "Bearer realm=\"odoo\", error=\"invalid_token\", error_description=\"{quotable}\""
                ))
            }
            Self::InsufficientScope { needed } => {
                Some(format!("Bearer realm=\"odoo\", error=\"insufficient_scope\", scope=\"{needed}\""))
            }
            _ => None,
        }
    }

    /// `Allow`.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed { allow } => Some(allow),
            Self::EngineRefused { status, .. } if *status == StatusCode::METHOD_NOT_ALLOWED => Some("POST"),
            _ => None,
        }
    }
}

/// The names of the fields in Odoo where an administrator sets the limits.
fn limit_name(span: LimitPeriod) -> &'static str {
    match span {
        LimitPeriod::Minute => "rate_limit_minute",
        LimitPeriod::Day => "rate_limit_day",
    }
}

/// For the model that made the request: which limit, until when, and what to do.
fn rate_limit_message(reached: &RateLimitExceeded) -> String {
    let RateLimitExceeded { span, max_requests, retry_after: wait, resets_at } = reached;
    let (name, wait) = (limit_name(*span), ceil_seconds(*wait));
    let (span, then) = match span {
        LimitPeriod::Minute => ("minute", "Wait so long, then go on with fewer calls, each for many records"),
        LimitPeriod::Day => (
            "day",
            "Stop here and say so to the user: until then every request is refused, unless an administrator raises the \
             limit in Odoo",
        ),
    };
    format!(
        "Limit reached: this connection may make {max_requests} requests a {span} ({name}) and has made them. The count starts \
         anew in {wait} s, at {resets_at}. {then}"
    )
}

/// What a limit of permits, memory or attempts is about, and what frees it.
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
fn ceil_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
