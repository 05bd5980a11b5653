//! Route table: every path of both listeners.

use std::sync::Arc;

use http::Method;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::http_fault::HttpFault;
use super::request::{HttpRequest, extract_request};
use super::server_state::ServerState;
use super::{MCP_PATH, admin as health, oauth_routes, pipeline, reply, well_known};

/// The routes of one listener.
pub type Routes = BoxedFilter<(Response,)>;

/// Routes for AI tools and browsers. Paths match exactly, but for the trailing slash that clients add.
pub fn public(state: Arc<ServerState>) -> Routes {
    extract_request()
        .then(move |request: HttpRequest| {
            let state = Arc::clone(&state);
            async move {
                if let Some(endpoint) = oauth_routes::endpoint_at(&state, request.transport.target.path()) {
                    return oauth_routes::serve(&state, endpoint, request).await;
                }
                match request.transport.target.path() {
                    path if path == MCP_PATH || path.strip_suffix('/') == Some(MCP_PATH) => {
                        pipeline::serve_mcp(&state, request).await
                    }
                    path if well_known::is_well_known(path) => well_known::serve(&state, &request),
                    path if path.starts_with(MCP_PATH) => pipeline::unknown_path(&state, &request),
                    _ => reply::refuse(&pipeline::unserved_path(&state.host_policy, &request), None),
                }
            }
        })
        .boxed()
}

/// Routes for the operator's monitoring and for Odoo.
pub fn admin(state: Arc<ServerState>) -> Routes {
    extract_request()
        .then(move |request: HttpRequest| {
            let state = Arc::clone(&state);
            async move {
                if let Err(fault) = state.admin_host_policy.check(&request.transport.target, &request.headers)
                {
                    return reply::refuse(&fault, None);
                }
                match (request.transport.target.path(), &request.method) {
                    ("/healthz", &Method::GET | &Method::HEAD) => health::healthz(),
                    ("/readyz", &Method::GET | &Method::HEAD) => health::readyz(&state),
                    ("/wake", &Method::POST) => health::receive_wakeup(&state, request).await,
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
