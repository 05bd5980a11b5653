//! Mounts any `ServerHandler` in two rmcp services: one with sessions, one without.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::caller::RequestScope;
use super::list_cache::{CacheableRequest, ToolListCache};
use super::{Caller, LegacySessionManager, ResponseBody};
use crate::guard::ConcurrencyPermit;
use crate::sessions::SessionRegistry;

/// Keep-alive of event streams: proxies cut silent connections after 60 s and more.
const SSE_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which of the two services a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceMode {
    /// The modern era, and the legacy era with sessions and event streams.
    Sessions,
    /// The legacy era for clients that accept no event stream: no session, one JSON answer.
    Stateless,
}

/// A request on its way to the engine.
pub struct EngineRequest {
    pub caller: Caller,
    pub mode: ServiceMode,
    /// The permit of the session that the request may open.
    pub reservation: Option<ConcurrencyPermit>,
    pub request: Request<Bytes>,
}

/// The MCP engine behind `web`, with the type of the handler erased.
#[derive(Clone)]
pub struct Endpoint {
    engine: Arc<dyn Engine>,
    sessions: Arc<LegacySessionManager>,
    list_cache: ToolListCache,
    cancel: CancellationToken,
}

trait Engine: Send + Sync {
    fn handle(
        &self,
        mode: ServiceMode,
        request: Request<Full<Bytes>>,
    ) -> BoxFuture<'_, Response<ResponseBody>>;
}

struct Services<H> {
    with_sessions: StreamableHttpService<H, LegacySessionManager>,
    stateless: StreamableHttpService<H, NeverSessionManager>,
}

// === impl Services ===

impl<H: ServerHandler> Engine for Services<H> {
    fn handle(
        &self,
        mode: ServiceMode,
        request: Request<Full<Bytes>>,
    ) -> BoxFuture<'_, Response<ResponseBody>> {
        match mode {
            ServiceMode::Sessions => Box::pin(self.with_sessions.handle(request)),
            ServiceMode::Stateless => Box::pin(self.stateless.handle(request)),
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Mounts `handler`. `max_body` is the bound that `web` has already applied.
    pub fn new<H: ServerHandler + Clone>(
        handler: H,
        sessions: Arc<LegacySessionManager>,
        max_body: usize,
    ) -> Self {
        let cancel = CancellationToken::new();
        // Host and Origin are checked by `web`, which answers in JSON; no retry, see `legacy_sessions`.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_sse_keep_alive(Some(SSE_KEEP_ALIVE))
            .with_sse_retry(None)
            .with_json_response(true)
            .with_max_request_body_bytes(max_body)
            .with_cancellation_token(cancel.clone());
        let make = move || -> Result<H, std::io::Error> { Ok(handler.clone()) };
        let plain = StreamableHttpService::new(
            make.clone(),
            Arc::new(NeverSessionManager::default()),
            config.clone().with_legacy_session_mode(false),
        );
        let full =
            StreamableHttpService::new(make, Arc::clone(&sessions), config.with_legacy_session_mode(true));
        Self {
            engine: Arc::new(Services { with_sessions: full, stateless: plain }),
            sessions,
            list_cache: ToolListCache::new(),
            cancel,
        }
    }

    /// The legacy sessions of this endpoint.
    pub fn sessions(&self) -> &Arc<LegacySessionManager> {
        &self.sessions
    }

    /// The sessions of both eras.
    pub fn registry(&self) -> &Arc<SessionRegistry> {
        self.sessions.registry()
    }

    /// Serves a request with rmcp. Headers with secrets must have been removed from it.
    pub async fn handle(&self, incoming: EngineRequest) -> Response<ResponseBody> {
        let EngineRequest { caller, mode, reservation, mut request } = incoming;
        let plain = CacheableRequest::from_request(&request, &caller.principal);
        if let Some(plain) = &plain
            && let Some(answer) = self.list_cache.get(plain).await
        {
            return answer;
        }
        request.extensions_mut().insert(caller.clone());
        let served = self.engine.handle(mode, request.map(Full::new));
        let answer = RequestScope::new(caller, reservation).run(served).await;
        match plain {
            Some(plain) => self.list_cache.insert(plain, answer).await,
            None => answer,
        }
    }

    /// Ends every session and every call that is still running.
    pub fn close(&self) {
        self.cancel.cancel();
    }
}
