//! SSRF guard: fetches a small JSON document of a foreign https host, and nothing of this network.
//!
//! The name is resolved once for a connection, each address is checked, and the connection goes to a checked address:
//! a name that is rebound meanwhile leads nowhere. No proxy, no redirect, no port but 443, no address in the URL, no
//! cookies, no credentials; the answer is bounded in bytes, in time and in its media type.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Response, StatusCode};

/// The longest document: the suggestion of the specification of Client ID Metadata Documents.
pub const MAX_DOCUMENT_BYTES: usize = 5 * 1024;

/// From the look-up of the name to the last byte.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// IPv4 networks that are not of the public Internet (IANA's special-purpose registry), or lead elsewhere.
const REFUSED_V4: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    // Relays of 6to4.
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Of IPv6 only global unicast is public: this leaves out loopback, unique-local, link-local and multicast addresses, and
/// those that stand for an IPv4 address (mapped, compatible, translated: NAT64).
const PUBLIC_V6: &str = "2000::/3";

/// Parts of it that are not public, or lead elsewhere.
const REFUSED_V6: [&str; 4] = [
    // Protocol assignments: Teredo, benchmarks, ORCHID.
    "2001::/23",
    "2001:db8::/32",
    // 6to4.
    "2002::/16",
    "3fff::/20",
];

static PUBLIC_V6_NETWORK: LazyLock<Option<Ipv6Net>> = LazyLock::new(|| PUBLIC_V6.parse().ok());
static REFUSED_V4_NETWORKS: LazyLock<Vec<Ipv4Net>> =
    LazyLock::new(|| REFUSED_V4.iter().filter_map(|network| network.parse().ok()).collect());
static REFUSED_V6_NETWORKS: LazyLock<Vec<Ipv6Net>> =
    LazyLock::new(|| REFUSED_V6.iter().filter_map(|network| network.parse().ok()).collect());

/// Why a document was not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("the name of its host cannot be resolved")]
    Unresolved,
    #[error("the name of its host leads to no public address")]
    PrivateAddress,
    #[error("its host cannot be reached over TLS")]
    Unreachable,
    #[error("its host did not answer within 3 seconds")]
    TimedOut,
    #[error("its host answered with a redirect, and none is followed")]
    Redirected,
    #[error("its host answered with status {0}")]
    Status(u16),
    #[error("it has more than 5120 bytes")]
    TooLarge,
    #[error("it is not sent as application/json")]
    MediaType,
}

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub body: Bytes,
    /// `max-age` of its `Cache-Control`; zero where it must not be stored.
    pub max_age: Option<Duration>,
}

/// Resolves the name of a host. A port other than zero takes the place of 443.
pub trait HostResolver: Send + Sync {
    fn resolve(&self, host: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

/// Fetches documents.
pub struct Fetcher {
    resolver: GuardedResolver,
    /// Trusted beside the system's.
    roots: Vec<Certificate>,
}

#[derive(Clone)]
struct GuardedResolver {
    inner: Arc<dyn HostResolver>,
    is_allowed: fn(IpAddr) -> bool,
}

// === impl FetchError ===

impl FetchError {
    /// Whether no answer of an HTTP server was seen: this network may allow no such requests.
    pub fn is_no_answer(self) -> bool {
        matches!(self, Self::Unresolved | Self::PrivateAddress | Self::Unreachable | Self::TimedOut)
    }

    /// Whether the host is away: then an older copy still counts. A document that was moved or withdrawn does not.
    pub fn is_outage(self) -> bool {
        match self {
            Self::Unresolved | Self::Unreachable | Self::TimedOut => true,
            Self::Status(status) => status >= 500 || status == 429,
            _ => false,
        }
    }
}

// === impl Fetcher ===

impl Fetcher {
    pub fn new() -> Self {
        Self::with(Arc::new(SystemResolver), is_public, Vec::new())
    }

    /// With another resolver, rule of addresses and further roots of trust: for tests, whose servers have a loopback
    /// address. No setting leads here.
    pub fn with(
        resolver: Arc<dyn HostResolver>,
        is_allowed: fn(IpAddr) -> bool,
        roots: Vec<Certificate>,
    ) -> Self {
        let resolver = GuardedResolver { inner: resolver, is_allowed };
        Self { resolver, roots }
    }

    /// Fetches `url`, whose form the caller has checked: https, a host name, no port.
    pub async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        let client = self.client().await.ok_or(FetchError::Unreachable)?;
        let fetching = async {
            let request = client.get(url).header(ACCEPT, "application/json");
            let response = request.send().await.map_err(|error| send_error(&error))?;
            check_head(&response)?;
            let max_age = max_age(response.headers());
            Ok(Fetched { body: read(response).await?, max_age })
        };
        tokio::time::timeout(FETCH_TIMEOUT, fetching).await.unwrap_or(Err(FetchError::TimedOut))
    }

    /// An HTTP client for one fetch. They are rare, and the system's certificates take long to load and megabytes.
    async fn client(&self) -> Option<reqwest::Client> {
        let (resolver, roots) = (self.resolver.clone(), self.roots.clone());
        tokio::task::spawn_blocking(move || build_client(resolver, roots)).await.ok().flatten()
    }
}

fn build_client(resolver: GuardedResolver, roots: Vec<Certificate>) -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .https_only(true)
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(Arc::new(resolver))
        .pool_max_idle_per_host(0)
        .connect_timeout(FETCH_TIMEOUT)
        .user_agent(concat!("odoo-mcp-sidecar/", env!("CARGO_PKG_VERSION")));
    let builder = if roots.is_empty() { builder } else { builder.tls_certs_merge(roots) };
    builder.build().inspect_err(|error| tracing::warn!(%error, "no client for documents of clients")).ok()
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher(..)")
    }
}

