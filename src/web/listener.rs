//! The accept loop, with timeouts, TCP_NODELAY, a connection cap and graceful shutdown: `warp::serve` has none.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::Either;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tower_service::Service;
use warp::reply::Response;

use super::http_fault::HttpFault;
use super::proxies::TransportInfo;
use super::shutdown::Shutdown;
use super::target::RequestTarget;
use super::write_timeout::WriteTimeout;
use super::{Routes, reply};
use crate::config::Limits;

/// The answer to a connection beyond the cap.
const BUSY_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Retry delay of a failed accept: without a free descriptor, accepting again at once would only burn time.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Concurrent requests of one HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 100;

/// Bounds of one listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    pub max_connections: usize,
    pub first_byte_timeout: Duration,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    pub max_header_bytes: usize,
}

impl From<&Limits> for ListenerLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_connections: limits.max_connections,
            first_byte_timeout: limits.first_byte_timeout,
            header_timeout: limits.header_timeout,
            write_timeout: limits.write_timeout,
            max_header_bytes: limits.max_header_bytes,
        }
    }
}

/// Serves `routes` until `shutdown`; returns when every connection is closed.
pub async fn serve(listener: TcpListener, routes: Routes, limits: ListenerLimits, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let connections = GracefulShutdown::new();
    let worker =
        ConnectionHandler { builder: Arc::new(builder(&limits)), routes, limits: Arc::new(limits), shutdown };
    loop {
        let accepted = tokio::select! {
            () = worker.shutdown.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => match Arc::clone(&permits).try_acquire_owned() {
                Ok(permit) => {
                    tokio::spawn(worker.clone().serve_connection(
                        socket,
                        peer,
                        connections.watcher(),
                        permit,
                    ));
                }
                Err(_) => {
                    let _ = socket.try_write(BUSY_RESPONSE);
                }
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

fn builder(limits: &ListenerLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes)
        // A client that closes its side has disconnected: its requests are cancelled.
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.write_timeout);
    builder
}

/// What each connection shares.
#[derive(Clone)]
struct ConnectionHandler {
    builder: Arc<auto::Builder<TokioExecutor>>,
    routes: Routes,
    limits: Arc<ListenerLimits>,
    shutdown: Shutdown,
}

// === impl ConnectionHandler ===

impl ConnectionHandler {
    async fn serve_connection(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        _permit: OwnedSemaphorePermit,
    ) {
        // A streamed answer of several chunks would meet Nagle and delayed ACK: 44 ms each.
        let _ = socket.set_nodelay(true);
        tokio::select! {
            arrived = self.first_byte_arrives(&socket) => if !arrived { return },
            () = self.shutdown.stop.cancelled() => return,
        }
        let has_request = Arc::new(AtomicBool::new(false));
        let requested = Arc::clone(&has_request);
        let service = warp::service(self.routes.clone());
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            requested.store(true, Ordering::Relaxed);
            match RequestTarget::from_request(&request) {
                Ok(target) => {
                    request.extensions_mut().insert(TransportInfo { peer, target });
                    // The future borrows nothing of the service, so a clone for the call is enough.
                    Either::Left(service.clone().call(request))
                }
                Err(fault) => {
                    Either::Right(std::future::ready(refuse_before_routing(&fault, request.version())))
                }
            }
        });
        let io = TokioIo::new(WriteTimeout::new(socket, self.limits.write_timeout));
        let connection = watcher.watch(self.builder.serve_connection(io, service).into_owned());
        tokio::select! {
            // How a connection ended is up to the client.
            _ = connection => {}
            () = self.no_request_in_time(&has_request) => {}
            () = self.shutdown.kill.cancelled() => {}
        }
    }

    /// First-byte timeout: hyper's header timeout starts only after it.
    async fn first_byte_arrives(&self, socket: &TcpStream) -> bool {
        matches!(timeout(self.limits.first_byte_timeout, socket.peek(&mut [0])).await, Ok(Ok(read)) if read > 0)
    }

    /// Returns if no request came in time: half a preface of HTTP/2 keeps hyper waiting without a timer.
    async fn no_request_in_time(&self, has_request: &AtomicBool) {
        sleep(self.limits.header_timeout).await;
        if has_request.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

/// Refuses a request before it is routed.
fn refuse_before_routing(fault: &HttpFault, version: Version) -> Result<Response, Infallible> {
    tracing::debug!(reason = %fault.reason(), "refused");
    let mut response = reply::refuse(fault, None);
    if version < Version::HTTP_2 {
        // Bytes after a CONNECT may be meant for a tunnel, not for us.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
