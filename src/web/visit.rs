//! The second half of the road: permits, sessions, and the visit to rmcp.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warp::reply::Response;

use super::edge::Edge;
use super::fault::{Fault, Refusal};
use super::lane::{self, Road};
use super::message::{Kind, Message};
use super::pipeline::{Admitted, NO_BODY, open};
use super::relay::{self, End, Held};
use super::reply;
use crate::audit::{Asked, Session, Verdict};
use crate::guard::{Counted, Full, Slot, Slots};
use crate::mcp::{Activity, Caller, Lane, Visit};
use crate::vocab::{ConnectionId, Principal};

/// When a place taken by a request may be free again.
const SOON: Duration = Duration::from_secs(1);

/// When a place taken by a stream may be free again.
const LATER: Duration = Duration::from_secs(10);

/// Serves a POST.
pub async fn post(
    edge: &Edge,
    admitted: Admitted,
    message: Message,
    body: Bytes,
) -> Result<Response, Box<Refusal>> {
    let id = message.id.clone();
    let with_id = |fault: Fault| fault.of(id.clone());
    let Admitted { request_id, method, mut headers, peer, principal, entry, account } = admitted;
    let connection = principal.connection;
    let lifetime = edge.mirror.lifetime(connection);
    let mut caller = calling(principal, peer, request_id, lifetime);
    caller.unreadable = message.unreadable.as_deref().map(Arc::from);
    caller.activity = lane::activity(&edge.endpoint, &message, &headers, &caller);
    entry.asks(asked(&message, caller.activity.clone()));
    // The token before the switch, so that no change can fall between; and the switch once more, since the
    // body may have taken long.
    let opening = edge.switch.opening();
    open(edge).map_err(with_id)?;
    if message.is("tools/call") && !edge.audit.has_room() {
        return Err(with_id(Fault::AuditFull));
    }
    let listens = message.is("subscriptions/listen");
    let permit = permit(edge, connection, &message).map_err(with_id)?.map(Arc::new);
    let Counted { receipt, scarce } = count(edge, &caller.principal, &message).await.map_err(with_id)?;
    caller.notice = scarce.map(|scarce| scarce.to_string().into());
    if !message.is("tools/call") {
        // A call is written down soon, and its count with it.
        receipt.hurry();
    }
    if let Some(misfit) = &message.misfit {
        return Err(with_id(Fault::Params { message: misfit.clone().into() }));
    }
    if lane::is_for_no_session(&message, &headers) {
        entry.end(Verdict::SUCCESS);
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    let Road { lane, reservation } =
        lane::post(&edge.endpoint, &message, &mut headers, &caller).map_err(with_id)?;
    let ticket = caller.activity.as_ref().map(|activity| {
        if is_limited(&message) {
            activity.count();
        }
        activity.enter(peer)
    });
    let end = listens.then(|| End {
        opening,
        lifetime: caller.lifetime.clone(),
        stopping: edge.life.stop.clone(),
        session: caller.activity.as_ref().map(|activity| activity.ended().clone()).unwrap_or_default(),
    });
    let watching = listens.then(|| edge.mirror.watching());
    // A session keeps the parts of its `initialize`: what lies in them would never be given back.
    if !message.is("initialize") {
        caller.permit = permit.clone();
        caller.audit = Some(Arc::clone(&entry));
        caller.account = Arc::clone(&account);
    }
    let asked = body.clone();
    let request = lane::request(method, headers, body);
    tracing::debug!(%connection, method = message.method, tool = message.name, "admitted");
    let answer = edge.endpoint.handle(Visit { caller, lane, reservation, request }).await;
    // What a client has an answer for is counted, even if this process is killed now.
    receipt.kept().await;
    let held = Held::new(Some(account), (permit, ticket, watching));
    Ok(relay::answer(answer, id.as_ref(), &asked, held, end, entry).await)
}

/// A caller of whose request nothing more is known yet.
fn calling(principal: Arc<Principal>, peer: IpAddr, request_id: Uuid, lifetime: CancellationToken) -> Caller {
    Caller {
        principal,
        peer,
        request_id,
        lifetime,
        activity: None,
        audit: None,
        permit: None,
        account: Arc::default(),
        unreadable: None,
        notice: None,
    }
}

/// What the audit log tells of a message.
fn asked(message: &Message, activity: Option<Arc<Activity>>) -> Asked {
    Asked {
        method: message.method.clone(),
        tool: message.name.clone().filter(|_| message.is("tools/call")),
        session: activity.map(|activity| activity as Arc<dyn Session>),
        counts: is_limited(message),
    }
}

/// What limits are about: requests; not notifications, answers and pings.
fn is_limited(message: &Message) -> bool {
    message.kind == Kind::Request && !message.is("ping")
}

/// Step 4: the limits of the connection, per minute and per day. They come after the permit, so that a
/// request without a place is not counted either.
async fn count(edge: &Edge, principal: &Principal, message: &Message) -> Result<Counted, Fault> {
    if !is_limited(message) {
        return Ok(Counted::not());
    }
    let settings = edge.mirror.settings().ok_or(Fault::Unknown)?;
    edge.rate.take(principal, &settings).await.map_err(Fault::Rate)
}

/// Step 4: a place among the requests in flight, or among the open streams.
fn permit(edge: &Edge, connection: ConnectionId, message: &Message) -> Result<Option<Slot>, Fault> {
    if !is_limited(message) {
        return Ok(None);
    }
    if message.is("subscriptions/listen") {
        return stream_permit(edge, connection).map(Some);
    }
    take(&edge.calls, connection, ["in_flight_per_connection", "in_flight"], SOON).map(Some)
}

fn stream_permit(edge: &Edge, connection: ConnectionId) -> Result<Slot, Fault> {
    take(&edge.streams, connection, ["streams_per_connection", "streams"], LATER)
}

fn take(
    slots: &Arc<Slots>,
    owner: ConnectionId,
    [own, all]: [&'static str; 2],
    wait: Duration,
) -> Result<Slot, Fault> {
    slots.take(owner).map_err(|full| match full {
        Full::Connection => Fault::Limit { limit: own, wait },
        Full::Server => Fault::Limit { limit: all, wait },
    })
}

/// Serves a GET, which opens the stream of a legacy session, or a DELETE, which ends the session.
pub async fn session(edge: &Edge, admitted: Admitted) -> Result<Response, Box<Refusal>> {
    let Admitted { request_id, method, mut headers, peer, principal, entry, account: _ } = admitted;
    let connection = principal.connection;
    let bare = |fault: Fault| fault.of(None);
    let activity = lane::named(&edge.endpoint, &headers, connection);
    let session = activity.clone().map(|activity| activity as Arc<dyn Session>);
    entry.asks(Asked { session, ..Asked::default() });
    let opening = edge.switch.opening();
    open(edge).map_err(bare)?;
    let activity = lane::session(&mut headers, activity).map_err(bare)?;
    let ticket = activity.enter(peer);
    let lifetime = edge.mirror.lifetime(connection);
    let end = End {
        opening,
        lifetime: lifetime.clone(),
        session: activity.ended().clone(),
        stopping: edge.life.stop.clone(),
    };
    let caller = Caller { activity: Some(activity), ..calling(principal, peer, request_id, lifetime) };
    let visit = |headers| {
        let request = lane::request(method.clone(), headers, NO_BODY);
        Visit { caller, lane: Lane::Full, reservation: None, request }
    };
    if method == Method::GET {
        let permit = stream_permit(edge, connection).map_err(bare)?;
        let answer = edge.endpoint.handle(visit(headers)).await;
        let watching = edge.mirror.watching();
        let held = Held::new(None, (permit, ticket, watching));
        return Ok(relay::answer(answer, None, &Bytes::new(), held, Some(end), entry).await);
    }
    drop(ticket);
    let answer = edge.endpoint.handle(visit(headers)).await;
    // rmcp says 202, which the Python SDK reports as a failure.
    if answer.status() == StatusCode::ACCEPTED {
        entry.end(Verdict::SUCCESS);
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    Ok(relay::answer(answer, None, &Bytes::new(), Held::new(None, ()), None, entry).await)
}
