//! Every path of both listeners, on one page.

use std::sync::Arc;

use bytes::Buf;
use futures_util::{Stream, TryStreamExt};
use http::header::EXPECT;
use http::{HeaderMap, Method};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::edge::Edge;
use super::fault::Fault;
use super::host::Hosts;
use super::peer::Wire;
use super::{MCP_PATH, admin as health, body, pipeline, reply};

/// The routes of one listener.
pub type Routes = BoxedFilter<(Response,)>;

/// A request as the filters extracted it. The query string is left behind on purpose.
pub struct Asked {
    pub method: Method,
    pub headers: HeaderMap,
    pub wire: Wire,
    pub body: body::Incoming,
}

/// What AI tools and browsers reach. Paths match exactly, but for the slash that clients put behind an address.
pub fn public(edge: Arc<Edge>) -> Routes {
    asked()
        .then(move |asked: Asked| {
            let edge = Arc::clone(&edge);
            async move {
                match asked.wire.target.path() {
                    path if path == MCP_PATH || path.strip_suffix('/') == Some(MCP_PATH) => {
                        pipeline::mcp(&edge, asked).await
                    }
                    path if path.starts_with(MCP_PATH) => pipeline::astray(&edge, &asked),
                    _ => reply::refuse(&nowhere(&edge.hosts, &asked), None),
                }
            }
        })
        .boxed()
}

/// What the operator's monitoring and Odoo reach.
pub fn admin(edge: Arc<Edge>) -> Routes {
    asked()
        .then(move |asked: Asked| {
            let edge = Arc::clone(&edge);
            async move {
                if let Err(fault) = edge.admin_hosts.check(&asked.wire.target, &asked.headers) {
                    return reply::refuse(&fault, None);
                }
                match (asked.wire.target.path(), &asked.method) {
                    ("/healthz", &Method::GET | &Method::HEAD) => health::healthz(),
                    ("/readyz", &Method::GET | &Method::HEAD) => health::readyz(&edge),
                    ("/wake", &Method::POST) => health::wake(&edge, asked).await,
                    ("/healthz" | "/readyz", _) => reply::refuse(&Fault::Method { allow: "GET, HEAD" }, None),
                    ("/wake", _) => reply::refuse(&Fault::Method { allow: "POST" }, None),
                    _ => reply::refuse(&Fault::Path, None),
                }
            }
        })
        .boxed()
}

/// Why a path that is not served is refused.
pub fn nowhere(hosts: &Hosts, asked: &Asked) -> Fault {
    hosts.check(&asked.wire.target, &asked.headers).err().unwrap_or(Fault::Path)
}

/// Extracts and never rejects: the listener has put a `Wire` into every request.
fn asked() -> impl Filter<Extract = (Asked,), Error = Rejection> + Clone {
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Wire>())
        .and(warp::body::stream())
        .map(gather)
}

fn gather<S, B>(method: Method, headers: HeaderMap, wire: Wire, body: S) -> Asked
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let body = Box::pin(body.map_ok(|mut chunk| chunk.copy_to_bytes(chunk.remaining())));
    let body = body::Incoming::new(body, headers.contains_key(EXPECT));
    Asked { method, headers, wire, body }
}
