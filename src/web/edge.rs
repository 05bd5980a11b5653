//! What the handlers of both listeners share.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::host::Hosts;
use super::listener::Life;
use super::origin::Origins;
use super::peer::{Proxies, Wire};
use crate::audit::{Audit, ChainWatch};
use crate::config::{Limits, Server};
use crate::guard::{Addresses, Rate, Slots, Switch};
use crate::mcp::Endpoint;
use crate::mirror::Mirror;
use crate::odoo::memory::Memory;

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
    pub hosts: Hosts,
    pub admin_hosts: Hosts,
    pub origins: Origins,
    pub proxies: Proxies,
    /// Requests that wait for an answer.
    pub calls: Arc<Slots>,
    /// The memory of requests and answers.
    pub memory: Arc<Memory>,
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
            hosts: Hosts::public(server),
            admin_hosts: Hosts::admin(server),
            origins: Origins::new(server.public_origin(), &server.allowed_origins),
            proxies: Proxies::new(server.trusted_proxies.clone()),
            calls: Slots::new(limits.in_flight_per_connection, limits.in_flight),
            memory: Memory::new(limits.memory_per_connection, limits.memory),
            streams: Slots::new(limits.streams_per_connection, limits.streams),
            limits: limits.clone(),
        })
    }

    /// The caller's address.
    pub fn peer(&self, wire: &Wire, headers: &HeaderMap) -> IpAddr {
        self.proxies.resolve(wire.peer.ip(), headers)
    }
}
