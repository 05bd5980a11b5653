//! A request to an endpoint and its answer, as plain data: no HTTP framework is named here.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;

use crate::vocab::{ConnectionId, UserId};

/// A request, with its body read within a bound. Neither the query nor the body is ever logged: both carry secrets.
#[derive(Clone)]
pub struct OauthRequest {
    pub method: Method,
    pub headers: HeaderMap,
    /// The raw query string, without its question mark.
    pub query: String,
    pub body: Bytes,
    /// The caller, behind trusted proxies.
    pub peer: IpAddr,
}

/// An answer, and what the audit log records of it.
#[derive(Debug, Clone)]
pub struct OauthAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub audit: AuditNote,
}

/// What an answer means to the audit log; none of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditNote {
    /// The act, `oauth/token`; none: nothing happened that is recorded.
    pub method: Option<&'static str>,
    /// Why it was refused, in one word; none: it was not.
    pub reason: Option<String>,
    /// The sentence of the refusal.
    pub error: Option<String>,
    /// The client's name, once its id is known.
    pub client: Option<String>,
    pub connection: Option<ConnectionId>,
    pub user: Option<UserId>,
}

impl std::fmt::Debug for OauthRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OauthRequest")
            .field("method", &self.method)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

// === impl OauthRequest ===

impl OauthRequest {
    /// A header that is sent once.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok()
    }
}

// === impl OauthAnswer ===

impl OauthAnswer {
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), audit: AuditNote::default() }
    }

    /// A JSON answer. Not stored by caches, as all answers of this server but its metadata.
    pub fn json<T: Serialize>(status: StatusCode, document: &T) -> Self {
        // The documents are texts and numbers: nothing in them can fail to serialise.
        let body = serde_json::to_vec(document).unwrap_or_default();
        Self { body: Bytes::from(body), ..Self::new(status) }
            .with(CONTENT_TYPE, "application/json")
            .with(CACHE_CONTROL, "no-store")
            .with(PRAGMA, "no-cache")
    }

    /// With a header. A value that is no header value is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(name, value);
        }
        self
    }

    #[must_use]
    pub fn with_retry_after(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, &seconds.to_string())
    }

    #[must_use]
    pub fn with_allow(self, methods: &str) -> Self {
        self.with(ALLOW, methods)
    }

    #[must_use]
    pub fn with_audit(self, audit: AuditNote) -> Self {
        Self { audit, ..self }
    }
}
