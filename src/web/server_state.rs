//! What the handlers of both listeners share.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::host::HostPolicy;
use super::listener::Shutdown;
use super::origin::OriginPolicy;
use super::proxies::{TransportInfo, TrustedProxies};
use crate::audit::{AuditTrail, ChainMonitor};
use crate::config::{Limits, Server};
use crate::guard::{ConcurrencyLimit, FailedAuthLimiter, MasterSwitch, RequestRateLimiter};
use crate::mcp::Endpoint;
use crate::mirror::Mirror;
use crate::odoo::memory_budget::MemoryBudget;

/// The parts that `app` has wired.
pub struct ServerParts {
    pub mirror: Arc<Mirror>,
    pub master_switch: Arc<MasterSwitch>,
    pub failed_auth: Arc<FailedAuthLimiter>,
    pub rate_limiter: RequestRateLimiter,
    pub audit: Arc<AuditTrail>,
    pub chain: Arc<ChainMonitor>,
    pub endpoint: Endpoint,
    pub shutdown: Shutdown,
}

/// One for the whole server.
pub struct ServerState {
    pub mirror: Arc<Mirror>,
    pub master_switch: Arc<MasterSwitch>,
    pub failed_auth: Arc<FailedAuthLimiter>,
    pub rate_limiter: RequestRateLimiter,
    pub audit: Arc<AuditTrail>,
    pub chain: Arc<ChainMonitor>,
    pub endpoint: Endpoint,
    pub shutdown: Shutdown,
    pub limits: Limits,
    pub host_policy: HostPolicy,
    pub admin_host_policy: HostPolicy,
    pub origin_policy: OriginPolicy,
    pub trusted_proxies: TrustedProxies,
    /// Requests that wait for an answer.
    pub call_permits: Arc<ConcurrencyLimit>,
    /// The memory of requests and answers.
    pub memory: Arc<MemoryBudget>,
    /// Streams that stay open by themselves.
    pub stream_permits: Arc<ConcurrencyLimit>,
}

impl ServerState {
    pub fn new(server: &Server, limits: &Limits, parts: ServerParts) -> Arc<Self> {
        let ServerParts {
            mirror,
            master_switch: switch,
            failed_auth: addresses,
            rate_limiter: rate,
            audit,
            chain,
            endpoint,
            shutdown: life,
        } = parts;
        Arc::new(Self {
            mirror,
            master_switch: switch,
            failed_auth: addresses,
            rate_limiter: rate,
            audit,
            chain,
            endpoint,
            shutdown: life,
            host_policy: HostPolicy::public(server),
            admin_host_policy: HostPolicy::admin(server),
            origin_policy: OriginPolicy::new(server.public_origin(), &server.allowed_origins),
            trusted_proxies: TrustedProxies::new(server.trusted_proxies.clone()),
            call_permits: ConcurrencyLimit::new(limits.in_flight_per_connection, limits.in_flight),
            memory: MemoryBudget::new(limits.memory_per_connection, limits.memory),
            stream_permits: ConcurrencyLimit::new(limits.streams_per_connection, limits.streams),
            limits: limits.clone(),
        })
    }

    /// The caller's address.
    pub fn client_address(&self, wire: &TransportInfo, headers: &HeaderMap) -> IpAddr {
        self.trusted_proxies.client_address(wire.peer.ip(), headers)
    }
}
