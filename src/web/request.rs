//! The parts of an HTTP request, as warp's filters extract them.

use bytes::Buf;
use futures_util::{Stream, TryStreamExt};
use http::header::EXPECT;
use http::{HeaderMap, Method};
use warp::{Filter, Rejection};

use super::body::BodyStream;
use super::proxies::TransportInfo;

/// A request. The query string is left behind on purpose.
pub(super) struct HttpRequest {
    pub method: Method,
    pub headers: HeaderMap,
    pub transport: TransportInfo,
    pub body: BodyStream,
}

/// Extracts and never rejects: the listener has put a `TransportInfo` into every request.
pub(super) fn extract_request() -> impl Filter<Extract = (HttpRequest,), Error = Rejection> + Clone {
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<TransportInfo>())
        .and(warp::body::stream())
        .map(build_request)
}

fn build_request<S, B>(method: Method, headers: HeaderMap, transport: TransportInfo, body: S) -> HttpRequest
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let body = Box::pin(body.map_ok(|mut chunk| chunk.copy_to_bytes(chunk.remaining())));
    let body = BodyStream::new(body, headers.contains_key(EXPECT));
    HttpRequest { method, headers, transport, body }
}
