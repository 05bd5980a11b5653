//! Error answers of the JSON endpoints (RFC 6749, section 5.2): code, sentence, status.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use oauth2::StandardErrorResponse;
use oauth2::basic::BasicErrorResponseType;

use super::http::{AuditNote, OauthAnswer};
use super::store::StoreError;
use crate::vocab::{ConnectionId, UserId};

/// Retry hint while the master switch is off.
const DISABLED_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Retry hint while Odoo is unreachable or busy.
const ODOO_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A refusal of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthError {
    pub status: StatusCode,
    /// The error code of OAuth.
    pub code: Cow<'static, str>,
    /// The reason in one word, for logs and the audit log; no part of the answer.
    pub reason: Cow<'static, str>,
    /// The sentence for the developer or the user of the client.
    pub description: Cow<'static, str>,
    pub retry_after: Option<Duration>,
    /// The client used HTTP Basic authentication, and is challenged to do so again.
    pub basic_challenge: bool,
    /// Whose grant it was about, as far as Odoo knows.
    pub grant: Option<(ConnectionId, UserId)>,
}

impl OauthError {
    /// A refusal with status 400.
    pub fn new(code: &'static str, reason: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: code.into(),
            reason: reason.into(),
            description: description.into(),
            retry_after: None,
            basic_challenge: false,
            grant: None,
        }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", "invalid_request", description)
    }

    /// The client could not be authenticated: 401, on which clients register anew.
    pub fn invalid_client(reason: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::new("invalid_client", reason, description) }
    }

    /// Odoo or the server is not available: never an error on which a client would drop its tokens.
    pub fn unavailable(
        reason: &'static str,
        description: impl Into<Cow<'static, str>>,
        retry_after: Duration,
    ) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(retry_after),
            ..Self::new("temporarily_unavailable", reason, description)
        }
    }

    /// A budget is used up.
    pub fn too_many_requests(reason: &'static str, retry_after: Duration) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(retry_after),
            ..Self::new(
                "temporarily_unavailable",
                reason,
                "Too many requests of this kind arrive at the moment; try again later",
            )
        }
    }

    pub fn disabled() -> Self {
        let text = "The MCP server is disabled by the administrator";
        Self::unavailable("disabled", text, DISABLED_RETRY_AFTER)
    }

    pub fn unreachable() -> Self {
        Self::unavailable("odoo_unreachable", "Odoo cannot be reached; try again later", ODOO_RETRY_AFTER)
    }

    /// Why the error is answered with `Retry-After`, in whole seconds.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// The answer of a JSON endpoint; `method` is the audit log's name of what was refused.
    pub fn to_answer(&self, method: &'static str, client: Option<&str>) -> OauthAnswer {
        let code = BasicErrorResponseType::from_str_code(&self.code);
        let document = StandardErrorResponse::new(code, Some(self.description.clone().into_owned()), None);
        let mut answer = OauthAnswer::json(self.status, &document);
        if let Some(seconds) = self.retry_after_seconds() {
            answer = answer.with_retry_after(seconds);
        }
        if self.basic_challenge {
            answer = answer.with(WWW_AUTHENTICATE, "Basic realm=\"odoo\", charset=\"UTF-8\"");
        }
        answer.with_audit(self.audit_note(method, client))
    }

    pub fn audit_note(&self, method: &'static str, client: Option<&str>) -> AuditNote {
        AuditNote {
            method: Some(method),
            reason: Some(self.reason.clone().into_owned()),
            error: Some(self.description.clone().into_owned()),
            client: client.map(str::to_owned),
            connection: self.grant.map(|(connection, _)| connection),
            user: self.grant.map(|(_, user)| user),
        }
    }
}

impl From<StoreError> for OauthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Disabled => Self::disabled(),
            StoreError::Busy { retry_after } => Self::unavailable(
                "odoo_busy",
                "Odoo is too busy at the moment; try again later",
                retry_after.max(Duration::from_secs(1)),
            ),
            StoreError::Unreachable => Self::unreachable(),
            StoreError::Failed => Self::unavailable(
                "odoo_failed",
                "Odoo failed to carry out the request; try again later",
                ODOO_RETRY_AFTER,
            ),
            StoreError::Refused(refused) => Self {
                status: if refused.error == "invalid_client" {
                    StatusCode::UNAUTHORIZED
                } else {
                    StatusCode::BAD_REQUEST
                },
                code: refused.error.into(),
                reason: refused.reason.into(),
                description: refused.description.into(),
                grant: refused.connection.zip(refused.user),
                ..Self::new("", "", "")
            },
        }
    }
}

/// The error codes of the crate, from their text.
trait FromCode {
    fn from_str_code(code: &str) -> Self;
}

impl FromCode for BasicErrorResponseType {
    fn from_str_code(code: &str) -> Self {
        // Writes any code as it stands, the standard ones too.
        Self::Extension(code.to_owned())
    }
}
