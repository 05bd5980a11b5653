//! `Origin` allow list: pages of foreign sites are refused. Also CORS, which sends the same list to the browser.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

use super::host::{HostPattern, LOOPBACK_HOSTS};
use super::http_fault::HttpFault;
use crate::vocab::{Authority, Url};

const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate, Retry-After");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE, OPTIONS");

/// Headers of a CORS preflight; requested ones that begin with `mcp-param-` are added.
const ALLOWED_HEADERS: &str = "authorization, x-api-key, x-auth-token, content-type, accept, mcp-protocol-version, \
                       mcp-session-id, mcp-method, mcp-name, last-event-id";

/// Origins whose pages may call.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy(Vec<(Scheme, HostPattern)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

// === impl OriginPolicy ===

impl OriginPolicy {
    /// `public` is the product's own origin: pages of it may call. Where its host is a loopback name, pages of
    /// every loopback origin may: these are tools of a developer.
    pub fn new(public: &str, origins: &[String]) -> Self {
        let mut allowed: Vec<_> =
            origins.iter().map(String::as_str).chain([public]).filter_map(parse_allowed).collect();
        if Url::parse(public).is_some_and(|url| LOOPBACK_HOSTS.contains(&url.authority.host)) {
            for scheme in [Scheme::Http, Scheme::Https] {
                allowed.extend(LOOPBACK_HOSTS.map(|host| (scheme, HostPattern::new(host, None))));
            }
        }
        Self(allowed)
    }

    /// Refuses an origin that may not call.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), HttpFault> {
        if headers.contains_key(ORIGIN) && self.allowed_origin(headers).is_none() {
            return Err(HttpFault::OriginRefused);
        }
        Ok(())
    }

    /// The request's origin, if it may call. Two of them are none: proxies may differ on which one counts.
    pub fn allowed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = headers.get_all(ORIGIN).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let (scheme, Authority { host, port }) = parse_exact(value.to_str().ok()?)?;
        self.0.iter().any(|(known, site)| *known == scheme && site.matches(host, port)).then_some(value)
    }

    /// CORS headers that let the page read the answer; on every answer, refusals included.
    pub fn add_cors_headers(origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }

    /// Answers a preflight. It comes without credentials, so none are required.
    pub fn answer_preflight(request: &HeaderMap, answer: &mut HeaderMap) {
        let mut headers = ALLOWED_HEADERS.to_owned();
        let requested = request.get("access-control-request-headers").and_then(|value| value.to_str().ok());
        for header in requested.unwrap_or("").split(',').map(|header| header.trim().to_ascii_lowercase()) {
            if header.starts_with("mcp-param-") {
                headers.push_str(", ");
                headers.push_str(&header);
            }
        }
        if let Ok(headers) = HeaderValue::try_from(headers) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
}

// === impl Scheme ===

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("http") => Some(Self::Http),
            _ if text.eq_ignore_ascii_case("https") => Some(Self::Https),
            _ => None,
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An origin as a browser sends it: scheme, host, port and not a character more; the port is always there.
fn parse_exact(origin: &str) -> Option<(Scheme, Authority<'_>)> {
    let Url { scheme, authority: Authority { host, port }, rest: "" } = Url::parse(origin)? else {
        return None;
    };
    let scheme = Scheme::parse(scheme)?;
    Some((scheme, Authority { host, port: port.or(Some(scheme.port())) }))
}

/// An origin as an operator writes it; `:*` stands for any port.
fn parse_allowed(origin: &str) -> Option<(Scheme, HostPattern)> {
    let any = origin.strip_suffix(":*");
    let (scheme, Authority { host, port }) = parse_exact(any.unwrap_or(origin))?;
    Some((scheme, HostPattern::new(host, port.filter(|_| any.is_none()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &OriginPolicy, sent: &[&str]) -> Result<(), HttpFault> {
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        origins.check(&headers)
    }

    #[test]
    fn only_listed_origins_may_call() {
        let listed = ["https://app.example.com".to_owned(), "http://tool.example.com:*".to_owned()];
        let origins = OriginPolicy::new("https://odoo.example.com", &listed);
        assert_eq!(check(&origins, &[]), Ok(()));
        for origin in [
            "https://odoo.example.com",
            "https://ODOO.example.com",
            "https://app.example.com:443",
            "http://tool.example.com:9",
            "http://tool.example.com",
        ] {
            assert_eq!(check(&origins, &[origin]), Ok(()), "{origin}");
        }
        for origin in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://tool.example.com:9",
            "http://localhost:6274",
            "https://app.example.com.",
        ] {
            assert_eq!(check(&origins, &[origin]), Err(HttpFault::OriginRefused), "{origin}");
        }
        let twice = ["https://app.example.com", "https://app.example.com"];
        assert_eq!(check(&origins, &twice), Err(HttpFault::OriginRefused));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        let origins = OriginPolicy::new("http://127.0.0.1:8765", &[]);
        for origin in ["http://localhost:6274", "https://localhost", "http://127.0.0.1:1", "http://[::1]:9"] {
            assert_eq!(check(&origins, &[origin]), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "",
            "*",
            "localhost",
            "//localhost",
            "http:localhost",
            "http://",
            "http://localhost/",
            "http://localhost/evil",
            "http://localhost?x",
            "http://localhost#x",
            "http://user:pw@localhost",
            "http://user@localhost",
            "http://localhost@evil.example",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:evil",
            "http://localhost..",
            "http://localhost.",
            "http://127.0.0.1:8765.evil.example",
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433",
            "http://[::1",
            "http://[::1%25lo]",
            "http://[::ffff:127.0.0.1]",
            "http://localhost http://evil.example",
            " http://localhost",
            "http://local\u{fe63}host",
            "ftp://localhost",
            "file://localhost",
            "chrome-extension://localhost",
            "http://evil.example",
        ] {
            assert_eq!(check(&origins, &[origin]), Err(HttpFault::OriginRefused), "{origin}");
        }
    }
}
