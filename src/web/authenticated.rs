//! A request after authentication, and what every later step of the request path may need: the check of the
//! master switch and the refusal.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::Value;
use uuid::Uuid;
use warp::reply::Response;

use super::http_fault::HttpFault;
use super::reply;
use super::server_state::ServerState;
use crate::audit::{RequestEntry, RequestOutcome};
use crate::mirror::Gate;
use crate::odoo::memory_budget::MemoryAccount;
use crate::vocab::Principal;

/// A request whose principal is known.
pub(super) struct AuthenticatedRequest {
    pub request_id: Uuid,
    pub method: Method,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    pub principal: Arc<Principal>,
    pub entry: Arc<RequestEntry>,
    /// Where its memory is reserved.
    pub account: Arc<MemoryAccount>,
}

/// Checks the master switch; again after each step that can take long.
pub(super) fn check_enabled(state: &ServerState) -> Result<(), HttpFault> {
    match state.deps.master_switch.gate() {
        Gate::Open => Ok(()),
        Gate::Disabled => Err(HttpFault::Disabled),
        Gate::Unknown => Err(HttpFault::SettingsUnknown),
    }
}

/// Answers a refusal and closes the audit entry with it.
pub(super) fn refuse(fault: &HttpFault, id: Option<&Value>, entry: &RequestEntry) -> Response {
    tracing::debug!(reason = %fault.reason(), "refused");
    let (reason, message) = fault.audit_reason();
    entry.end(RequestOutcome::refused(&reason, &message));
    reply::refuse(fault, id)
}
