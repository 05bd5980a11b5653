//! Which hosts a listener serves: a page that rebinds a name of its own to our address gets nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::HOST;
use http::{HeaderMap, Version};

use super::fault::Fault;
use super::target::Target;
use crate::config::Server;
use crate::vocab::{Authority, Host, Url};

/// Names of this machine by which it is reached from itself.
pub const LOOPBACK: [Host<'static>; 3] = [
    Host::Name("localhost"),
    Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
];

/// The hosts of one listener.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    sites: Vec<Site>,
    /// Addresses are served without being listed: only a name can be rebound.
    any_address: bool,
    /// HTTP/1.0 without `Host` is served: health checks of load balancers send that, and no browser does.
    hostless: bool,
}

/// A host with a port, or with any.
#[derive(Debug, Clone)]
pub struct Site {
    host: Known,
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Known {
    Name(Box<str>),
    Address(IpAddr),
}

// === impl Hosts ===

impl Hosts {
    /// Where tools connect: the host of `public_url`, loopback names, and what is configured.
    pub fn public(server: &Server) -> Self {
        let own = Url::parse(server.public_origin()).map(|url| Site::new(url.authority.host, None));
        let sites =
            LOOPBACK.into_iter().map(|host| Site::new(host, None)).chain(own).chain(configured(server));
        Self { sites: sites.collect(), ..Self::default() }
    }

    /// Where Odoo and monitoring connect, by address more often than not: every address, `localhost`, the host of
    /// `wake_url`, and what is configured.
    pub fn admin(server: &Server) -> Self {
        let wake = server.wake_url.as_deref().and_then(Url::parse);
        let wake = wake.map(|url| Site::new(url.authority.host, None));
        let localhost = Site::new(Host::Name("localhost"), None);
        let sites = [localhost].into_iter().chain(wake).chain(configured(server)).collect();
        Self { sites, any_address: true, hostless: true }
    }

    /// Refuses a host that is none, or none of ours.
    pub fn check(&self, target: &Target, headers: &HeaderMap) -> Result<(), Fault> {
        match named(target, headers)? {
            Some(authority) if self.serves(authority) => Ok(()),
            Some(_) => Err(Fault::Host),
            None if self.hostless && target.version == Version::HTTP_10 => Ok(()),
            None => Err(Fault::HostForm),
        }
    }

    fn serves(&self, Authority { host, port }: Authority<'_>) -> bool {
        (self.any_address && matches!(host, Host::Address(_)))
            || self.sites.iter().any(|site| site.matches(host, port))
    }
}

// === impl Site ===

impl Site {
    /// `port` none: any port.
    pub fn new(host: Host<'_>, port: Option<u16>) -> Self {
        let host = match host {
            Host::Name(name) => Known::Name(name.into()),
            Host::Address(address) => Known::Address(address),
        };
        Self { host, port }
    }

    pub fn matches(&self, host: Host<'_>, port: Option<u16>) -> bool {
        let known = match &self.host {
            Known::Name(name) => Host::Name(name),
            Known::Address(address) => Host::Address(*address),
        };
        known == host && (self.port.is_none() || self.port == port)
    }
}

fn configured(server: &Server) -> impl Iterator<Item = Site> {
    let hosts = server.allowed_hosts.iter().filter_map(|host| Authority::parse(host));
    hosts.map(|Authority { host, port }| Site::new(host, port))
}

/// The host that a request names: once, or twice and the same (`Host` beside an absolute URL or `:authority`).
fn named<'a>(target: &'a Target, headers: &'a HeaderMap) -> Result<Option<Authority<'a>>, Fault> {
    let read = |text: &'a str| Authority::parse(text).ok_or(Fault::HostForm);
    let mut values = headers.get_all(HOST).iter();
    let header = match (values.next(), values.next()) {
        (_, Some(_)) => return Err(Fault::HostForm),
        // RFC 9112, section 3.2: needed with each form of the target.
        (None, None) if target.version == Version::HTTP_11 => return Err(Fault::HostForm),
        (None, None) => None,
        (Some(value), None) => Some(read(value.to_str().map_err(|_| Fault::HostForm)?)?),
    };
    let authority = target.authority.as_ref().map(|authority| read(authority.as_str())).transpose()?;
    match (header, authority) {
        (Some(header), Some(authority)) if header != authority => Err(Fault::HostForm),
        (header, authority) => Ok(authority.or(header)),
    }
}

#[cfg(test)]
mod tests;
