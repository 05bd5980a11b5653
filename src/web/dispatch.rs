//! The second half of the road: permits, sessions, and the visit to rmcp.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warp::reply::Response;

use super::era::{self, EngineRoute};
use super::http_fault::{HttpFault, Refusal};
use super::message::{Message, MessageKind};
use super::pipeline::{AuthenticatedRequest, EMPTY_BODY, check_enabled};
use super::reply;
use super::respond::{self, ResponseGuards, StreamEnd};
use super::server_state::ServerState;
use crate::audit::{RequestInfo, RequestOutcome, SessionInfo};
use crate::guard::{ConcurrencyExceeded, ConcurrencyLimit, ConcurrencyPermit, Counted, RateSettings};
use crate::mcp::{Caller, EngineRequest, ServiceMode};
use crate::sessions::TrackedSession;
use crate::vocab::{ConnectionId, Principal};

/// When a place taken by a request may be free again.
const REQUEST_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a place taken by a stream may be free again.
const STREAM_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Serves a POST.
pub async fn dispatch_post(
    state: &ServerState,
    admitted: AuthenticatedRequest,
    message: Message,
    body: Bytes,
) -> Result<Response, Box<Refusal>> {
    let id = message.id.clone();
    let with_id = |fault: HttpFault| fault.with_id(id.clone());
    let AuthenticatedRequest { request_id, method, mut headers, peer, principal, entry, account } = admitted;
    let connection = principal.connection;
    let lifetime = state.mirror.lifetime(connection);
    let mut caller = calling(principal, peer, request_id, lifetime);
    caller.unreadable = message.unreadable.as_deref().map(Arc::from);
    caller.session = era::session_of_post(&state.endpoint, &message, &headers, &caller);
    entry.describe(request_info(&message, caller.session.clone()));
    // The token before the switch, so that no change can fall between; and the switch once more, since the
    // body may have taken long.
    let opening = state.master_switch.enabled_token();
    check_enabled(state).map_err(with_id)?;
    if message.is("tools/call") && !state.audit.can_record() {
        return Err(with_id(HttpFault::AuditFull));
    }
    let listens = message.is("subscriptions/listen");
    let permit = acquire_permit(state, connection, &message).map_err(with_id)?.map(Arc::new);
    let Counted { receipt, scarce } =
        check_rate_limit(state, &caller.principal, &message).await.map_err(with_id)?;
    caller.notice = scarce.map(|scarce| scarce.to_string().into());
    if !message.is("tools/call") {
        // A call is written down soon, and its count with it.
        receipt.expedite();
    }
    if let Some(misfit) = &message.params_error {
        return Err(with_id(HttpFault::InvalidParams { message: misfit.clone().into() }));
    }
    if era::is_for_no_session(&message, &headers) {
        entry.end(RequestOutcome::SUCCESS);
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    let EngineRoute { mode: lane, reservation } =
        era::route_post(&state.endpoint, &message, &mut headers, &caller).map_err(with_id)?;
    let ticket = caller.session.as_ref().map(|activity| {
        if is_limited(&message) {
            activity.count_request();
        }
        activity.begin_request(peer)
    });
    let end = listens.then(|| StreamEnd {
        switched_off: opening,
        revoked: caller.lifetime.clone(),
        shutdown: state.shutdown.stop.clone(),
        session_ended: caller.session.as_ref().map(|activity| activity.ended().clone()).unwrap_or_default(),
    });
    let watching = listens.then(|| state.mirror.poll_fast());
    // A session keeps the parts of its `initialize`: what lies in them would never be given back.
    if !message.is("initialize") {
        caller.permit = permit.clone();
        caller.audit = Some(Arc::clone(&entry));
        caller.account = Arc::clone(&account);
    }
    let asked = body.clone();
    let request = era::engine_http_request(method, headers, body);
    tracing::debug!(%connection, method = message.method, tool = message.name, "admitted");
    let answer = state.endpoint.handle(EngineRequest { caller, mode: lane, reservation, request }).await;
    // What a client has an answer for is counted, even if this process is killed now.
    receipt.committed().await;
    let held = ResponseGuards::new(Some(account), (permit, ticket, watching));
    Ok(respond::respond(answer, id.as_ref(), &asked, held, end, entry).await)
}

/// A caller of whose request nothing more is known yet.
fn calling(principal: Arc<Principal>, peer: IpAddr, request_id: Uuid, lifetime: CancellationToken) -> Caller {
    Caller {
        principal,
        peer,
        request_id,
        lifetime,
        session: None,
        audit: None,
        permit: None,
        account: Arc::default(),
        unreadable: None,
        notice: None,
    }
}

/// What the audit log tells of a message.
fn request_info(message: &Message, activity: Option<Arc<TrackedSession>>) -> RequestInfo {
    RequestInfo {
        method: message.method.clone(),
        tool: message.name.clone().filter(|_| message.is("tools/call")),
        session: activity.map(|activity| activity as Arc<dyn SessionInfo>),
        is_request: is_limited(message),
    }
}

/// What limits are about: requests; not notifications, answers and pings.
fn is_limited(message: &Message) -> bool {
    message.kind == MessageKind::Request && !message.is("ping")
}

/// Step 4: the limits of the connection, per minute and per day. They come after the permit, so that a
/// request without a place is not counted either.
async fn check_rate_limit(
    state: &ServerState,
    principal: &Principal,
    message: &Message,
) -> Result<Counted, HttpFault> {
    if !is_limited(message) {
        return Ok(Counted::not());
    }
    let settings = state.mirror.settings().ok_or(HttpFault::SettingsUnknown)?;
    let defaults =
        RateSettings { minute: settings.rate_limit_minute, day: settings.rate_limit_day, tz: &settings.tz };
    state.rate_limiter.acquire(principal, &defaults).await.map_err(HttpFault::RateLimited)
}

/// Step 4: a place among the requests in flight, or among the open streams.
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
    acquire_from(
        &state.call_permits,
        connection,
        ["in_flight_per_connection", "in_flight"],
        REQUEST_RETRY_AFTER,
    )
    .map(Some)
}