// === impl HostResolver ===

impl HostResolver for SystemResolver {
    fn resolve(&self, host: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

impl GuardedResolver {
    async fn checked(self, host: String) -> Result<Vec<SocketAddr>, FetchError> {
        let resolved = self.inner.resolve(host).await.map_err(|_| FetchError::Unresolved)?;
        if resolved.is_empty() {
            return Err(FetchError::Unresolved);
        }
        let allowed: Vec<_> =
            resolved.into_iter().filter(|address| (self.is_allowed)(address.ip())).collect();
        if allowed.is_empty() { Err(FetchError::PrivateAddress) } else { Ok(allowed) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let checking = self.clone().checked(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: Addrs = Box::new(checking.await?.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address belongs to the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !REFUSED_V4_NETWORKS.iter().any(|network| network.contains(&v4)),
        IpAddr::V6(v6) => {
            PUBLIC_V6_NETWORK.is_some_and(|public| public.contains(&v6))
                && !REFUSED_V6_NETWORKS.iter().any(|network| network.contains(&v6))
        }
    }
}

/// The guard's own error, which comes back inside of the client's.
fn send_error(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<FetchError>() {
            return *refused;
        }
        cause = inner.source();
    }
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable }
}

fn check_head(response: &Response) -> Result<(), FetchError> {
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(FetchError::Redirected),
        status => return Err(FetchError::Status(status.as_u16())),
    }
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = header(CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"));
    if !is_json || !matches!(header(CONTENT_ENCODING), "" | "identity") {
        return Err(FetchError::MediaType);
    }
    Ok(())
}

async fn read(mut response: Response) -> Result<Bytes, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Unreachable)? {
        if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// How long the answer may be kept (RFC 9111, section 5.2.2), as far as a private cache must know.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache")) {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "160.79.104.10",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
    ];

    const PRIVATE: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "4000::1",
    ];

    #[test]
    fn every_network_is_read() {
        assert_eq!(REFUSED_V4_NETWORKS.len(), REFUSED_V4.len());
        assert_eq!(REFUSED_V6_NETWORKS.len(), REFUSED_V6.len());
        assert!(PUBLIC_V6_NETWORK.is_some());
    }

    #[test]
    fn only_public_addresses_are_fetched_from() {
        for address in PUBLIC {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in PRIVATE {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn cache_control_is_read() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, value.parse().unwrap());
            }
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["public"]), None);
        assert_eq!(read(&["public, max-age=600"]), Some(600));
        assert_eq!(read(&["public", "Max-Age=\"60\""]), Some(60));
        assert_eq!(read(&["max-age=600, no-store"]), Some(0));
        assert_eq!(read(&["max-age=-1"]), None);
    }
}
