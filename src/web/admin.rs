//! Health checks and Odoo's wake-up, on the listener that is not for the public.

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use super::request::HttpRequest;
use super::server_state::ServerState;
use super::{body, reply, warnings};

/// Body bound: a wake-up is a few numbers.
const MAX_WAKEUP_BYTES: usize = 64 * 1024;

/// Liveness: the process answers.
pub(super) fn healthz() -> Response {
    reply::json(StatusCode::OK, &json!({"status": "alive"}))
}

/// Readiness: the store can be written and the settings are known. A switch that is off is a decision and an
/// unreachable Odoo is another process's failure: ready all the same, else an orchestrator would restart what an
/// administrator stopped, or what still answers. The body shows both.
pub(super) fn readyz(state: &ServerState) -> Response {
    let (reason, store) = (unready_reason(state), state.deps.audit.unavailable_reason());
    let (trouble, url) = (state.deps.mirror.feed_error(), state.deps.mirror.public_url_state());
    let age = state.deps.mirror.settings_age_ms();
    let mut body = json!({
        "status": if reason.is_none() { "ready" } else { "not_ready" },
        "reason": reason,
        "trouble": trouble,
        "store": {"writable": store.is_none(), "reason": store},
        "odoo": {"up": u8::from(trouble.is_none() && age.is_some()), "settings_age_seconds": age.map(|ms| ms / 1000)},
        "audit": {"open_alarms": state.deps.chain.open_incidents()},
        "public_url": (!url.is_empty()).then_some(&*url),
    });
    let warnings = warnings::current(state);
    if let (Some(body), false) = (body.as_object_mut(), warnings.is_empty()) {
        body.insert("warnings".to_owned(), warnings.into());
    }
    reply::json(if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

fn unready_reason(state: &ServerState) -> Option<&'static str> {
    if state.deps.shutdown.stop.is_cancelled() {
        Some("stopping")
    } else if state.deps.audit.unavailable_reason().is_some() {
        Some("store")
    } else if state.deps.mirror.settings_age_ms().is_none() {
        Some("no_hello")
    } else if !state.deps.mirror.has_current_settings() {
        Some("settings_unknown")
    } else {
        None
    }
}

/// Passes a wake-up to the mirror, which checks its signature.
pub(super) async fn receive_wakeup(state: &ServerState, request: HttpRequest) -> Response {
    let signature =
        request.headers.get("x-mcp-signature").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (Some(signature), Ok(body)) =
        (signature, body::read(request.body, MAX_WAKEUP_BYTES, state.limits.body_timeout).await)
    else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    match state.deps.mirror.receive_wakeup(&body, &signature) {
        Ok(()) => reply::empty(StatusCode::NO_CONTENT),
        Err(error) => {
            tracing::warn!(%error, "a wake-up was refused");
            reply::empty(StatusCode::UNAUTHORIZED)
        }
    }
}
