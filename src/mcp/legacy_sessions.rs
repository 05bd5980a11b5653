//! Session manager of the legacy era: bounds sessions, binds them to a connection, expires idle ones.
//!
//! Wraps rmcp's in-memory manager, which does none of that. A session is no authentication: every request
//! brings its credential, and the session has to belong to the same connection.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use futures_util::{Stream, StreamExt, stream};
use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, ProtocolVersion, RequestId, ServerJsonRpcMessage, ServerResult};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionHandle, LocalSessionManager, LocalSessionManagerError, SessionConfig, SessionError,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::caller::RequestScope;
use crate::guard::{ConcurrencyExceeded, ConcurrencyLimit, ConcurrencyPermit};
use crate::sessions::{SessionRegistry, TrackedSession};
use crate::vocab::ConnectionId;

/// Retry delay for clients that resume a broken stream.
const SSE_RETRY_DELAY: Duration = Duration::from_secs(3);

/// Recent requests that a session keeps, for clients that resume a stream.
const MAX_RECENT_REQUESTS: usize = 32;

/// The error for a client that resumes a stream whose answer is lost.
const LOST_ANSWER_ERROR: &str = "The stream broke and the answer was lost. If this was to change something, look whether it \
                    was done before you try again";

/// Timeout of closing a session; its worker can be blocked by a client that does not read.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The sessions that are open.
#[derive(Debug)]
pub struct LegacySessionManager {
    engine: LocalSessionManager,
    slots: Arc<ConcurrencyLimit>,
    open: DashMap<SessionId, OpenSession>,
    registry: Arc<SessionRegistry>,
}

#[derive(Debug)]
struct OpenSession {
    tracked: Arc<TrackedSession>,
    _slot: ConcurrencyPermit,
    /// 2025-11-25 and later resume broken streams; older clients stumble over the event that offers it.
    resumable: bool,
    /// The latest requests, by the number of their stream.
    recent_requests: VecDeque<(u64, RequestId)>,
    /// Lives as long as the standalone stream.
    standalone_stream: Weak<()>,
}

// === impl LegacySessionManager ===

impl LegacySessionManager {
    pub fn new(slots: Arc<ConcurrencyLimit>, registry: Arc<SessionRegistry>) -> Self {
        let mut engine = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        // rmcp's timeout looks at requests only and would end a session under an open stream.
        config.keep_alive = None;
        // rmcp would prime every client; see `resumable`.
        config.sse_retry = None;
        // rmcp would keep each answer for a minute after it was sent: memory that no budget knows of.
        config.completed_cache_ttl = Duration::ZERO;
        engine.session_config = config;
        Self { engine, slots, open: DashMap::new(), registry }
    }

    /// Reserves the permit of a session; to be called before rmcp gets `initialize`.
    pub fn reserve(&self, owner: ConnectionId) -> Result<ConcurrencyPermit, ConcurrencyExceeded> {
        self.slots.try_acquire(owner)
    }

    /// The session of `owner` with this id. None if it is unknown, has ended, or is of another connection; the
    /// caller cannot distinguish these.
    pub fn find(&self, id: &str, owner: ConnectionId) -> Option<Arc<TrackedSession>> {
        let session = self.open.get(id)?;
        let tracked = &session.tracked;
        (tracked.connection() == owner && !tracked.has_ended()).then(|| Arc::clone(tracked))
    }

    /// The sessions of both eras.
    pub fn registry(&self) -> &Arc<SessionRegistry> {
        &self.registry
    }

    /// Closes sessions that are idle for too long or whose connection ended; called every second or so.
    pub async fn reap(&self) {
        let is_over = |session: &OpenSession| self.registry.is_expired(&session.tracked);
        let expired: Vec<_> = self
            .open
            .iter()
            .filter(|session| is_over(session.value()))
            .map(|session| session.key().clone())
            .collect();
        // First the streams, then the workers: they may be waiting for one of them.
        for id in &expired {
            self.remove(id);
        }
        self.registry.reap();
        for id in expired {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.engine.close_session(&id)).await;
        }
    }

    /// Runs `reap` until `cancel`.
    pub async fn run_reaper(self: Arc<Self>, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = tick.tick() => {}
                () = self.registry.ended_signal.notified() => {}
            }
            self.reap().await;
        }
    }

    fn remove(&self, id: &SessionId) {
        if let Some((_, session)) = self.open.remove(id) {
            session.tracked.end();
        }
    }

    fn is_resumable(&self, id: &SessionId) -> bool {
        self.open.get(id).is_some_and(|session| session.resumable)
    }

    /// Ends the standalone stream that the session has, so that the new one takes its place: rmcp would leave the new
    /// one silent. Returns the guard that the new one keeps while it lives.
    async fn replace_standalone_stream(
        &self,
        id: &SessionId,
        handle: &LocalSessionHandle,
    ) -> Result<Arc<()>, SessionError> {
        let lives = Arc::new(());
        let earlier = self.open.get_mut(id).is_some_and(|mut session| {
            let before = std::mem::replace(&mut session.standalone_stream, Arc::downgrade(&lives));
            before.strong_count() > 0
        });
        if earlier {
            let connection = self.open.get(id).map(|session| session.tracked.connection().0);
            tracing::info!(connection, "a second stream of a session replaces the first, which ends");
        }
        handle.close_standalone_sse_stream(None).await?;
        Ok(lives)
    }

    async fn engine_handle(&self, id: &SessionId) -> Result<LocalSessionHandle, LocalSessionManagerError> {
        let handle = self.engine.sessions.read().await.get(id).cloned();
        handle.ok_or_else(|| LocalSessionManagerError::SessionNotFound(id.clone()))
    }

    fn record_request(&self, id: &SessionId, stream: u64, message: &ClientJsonRpcMessage) {
        if let ClientJsonRpcMessage::Request(request) = message
            && let Some(mut session) = self.open.get_mut(id)
        {
            session.recent_requests.truncate(MAX_RECENT_REQUESTS - 1);
            session.recent_requests.push_front((stream, request.id.clone()));
        }
    }

    /// The error that ends a request whose answer is lost, so that no client waits for it.
    fn lost_answer(&self, id: &SessionId, last_event_id: &str) -> Option<ServerSseMessage> {
        let stream: u64 = last_event_id.split_once('/')?.1.parse().ok()?;
        let session = self.open.get(id)?;
        let (_, request) = session.recent_requests.iter().find(|(number, _)| *number == stream)?;
        let error = ErrorData::internal_error(LOST_ANSWER_ERROR, None);
        Some(ServerSseMessage::from_message(ServerJsonRpcMessage::error(error, Some(request.clone()))))
    }
}

