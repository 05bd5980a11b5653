//! What the handlers of both listeners share.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::HeaderMap;

use super::listener::Life;
use super::origin::Sites;
use super::peer::{Proxies, Wire};
use crate::audit::{Audit, ChainWatch};
use crate::config::{Limits, Server};
use crate::guard::{Addresses, Rate, Slots, Switch};
use crate::mcp::Endpoint;
use crate::mirror::Mirror;

/// The parts that `app` has wired.
pub struct Parts {
    pub mirror: Arc<Mirror>,
    pub switch: Arc<Switch>,
    pub addresses: Arc<Addresses>,
    pub rate: Rate,
    pub audit: Arc<Audit>,
    pub chain: Arc<ChainWatch>,
    pub endpoint: Endpoint,
    pub life: Life,
}

/// One for the whole server.
pub struct Edge {
    pub mirror: Arc<Mirror>,
    pub switch: Arc<Switch>,
    pub addresses: Arc<Addresses>,
    pub rate: Rate,
    pub audit: Arc<Audit>,
    pub chain: Arc<ChainWatch>,
    pub endpoint: Endpoint,
    pub life: Life,
    pub limits: Limits,
    pub sites: Sites,
    pub proxies: Proxies,
    /// Requests that wait for an answer.
    pub calls: Arc<Slots>,
    /// Large bodies that are being read.
    pub bodies: Arc<Slots>,
    /// Streams that stay open by themselves.
    pub streams: Arc<Slots>,
}

impl Edge {
    pub fn new(server: &Server, limits: &Limits, parts: Parts) -> Arc<Self> {
        let Parts { mirror, switch, addresses, rate, audit, chain, endpoint, life } = parts;
        Arc::new(Self {
            mirror,
            switch,
            addresses,
            rate,
            audit,
            chain,
            endpoint,
            life,
            sites: Sites::new(server.public_origin(), &server.allowed_hosts, &server.allowed_origins),
            proxies: Proxies::new(server.trusted_proxies.clone()),
            calls: Slots::new(limits.in_flight_per_connection, limits.in_flight),
            bodies: Slots::new(limits.in_flight_per_connection, limits.in_flight),
            streams: Slots::new(limits.streams_per_connection, limits.streams),
            limits: limits.clone(),
        })
    }

    /// The caller's address. Every request has a wire; one without is nobody's.
    pub fn peer(&self, wire: Option<&Wire>, headers: &HeaderMap) -> IpAddr {
        let socket = wire.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |wire| wire.peer.ip());
        self.proxies.resolve(socket, headers)
    }
}
