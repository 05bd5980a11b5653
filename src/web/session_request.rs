//! GET and DELETE of a legacy session: the standalone event stream, and the end of the session.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use warp::reply::Response;

use super::authenticated::{AuthenticatedRequest, check_enabled};
use super::era;
use super::http_fault::{HttpFault, Refusal};
use super::limits::acquire_stream_permit;
use super::reply;
use super::respond::{ResponseContext, ResponseGuards, StreamEnd, respond};
use super::server_state::ServerState;
use crate::audit::{RequestInfo, RequestOutcome, SessionInfo};
use crate::mcp::{Caller, EngineRequest, ServiceMode};

/// Serves a GET or a DELETE: steps 5 to 9 of the request path, for a request without a message.
pub(super) async fn serve(
    state: &ServerState,
    request: AuthenticatedRequest,
) -> Result<Response, Box<Refusal>> {
    let AuthenticatedRequest { request_id, method, mut headers, peer, principal, entry, account: _ } =
        request;
    let endpoint = &state.deps.endpoint;
    let connection = principal.connection;
    let without_id = |fault: HttpFault| fault.with_id(None);
    let session = era::session_by_header(endpoint, &headers, connection);
    let info = session.clone().map(|session| session as Arc<dyn SessionInfo>);
    entry.describe(RequestInfo { session: info, ..RequestInfo::default() });
    // The token before the check, so that no change falls between.
    let switched_off = state.deps.master_switch.enabled_token();
    check_enabled(state).map_err(without_id)?;
    let session = era::require_session(&mut headers, session).map_err(without_id)?;
    let activity = session.begin_request(peer);
    let caller = Caller {
        principal,
        peer,
        request_id,
        lifetime: state.deps.mirror.lifetime(connection),
        session: Some(session),
        audit: None,
        permit: None,
        account: Arc::default(),
        unreadable: None,
        notice: None,
    };
    let end = StreamEnd::new(&caller, switched_off, &state.deps.shutdown);
    let engine_request = |headers| {
        let request = era::engine_http_request(method.clone(), headers, Bytes::new());
        EngineRequest { caller, mode: ServiceMode::Sessions, reservation: None, request }
    };
    if method == Method::GET {
        let permit = acquire_stream_permit(state, connection).map_err(without_id)?;
        let answer = endpoint.handle(engine_request(headers)).await;
        let guards = ResponseGuards {
            permit: Some(Arc::new(permit)),
            activity: Some(activity),
            fast_poll: Some(state.deps.mirror.poll_fast()),
            ..ResponseGuards::default()
        };
        let context =
            ResponseContext { id: None, request_body: &Bytes::new(), guards, end: Some(end), entry };
        return Ok(respond(answer, context).await);
    }
    drop(activity);
    let answer = endpoint.handle(engine_request(headers)).await;
    // rmcp says 202, which the Python SDK reports as a failure.
    if answer.status() == StatusCode::ACCEPTED {
        entry.end(RequestOutcome::SUCCESS);
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    let guards = ResponseGuards::default();
    let context = ResponseContext { id: None, request_body: &Bytes::new(), guards, end: None, entry };
    Ok(respond(answer, context).await)
}
