//! Client address behind trusted proxies (`X-Forwarded-For`).

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use super::proxy_detection::UntrustedProxies;
use super::target::RequestTarget;

/// Transport facts of a request, which the accept loop puts into its extensions.
#[derive(Debug, Clone)]
pub struct TransportInfo {
    pub peer: SocketAddr,
    pub target: RequestTarget,
}

/// The proxies whose `X-Forwarded-For` counts.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    trusted: Vec<IpNet>,
    untrusted: UntrustedProxies,
}

impl TrustedProxies {
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, untrusted: UntrustedProxies::default() }
    }

    /// A peer that is not trusted and forwards requests of several clients, if one was seen.
    pub fn untrusted_proxy(&self) -> Option<IpAddr> {
        self.untrusted.detected()
    }

    /// The caller's address. `X-Forwarded-For` counts only as far as trusted proxies wrote it: it is read
    /// from its end, where the proxy next to us appended the address that it saw, and the first address that
    /// is no trusted proxy is the caller. Any client could make up what stands before that.
    pub fn client_address(&self, socket: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut caller = socket.to_canonical();
        if !self.trusts(caller) {
            self.detect_untrusted_proxy(caller, headers);
            return caller;
        }
        let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        for value in values.into_iter().rev() {
            for hop in value.to_str().unwrap_or("").rsplit(',') {
                let Some(address) = parse_address(hop.trim()) else { return caller };
                caller = address;
                if !self.trusts(caller) {
                    return caller;
                }
            }
        }
        caller
    }

    /// Records a peer that is not trusted and forwards as a proxy does.
    fn detect_untrusted_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        let Some(last) = headers.get_all("x-forwarded-for").iter().next_back() else { return };
        let hop = last.to_str().unwrap_or("").rsplit(',').next().unwrap_or("");
        if let Some(client) = parse_address(hop.trim()) {
            self.untrusted.record(peer, client);
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// An address with or without a port, as proxies write it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(socket: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        proxies.client_address(socket.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_header_of_an_untrusted_peer_is_ignored() {
        assert_eq!(resolve("203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_names_the_caller() {
        assert_eq!(resolve("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(resolve("::ffff:10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(resolve("::1", &["203.0.113.9:80, 10.1.1.1"]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_header_that_the_client_sent_is_ignored() {
        assert_eq!(resolve("10.0.0.1", &["6.6.6.6, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &["6.6.6.6", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &["6.6.6.6, nonsense"]), "10.0.0.1");
        assert_eq!(resolve("10.0.0.1", &["10.0.0.2, 10.0.0.3"]), "10.0.0.2");
    }
}
