//! `Host` and `Origin`: a page that rebinds a name to our address, or calls from a foreign site, gets nothing.
//!
//! Also CORS, which is the same list told to the browser.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};

use super::fault::Fault;

/// Names of this machine by which it is reached from itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const EXPOSED: HeaderValue = HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate, Retry-After");
const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE, OPTIONS");

/// Asked for by browsers; what begins with `mcp-param-` is added as it is asked for.
const HEADERS: &str = "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, \
                       mcp-name, last-event-id";

/// Hosts and origins that are served.
#[derive(Debug, Clone)]
pub struct Sites {
    hosts: Vec<Site>,
    origins: Vec<(String, Site)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    host: String,
    /// None: any port.
    port: Option<u16>,
}

// === impl Sites ===

impl Sites {
    /// `public` is the product's own origin: its host is served, and pages of it may call. Where that host is
    /// a loopback name, pages of every loopback origin may: these are tools of a developer.
    pub fn new(public: &str, hosts: &[String], origins: &[String]) -> Self {
        let own = Uri::try_from(public).ok().and_then(|uri| uri.host().map(name)).unwrap_or_default();
        let any_port = |host: &str| Site { host: host.to_owned(), port: None };
        let mut sites = Self { hosts: LOOPBACK.map(any_port).to_vec(), origins: Vec::new() };
        if !own.is_empty() {
            sites.hosts.push(any_port(&own));
        }
        let given = hosts.iter().filter_map(|host| host.parse::<Authority>().ok());
        sites.hosts.extend(given.map(|host| Site { host: name(host.host()), port: host.port_u16() }));
        sites.origins.extend(origins.iter().map(String::as_str).chain([public]).filter_map(allowed));
        if LOOPBACK.contains(&own.as_str()) {
            let loopback = |scheme: &str| LOOPBACK.map(|host| (scheme.to_owned(), any_port(host)));
            sites.origins.extend(loopback("http").into_iter().chain(loopback("https")));
        }
        sites
    }

    /// Refuses a host that is not ours, and an origin that may not call.
    pub fn check(&self, headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Fault> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
            (None, None) => authority.cloned(),
            _ => None,
        };
        let host = host.ok_or(Fault::Host)?;
        if !self.hosts.iter().any(|site| site.matches(&name(host.host()), host.port_u16())) {
            return Err(Fault::Host);
        }
        if headers.contains_key(ORIGIN) && self.origin(headers).is_none() {
            return Err(Fault::Origin);
        }
        Ok(())
    }

    /// The request's origin, if it may call. Two of them are none: proxies may differ on which one counts.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = headers.get_all(ORIGIN).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let (scheme, site) = exact(value.to_str().ok()?)?;
        let fits = |allowed: &(String, Site)| allowed.0 == scheme && allowed.1.matches(&site.host, site.port);
        self.origins.iter().any(fits).then_some(value)
    }

    /// Tells a browser that the page may read the answer; on every answer, refusals included.
    pub fn expose(origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }

    /// Answers a preflight. It comes without credentials, so none are asked for.
    pub fn preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let mut headers = HEADERS.to_owned();
        let asked = request.get("access-control-request-headers").and_then(|value| value.to_str().ok());
        for header in asked.unwrap_or("").split(',').map(|header| header.trim().to_ascii_lowercase()) {
            if header.starts_with("mcp-param-") {
                headers.push_str(", ");
                headers.push_str(&header);
            }
        }
        if let Ok(headers) = HeaderValue::try_from(headers) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    }
}

// === impl Site ===

impl Site {
    fn matches(&self, host: &str, port: Option<u16>) -> bool {
        self.host == host && (self.port.is_none() || self.port == port)
    }
}

fn name(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// An origin as a browser sends it; the port is always there.
fn exact(origin: &str) -> Option<(String, Site)> {
    let uri = Uri::try_from(origin).ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let host = name(uri.host()?);
    Some((scheme, Site { host, port: uri.port_u16().or(usual) }))
}

/// An origin as an operator writes it; `:*` stands for any port.
fn allowed(origin: &str) -> Option<(String, Site)> {
    match origin.strip_suffix(":*") {
        Some(base) => exact(base).map(|(scheme, site)| (scheme, Site { port: None, ..site })),
        None => exact(origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sites: &Sites, host: &str, origin: Option<&str>) -> Result<(), Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        sites.check(&headers, None)
    }

    #[test]
    fn only_our_own_names_are_served() {
        let sites = Sites::new("https://odoo.example.com", &["inner:8080".to_owned()], &[]);
        for host in ["odoo.example.com", "ODOO.example.com:443", "localhost:1", "[::1]:9", "inner:8080"] {
            assert_eq!(check(&sites, host, None), Ok(()), "{host}");
        }
        for host in ["evil.example.com", "inner", "inner:81", "odoo.example.com.evil.com", "a b"] {
            assert_eq!(check(&sites, host, None), Err(Fault::Host), "{host}");
        }
        assert_eq!(sites.check(&HeaderMap::new(), None), Err(Fault::Host));
        let authority = "odoo.example.com".parse().ok();
        assert_eq!(sites.check(&HeaderMap::new(), authority.as_ref()), Ok(()));
    }

    #[test]
    fn only_listed_origins_may_call() {
        let origins = ["https://app.example.com".to_owned(), "http://tool.example.com:*".to_owned()];
        let sites = Sites::new("https://odoo.example.com", &[], &origins);
        let with = |origin| check(&sites, "localhost", Some(origin));
        for origin in ["https://odoo.example.com", "https://app.example.com:443", "http://tool.example.com:9"]
        {
            assert_eq!(with(origin), Ok(()), "{origin}");
        }
        for origin in
            ["http://app.example.com", "https://app.example.com:8443", "null", "http://localhost:6274"]
        {
            assert_eq!(with(origin), Err(Fault::Origin), "{origin}");
        }
    }

    #[test]
    fn a_local_server_serves_local_pages() {
        let sites = Sites::new("http://127.0.0.1:8765", &[], &[]);
        assert_eq!(check(&sites, "localhost:8765", Some("http://localhost:6274")), Ok(()));
        assert_eq!(check(&sites, "localhost:8765", Some("http://evil.example.com")), Err(Fault::Origin));
        assert_eq!(check(&sites, "evil.example.com", None), Err(Fault::Host));
    }
}
