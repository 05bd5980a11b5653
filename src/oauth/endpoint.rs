//! The endpoints by their paths, and their methods.

use http::{Method, StatusCode};

use super::error::OauthError;
use super::http::{OauthAnswer, OauthRequest};
use super::server::AuthorizationServer;
use super::{authorize, introspect, register, resume, revoke, token};

/// An endpoint of the authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Authorize,
    Resume,
    Token,
    Register,
    Revoke,
    Introspect,
    /// A path below `/oauth/` without an endpoint.
    Missing,
}

/// The bound of a form, and of a registration.
const MAX_FORM_BYTES: usize = 16 * 1024;
const MAX_REGISTRATION_BYTES: usize = 64 * 1024;

/// The sentence of every path below `/oauth` that is none of an endpoint; the connection check knows us by it.
pub const NOTHING_SERVED: &str =
    "Nothing is served here; the metadata at /.well-known/oauth-authorization-server names the endpoints";

impl Endpoint {
    /// The endpoint at this path; none: the path is not ours.
    pub fn at(path: &str, aliases: bool) -> Option<Self> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let name = match trimmed.strip_prefix("/oauth/") {
            Some(name) => name,
            None if trimmed == "/oauth" => "",
            None if aliases && matches!(trimmed, "/authorize" | "/token" | "/register") => {
                trimmed.trim_start_matches('/')
            }
            None => return None,
        };
        Some(match name {
            "authorize" => Self::Authorize,
            "resume" => Self::Resume,
            "token" => Self::Token,
            "register" => Self::Register,
            "revoke" => Self::Revoke,
            "introspect" => Self::Introspect,
            _ => Self::Missing,
        })
    }

    /// Whether a browser navigates to it, so that it answers pages and redirects.
    pub fn is_page(self) -> bool {
        matches!(self, Self::Authorize | Self::Resume)
    }

    pub fn allowed_methods(self) -> &'static str {
        match self {
            Self::Authorize => "GET, HEAD, POST, OPTIONS",
            Self::Resume => "GET, HEAD, OPTIONS",
            _ => "POST, OPTIONS",
        }
    }

    pub fn allows(self, method: &Method) -> bool {
        // What is not there has no methods either: 404, not 405.
        self == Self::Missing || self.allowed_methods().split(", ").any(|name| name == method.as_str())
    }

    pub fn max_body_bytes(self) -> usize {
        if self == Self::Register { MAX_REGISTRATION_BYTES } else { MAX_FORM_BYTES }
    }

    /// The name of its acts in the audit log.
    pub fn audit_method(self) -> &'static str {
        match self {
            Self::Authorize => "oauth/authorize",
            Self::Resume => "oauth/resume",
            Self::Token => "oauth/token",
            Self::Register => "oauth/register",
            Self::Revoke => "oauth/revoke",
            Self::Introspect => "oauth/introspect",
            Self::Missing => "oauth/unknown",
        }
    }

    /// Answers a request whose method is allowed.
    pub async fn answer(self, server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
        match self {
            Self::Authorize => authorize::authorize(server, request).await,
            Self::Resume => resume::resume(server, request).await,
            Self::Token => token::token(server, request).await,
            Self::Register => register::register(server, request).await,
            Self::Revoke => revoke::revoke(server, request).await,
            Self::Introspect => introspect::introspect(server, request).await,
            Self::Missing => missing(),
        }
    }
}

fn missing() -> OauthAnswer {
    let error = OauthError {
        status: StatusCode::NOT_FOUND,
        reason: "path_not_found".into(),
        ..OauthError::invalid_request(NOTHING_SERVED)
    };
    error.to_answer("oauth/unknown", None)
}
