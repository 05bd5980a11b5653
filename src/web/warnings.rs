//! Warnings of `/readyz`: states in which requests are served, but not as the operator will expect.

use serde_json::{Value, json};

use super::server_state::ServerState;
use crate::telemetry::panics;

/// The warnings that hold now; each with a code for programs and a sentence for people.
pub(super) fn current(state: &ServerState) -> Vec<Value> {
    let mut warnings = Vec::new();
    if let Some(peer) = state.trusted_proxies.untrusted_proxy() {
        warnings.push(json!({
            "code": "untrusted_proxy",
            "peer": peer,
            "message": format!(
                "{peer} forwards requests of several clients, but is not in trusted_proxies: all of them count as \
                 this one address for IP restrictions, failed keys and the audit log"
            ),
        }));
    }
    let count = panics::count();
    if count > 0 {
        warnings.push(json!({
            "code": "panics",
            "count": count,
            "message": "A task of the sidecar panicked; the log says where",
        }));
    }
    warnings
}
