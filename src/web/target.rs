//! Validation of the request target (RFC 9112, section 3.2; RFC 9113, section 8.3.1), before routing.
//!
//! Served are the origin form and the absolute form of an http(s) URL. Tunnels (`CONNECT`, the authority
//! form, extended `CONNECT`) and requests about the whole server (`*`) are refused; routes can rely on a path.

use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Version};

use super::http_fault::HttpFault;

/// A request target with a path.
#[derive(Debug, Clone)]
pub struct RequestTarget {
    pub version: Version,
    /// Of the absolute form, and what HTTP/2 names instead of a `Host` header; not checked.
    pub authority: Option<Authority>,
    path: PathAndQuery,
}

impl RequestTarget {
    pub fn from_request<B>(request: &Request<B>) -> Result<Self, HttpFault> {
        let uri = request.uri();
        if *request.method() == Method::CONNECT {
            return Err(invalid_target("CONNECT is not served: this server opens no tunnels"));
        }
        if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
            return Err(invalid_target("The request target must be a path, or an http or https URL"));
        }
        match uri.path_and_query() {
            Some(path) if path.as_str().starts_with('/') && !is_absent(path) => {
                let authority = uri.authority().cloned();
                Ok(Self { version: request.version(), authority, path: path.clone() })
            }
            _ => Err(invalid_target("The request target must begin with a path")),
        }
    }

    pub fn path(&self) -> &str {
        self.path.path()
    }

    /// The query string. Only the endpoints of OAuth read it, and it is never logged: it can carry secrets.
    pub fn query(&self) -> Option<&str> {
        self.path.query()
    }
}

/// Whether HTTP/2 named no `:path`. Such a path reads as `/`, but is not equal to it.
fn is_absent(path: &PathAndQuery) -> bool {
    path.as_str() == "/" && *path != PathAndQuery::from_static("/")
}

fn invalid_target(message: &'static str) -> HttpFault {
    HttpFault::InvalidTarget { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, uri: http::Uri) -> Result<RequestTarget, HttpFault> {
        let mut request = Request::new(());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = uri;
        RequestTarget::from_request(&request)
    }

    #[test]
    fn a_path_and_an_http_url_are_served() {
        for (uri, path, authority) in [
            ("/odoo/mcp", "/odoo/mcp", None),
            ("/odoo/mcp?key=x", "/odoo/mcp", None),
            ("/", "/", None),
            ("http://localhost:1/odoo/mcp", "/odoo/mcp", Some("localhost:1")),
            ("https://localhost", "/", Some("localhost")),
        ] {
            let target = target("POST", uri.parse().unwrap()).unwrap();
            assert_eq!((target.path(), target.authority.as_ref().map(Authority::as_str)), (path, authority));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for (method, uri) in [
            ("CONNECT", "localhost:80"),
            ("CONNECT", "/odoo/mcp"),
            ("CONNECT", "http://localhost/odoo/mcp"),
            ("GET", "localhost:80"),
            ("POST", "odoo"),
            ("OPTIONS", "*"),
            ("GET", "*"),
            ("GET", "ftp://localhost/odoo/mcp"),
            ("GET", "http://localhost?x"),
        ] {
            let refused = target(method, uri.parse().unwrap());
            assert!(matches!(refused, Err(HttpFault::InvalidTarget { .. })), "{method} {uri}: {refused:?}");
        }
        // What a request of HTTP/2 without :path and :authority becomes.
        let empty = http::Uri::from_parts(http::uri::Parts::default()).unwrap();
        assert!(matches!(target("GET", empty), Err(HttpFault::InvalidTarget { .. })));
    }
}
