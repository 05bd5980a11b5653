//! Host allow list of a listener, against DNS rebinding: a page that rebinds its own name to our address is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::HOST;
use http::{HeaderMap, Version};

use super::http_fault::HttpFault;
use super::target::RequestTarget;
use crate::config::Server;
use crate::vocab::{Authority, Host, Url};

/// Loopback names of this machine.
pub(super) const LOOPBACK_HOSTS: [Host<'static>; 3] = [
    Host::Name("localhost"),
    Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
];

/// The hosts of one listener.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    patterns: Vec<HostPattern>,
    /// Addresses are served without being listed: only a name can be rebound.
    any_address: bool,
    /// HTTP/1.0 without `Host` is served: health checks of load balancers send that, and no browser does.
    allows_missing_host: bool,
}

/// A host with one port, or with any.
#[derive(Debug, Clone)]
pub(super) struct HostPattern {
    host: PatternHost,
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum PatternHost {
    Name(Box<str>),
    Address(IpAddr),
}

// === impl HostPolicy ===

impl HostPolicy {
    /// Where tools connect: the host of `public_url`, loopback names, and what is configured.
    pub fn public(server: &Server) -> Self {
        let own = Url::parse(server.public_origin()).map(|url| HostPattern::new(url.authority.host, None));
        let sites = LOOPBACK_HOSTS
            .into_iter()
            .map(|host| HostPattern::new(host, None))
            .chain(own)
            .chain(configured_patterns(server));
        Self { patterns: sites.collect(), ..Self::default() }
    }

    /// Where Odoo and monitoring connect, by address more often than not: every address, `localhost`, the host of
    /// `wake_url`, and what is configured.
    pub fn admin(server: &Server) -> Self {
        let wake = server.wake_url.as_deref().and_then(Url::parse);
        let wake = wake.map(|url| HostPattern::new(url.authority.host, None));
        let localhost = HostPattern::new(Host::Name("localhost"), None);
        let sites = [localhost].into_iter().chain(wake).chain(configured_patterns(server)).collect();
        Self { patterns: sites, any_address: true, allows_missing_host: true }
    }

    /// Refuses a host that is malformed or not listed.
    pub fn check(&self, target: &RequestTarget, headers: &HeaderMap) -> Result<(), HttpFault> {
        match requested_host(target, headers)? {
            Some(authority) if self.serves(authority) => Ok(()),
            Some(_) => Err(HttpFault::HostRefused),
            None if self.allows_missing_host && target.version == Version::HTTP_10 => Ok(()),
            None => Err(HttpFault::HostMalformed),
        }
    }

    fn serves(&self, Authority { host, port }: Authority<'_>) -> bool {
        (self.any_address && matches!(host, Host::Address(_)))
            || self.patterns.iter().any(|site| site.matches(host, port))
    }
}

// === impl HostPattern ===

impl HostPattern {
    /// `port` none: any port.
    pub(super) fn new(host: Host<'_>, port: Option<u16>) -> Self {
        let host = match host {
            Host::Name(name) => PatternHost::Name(name.into()),
            Host::Address(address) => PatternHost::Address(address),
        };
        Self { host, port }
    }

    pub(super) fn matches(&self, host: Host<'_>, port: Option<u16>) -> bool {
        let known = match &self.host {
            PatternHost::Name(name) => Host::Name(name),
            PatternHost::Address(address) => Host::Address(*address),
        };
        known == host && (self.port.is_none() || self.port == port)
    }
}

fn configured_patterns(server: &Server) -> impl Iterator<Item = HostPattern> {
    let hosts = server.allowed_hosts.iter().filter_map(|host| Authority::parse(host));
    hosts.map(|Authority { host, port }| HostPattern::new(host, port))
}

/// The host that a request names: once, or twice and the same (`Host` beside an absolute URL or `:authority`).
fn requested_host<'a>(
    target: &'a RequestTarget,
    headers: &'a HeaderMap,
) -> Result<Option<Authority<'a>>, HttpFault> {
    let read = |text: &'a str| Authority::parse(text).ok_or(HttpFault::HostMalformed);
    let mut values = headers.get_all(HOST).iter();
    let header = match (values.next(), values.next()) {
        (_, Some(_)) => return Err(HttpFault::HostMalformed),
        // RFC 9112, section 3.2: needed with each form of the target.
        (None, None) if target.version == Version::HTTP_11 => return Err(HttpFault::HostMalformed),
        (None, None) => None,
        (Some(value), None) => Some(read(value.to_str().map_err(|_| HttpFault::HostMalformed)?)?),
    };
    let authority = target.authority.as_ref().map(|authority| read(authority.as_str())).transpose()?;
    match (header, authority) {
        (Some(header), Some(authority)) if header != authority => Err(HttpFault::HostMalformed),
        (header, authority) => Ok(authority.or(header)),
    }
}

#[cfg(test)]
mod tests;
