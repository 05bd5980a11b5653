//! Concurrency permits and rate limits of a request.

use std::sync::Arc;
use std::time::Duration;

use super::http_fault::HttpFault;
use super::message::{Message, MessageKind};
use super::server_state::ServerState;
use crate::guard::{ConcurrencyExceeded, ConcurrencyLimit, ConcurrencyPermit, Counted, RateSettings};
use crate::vocab::{ConnectionId, Principal};

/// When the permit of a request may be free again.
const REQUEST_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When the permit of a stream may be free again.
const STREAM_RETRY_AFTER: Duration = Duration::from_secs(10);

/// The permit of a request, and its count in the rate limits.
pub(super) struct AcquiredLimits {
    /// None for what no limit applies to.
    pub permit: Option<Arc<ConcurrencyPermit>>,
    pub counted: Counted,
}

/// Acquires the permit and counts the request, in this order: a request without a permit is not counted either.
pub(super) async fn acquire_limits(
    state: &ServerState,
    principal: &Principal,
    message: &Message,
) -> Result<AcquiredLimits, HttpFault> {
    let permit = acquire_permit(state, principal.connection, message)?.map(Arc::new);
    let counted = count_request(state, principal, message).await?;
    if !message.is("tools/call") {
        // The audit row of a call is committed soon, and its count in the same batch.
        counted.receipt.expedite();
    }
    Ok(AcquiredLimits { permit, counted })
}

/// Whether limits apply: to requests; not to notifications, answers and pings.
pub(super) fn is_limited(message: &Message) -> bool {
    message.kind == MessageKind::Request && !message.is("ping")
}

/// The rate limits of the connection, per minute and per day.
async fn count_request(
    state: &ServerState,
    principal: &Principal,
    message: &Message,
) -> Result<Counted, HttpFault> {
    if !is_limited(message) {
        return Ok(Counted::not());
    }
    let settings = state.deps.mirror.settings().ok_or(HttpFault::SettingsUnknown)?;
    let defaults =
        RateSettings { minute: settings.rate_limit_minute, day: settings.rate_limit_day, tz: &settings.tz };
    state.deps.rate_limiter.acquire(principal, &defaults).await.map_err(HttpFault::RateLimited)
}

/// A permit among the requests in flight, or among the open streams.
fn acquire_permit(
    state: &ServerState,
    connection: ConnectionId,
    message: &Message,
) -> Result<Option<ConcurrencyPermit>, HttpFault> {
    if !is_limited(message) {
        return Ok(None);
    }
    if message.is("subscriptions/listen") {
        return acquire_stream_permit(state, connection).map(Some);
    }
    let names = ["in_flight_per_connection", "in_flight"];
    acquire_from(&state.call_permits, connection, names, REQUEST_RETRY_AFTER).map(Some)
}

/// A permit among the open streams.
pub(super) fn acquire_stream_permit(
    state: &ServerState,
    connection: ConnectionId,
) -> Result<ConcurrencyPermit, HttpFault> {
    acquire_from(&state.stream_permits, connection, ["streams_per_connection", "streams"], STREAM_RETRY_AFTER)
}

fn acquire_from(
    permits: &Arc<ConcurrencyLimit>,
    connection: ConnectionId,
    [per_connection, overall]: [&'static str; 2],
    retry_after: Duration,
) -> Result<ConcurrencyPermit, HttpFault> {
    permits.try_acquire(connection).map_err(|exceeded| match exceeded {
        ConcurrencyExceeded::Connection => HttpFault::LimitReached { limit: per_connection, retry_after },
        ConcurrencyExceeded::Server => HttpFault::LimitReached { limit: overall, retry_after },
    })
}
