//! Every path of both listeners, on one page.

use std::sync::Arc;

use bytes::Buf;
use futures_util::{Stream, TryStreamExt};
use http::header::EXPECT;
use http::{HeaderMap, Method};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::host::HostPolicy;
use super::http_fault::HttpFault;
use super::proxies::TransportInfo;
use super::server_state::ServerState;
use super::{MCP_PATH, admin as health, body, pipeline, reply};

/// The routes of one listener.
pub type Routes = BoxedFilter<(Response,)>;

/// A request as the filters extracted it. The query string is left behind on purpose.
pub struct HttpRequest {
    pub method: Method,
    pub headers: HeaderMap,
    pub transport: TransportInfo,
    pub body: body::BodyStream,
}

/// What AI tools and browsers reach. Paths match exactly, but for the slash that clients put behind an address.
pub fn public(state: Arc<ServerState>) -> Routes {
    extract_request()
        .then(move |asked: HttpRequest| {
            let state = Arc::clone(&state);
            async move {
                match asked.transport.target.path() {
                    path if path == MCP_PATH || path.strip_suffix('/') == Some(MCP_PATH) => {
                        pipeline::serve_mcp(&state, asked).await
                    }
                    path if path.starts_with(MCP_PATH) => pipeline::unknown_path(&state, &asked),
                    _ => reply::refuse(&unserved_path(&state.host_policy, &asked), None),
                }
            }
        })
        .boxed()
}

/// What the operator's monitoring and Odoo reach.
pub fn admin(state: Arc<ServerState>) -> Routes {
    extract_request()
        .then(move |asked: HttpRequest| {
            let state = Arc::clone(&state);
            async move {
                if let Err(fault) = state.admin_host_policy.check(&asked.transport.target, &asked.headers) {
                    return reply::refuse(&fault, None);
                }
                match (asked.transport.target.path(), &asked.method) {
                    ("/healthz", &Method::GET | &Method::HEAD) => health::healthz(),
                    ("/readyz", &Method::GET | &Method::HEAD) => health::readyz(&state),
                    ("/wake", &Method::POST) => health::receive_wakeup(&state, asked).await,
                    ("/healthz" | "/readyz", _) => {
                        reply::refuse(&HttpFault::MethodNotAllowed { allow: "GET, HEAD" }, None)
                    }
                    ("/wake", _) => reply::refuse(&HttpFault::MethodNotAllowed { allow: "POST" }, None),
                    _ => reply::refuse(&HttpFault::PathNotFound, None),
                }
            }
        })
        .boxed()
}

/// Why a path that is not served is refused.
pub fn unserved_path(hosts: &HostPolicy, asked: &HttpRequest) -> HttpFault {
    hosts.check(&asked.transport.target, &asked.headers).err().unwrap_or(HttpFault::PathNotFound)
}

/// Extracts and never rejects: the listener has put a `TransportInfo` into every request.
fn extract_request() -> impl Filter<Extract = (HttpRequest,), Error = Rejection> + Clone {
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<TransportInfo>())
        .and(warp::body::stream())
        .map(build_request)
}

fn build_request<S, B>(method: Method, headers: HeaderMap, wire: TransportInfo, body: S) -> HttpRequest
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let body = Box::pin(body.map_ok(|mut chunk| chunk.copy_to_bytes(chunk.remaining())));
    let body = body::BodyStream::new(body, headers.contains_key(EXPECT));
    HttpRequest { method, headers, transport: wire, body }
}