fn acquire_stream_permit(
    state: &ServerState,
    connection: ConnectionId,
) -> Result<ConcurrencyPermit, HttpFault> {
    acquire_from(&state.stream_permits, connection, ["streams_per_connection", "streams"], STREAM_RETRY_AFTER)
}

fn acquire_from(
    slots: &Arc<ConcurrencyLimit>,
    owner: ConnectionId,
    [own, all]: [&'static str; 2],
    wait: Duration,
) -> Result<ConcurrencyPermit, HttpFault> {
    slots.try_acquire(owner).map_err(|full| match full {
        ConcurrencyExceeded::Connection => HttpFault::LimitReached { limit: own, retry_after: wait },
        ConcurrencyExceeded::Server => HttpFault::LimitReached { limit: all, retry_after: wait },
    })
}

/// Serves a GET, which opens the stream of a legacy session, or a DELETE, which ends the session.
pub async fn dispatch_session(
    state: &ServerState,
    admitted: AuthenticatedRequest,
) -> Result<Response, Box<Refusal>> {
    let AuthenticatedRequest { request_id, method, mut headers, peer, principal, entry, account: _ } =
        admitted;
    let connection = principal.connection;
    let bare = |fault: HttpFault| fault.with_id(None);
    let activity = era::session_by_header(&state.endpoint, &headers, connection);
    let session = activity.clone().map(|activity| activity as Arc<dyn SessionInfo>);
    entry.describe(RequestInfo { session, ..RequestInfo::default() });
    let opening = state.master_switch.enabled_token();
    check_enabled(state).map_err(bare)?;
    let activity = era::require_session(&mut headers, activity).map_err(bare)?;
    let ticket = activity.begin_request(peer);
    let lifetime = state.mirror.lifetime(connection);
    let end = StreamEnd {
        switched_off: opening,
        revoked: lifetime.clone(),
        session_ended: activity.ended().clone(),
        shutdown: state.shutdown.stop.clone(),
    };
    let caller = Caller { session: Some(activity), ..calling(principal, peer, request_id, lifetime) };
    let visit = |headers| {
        let request = era::engine_http_request(method.clone(), headers, EMPTY_BODY);
        EngineRequest { caller, mode: ServiceMode::Sessions, reservation: None, request }
    };
    if method == Method::GET {
        let permit = acquire_stream_permit(state, connection).map_err(bare)?;
        let answer = state.endpoint.handle(visit(headers)).await;
        let watching = state.mirror.poll_fast();
        let held = ResponseGuards::new(None, (permit, ticket, watching));
        return Ok(respond::respond(answer, None, &Bytes::new(), held, Some(end), entry).await);
    }
    drop(ticket);
    let answer = state.endpoint.handle(visit(headers)).await;
    // rmcp says 202, which the Python SDK reports as a failure.
    if answer.status() == StatusCode::ACCEPTED {
        entry.end(RequestOutcome::SUCCESS);
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    Ok(respond::respond(answer, None, &Bytes::new(), ResponseGuards::new(None, ()), None, entry).await)
}
