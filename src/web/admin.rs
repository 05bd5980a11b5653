//! Health and the wake-up of Odoo, on the listener that is not for the public.

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use super::edge::Edge;
use super::routes::Asked;
use super::{body, reply, warnings};
use crate::mirror::Gate;

/// A wake-up is a few numbers.
const MOST_WAKE_BYTES: usize = 64 * 1024;

/// The process lives.
pub fn healthz() -> Response {
    reply::json(StatusCode::OK, &json!({"status": "alive"}))
}

/// Whether requests can be served. The switch being off is a decision, not a failure: ready all the same,
/// else an orchestrator would restart what an administrator stopped.
pub fn readyz(edge: &Edge) -> Response {
    let reason = if edge.life.stop.is_cancelled() {
        Some("stopping")
    } else if !edge.mirror.ready() {
        Some("no_hello")
    } else if edge.mirror.gate() == Gate::Unknown {
        Some("settings_unknown")
    } else {
        None
    };
    let (status, mut answer) = match reason {
        None => (StatusCode::OK, json!({"status": "ready"})),
        Some(reason) => {
            let answer = json!({"status": "not_ready", "reason": reason, "trouble": edge.mirror.trouble()});
            (StatusCode::SERVICE_UNAVAILABLE, answer)
        }
    };
    let warnings = warnings::current(edge);
    if let (Some(answer), false) = (answer.as_object_mut(), warnings.is_empty()) {
        answer.insert("warnings".to_owned(), warnings.into());
    }
    reply::json(status, &answer)
}

/// Hands a wake-up to the mirror, which checks its signature.
pub async fn wake(edge: &Edge, asked: Asked) -> Response {
    let signature =
        asked.headers.get("x-mcp-signature").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (Some(signature), Ok(body)) =
        (signature, body::read(asked.body, MOST_WAKE_BYTES, edge.limits.body_timeout).await)
    else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    match edge.mirror.wake(&body, &signature) {
        Ok(()) => reply::empty(StatusCode::NO_CONTENT),
        Err(error) => {
            tracing::warn!(%error, "a wake-up was refused");
            reply::empty(StatusCode::UNAUTHORIZED)
        }
    }
}