/// An event with its number one higher than rmcp's. rmcp counts a stream's events from 0 and replays from
/// a number on, the event of that number included; so no event repeats the id of the priming one, and a
/// client that resumes gets what follows the last event that it has.
fn with_shifted_id(mut event: ServerSseMessage) -> ServerSseMessage {
    if let Some(id) = event.event_id.take() {
        let (number, stream) = id.split_at(id.find('/').unwrap_or(id.len()));
        let next = number.parse::<usize>().map(|number| format!("{}{stream}", number + 1));
        event.event_id = Some(next.unwrap_or(id));
    }
    event
}

/// The events of a stream, with a guard that lives as long as the stream.
fn holding_guard(
    events: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    lives: Option<Arc<()>>,
) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
    events.map(move |event| {
        let _ = &lives;
        with_shifted_id(event)
    })
}

/// An event without data whose id lets the client resume after it.
fn priming_event(id: String) -> impl Stream<Item = ServerSseMessage> + Send + Sync {
    stream::iter([ServerSseMessage::priming(id, SSE_RETRY_DELAY)])
}

impl SessionManager for LegacySessionManager {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let Some((tracked, slot)) =
            RequestScope::take_reservation().and_then(|(caller, slot)| Some((caller.session?, slot)))
        else {
            return Err(LocalSessionManagerError::SessionNotFound("unreserved".into()));
        };
        let (id, transport) = self.engine.create_session().await?;
        tracked.set_id(Arc::clone(&id));
        let session = OpenSession {
            tracked: Arc::clone(&tracked),
            _slot: slot,
            resumable: false,
            recent_requests: VecDeque::new(),
            standalone_stream: Weak::new(),
        };
        self.open.insert(id.clone(), session);
        self.registry.register(&tracked);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        let answer = self.engine.initialize_session(id, message).await?;
        if let ServerJsonRpcMessage::Response(response) = &answer
            && let ServerResult::InitializeResult(result) = &response.result
            && let Some(mut session) = self.open.get_mut(id)
        {
            session.resumable = result.protocol_version == ProtocolVersion::V_2025_11_25;
        }
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.engine.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.remove(id);
        self.engine.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let handle = self.engine_handle(id).await?;
        let receiver = handle.establish_request_wise_channel().await?;
        if let Some(stream) = receiver.http_request_id {
            self.record_request(id, stream, &message);
        }
        handle.push_message(message, receiver.http_request_id).await?;
        let offer = receiver.http_request_id.filter(|_| self.is_resumable(id));
        let offer = stream::iter(offer).flat_map(|stream| priming_event(format!("0/{stream}")));
        Ok(offer.chain(ReceiverStream::new(receiver.inner).map(with_shifted_id)))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.engine.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let lives = self.replace_standalone_stream(id, &self.engine_handle(id).await?).await?;
        let events = self.engine.create_standalone_stream(id).await?;
        let offer =
            stream::iter(self.is_resumable(id).then_some(())).flat_map(|()| priming_event("0".to_owned()));
        Ok(offer.chain(holding_guard(events, Some(lives))))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        // rmcp forgets a request with its answer, so this works only as long as the request is running.
        let lost = self.lost_answer(id, &last_event_id);
        // The id of an event of the standalone stream names no request.
        let lives = match last_event_id.contains('/') {
            true => None,
            false => Some(self.replace_standalone_stream(id, &self.engine_handle(id).await?).await?),
        };
        match (self.engine.resume(id, last_event_id).await, lost) {
            (Ok(events), _) => Ok(holding_guard(events, lives).left_stream()),
            (Err(_), Some(lost)) => Ok(stream::iter([lost]).right_stream()),
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_are_shifted_by_one() {
        let shifted =
            |id: &str| with_shifted_id(ServerSseMessage::priming(id, SSE_RETRY_DELAY)).event_id.unwrap();
        assert_eq!(shifted("0/12"), "1/12");
        assert_eq!(shifted("9"), "10");
        assert_eq!(shifted("odd"), "odd");
    }
}
