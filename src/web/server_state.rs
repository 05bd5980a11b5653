//! The shared state of both listeners.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::challenge::ProtectedResource;
use super::host::HostPolicy;
use super::origin::OriginPolicy;
use super::proxies::{TransportInfo, TrustedProxies};
use super::shutdown::Shutdown;
use crate::audit::{AuditTrail, ChainMonitor};
use crate::config::{Limits, Server};
use crate::guard::{ConcurrencyLimit, FailedAuthLimiter, MasterSwitch, RequestRateLimiter};
use crate::mcp::Endpoint;
use crate::mirror::Mirror;
use crate::oauth::AuthorizationServer;
use crate::odoo::memory_budget::MemoryBudget;

/// The dependencies that `app` has wired.
pub struct Deps {
    pub mirror: Arc<Mirror>,
    pub master_switch: Arc<MasterSwitch>,
    pub failed_auth: Arc<FailedAuthLimiter>,
    pub rate_limiter: RequestRateLimiter,
    pub audit: Arc<AuditTrail>,
    pub chain: Arc<ChainMonitor>,
    pub endpoint: Endpoint,
    pub oauth: AuthorizationServer,
    pub shutdown: Shutdown,
}

/// One for the whole server.
pub struct ServerState {
    pub deps: Deps,
    pub limits: Limits,
    pub host_policy: HostPolicy,
    pub admin_host_policy: HostPolicy,
    pub origin_policy: OriginPolicy,
    /// What access tokens are issued for.
    pub resource: ProtectedResource,
    pub trusted_proxies: TrustedProxies,
    /// Permits of requests in flight.
    pub call_permits: Arc<ConcurrencyLimit>,
    /// The memory of requests and answers.
    pub memory: Arc<MemoryBudget>,
    /// Permits of open streams.
    pub stream_permits: Arc<ConcurrencyLimit>,
}

impl ServerState {
    pub fn new(server: &Server, limits: &Limits, deps: Deps) -> Arc<Self> {
        Arc::new(Self {
            deps,
            host_policy: HostPolicy::public(server),
            admin_host_policy: HostPolicy::admin(server),
            origin_policy: OriginPolicy::new(server.public_origin(), &server.allowed_origins),
            resource: ProtectedResource::new(server.public_origin()),
            trusted_proxies: TrustedProxies::new(server.trusted_proxies.clone()),
            call_permits: ConcurrencyLimit::new(limits.in_flight_per_connection, limits.in_flight),
            memory: MemoryBudget::new(limits.memory_per_connection, limits.memory),
            stream_permits: ConcurrencyLimit::new(limits.streams_per_connection, limits.streams),
            limits: limits.clone(),
        })
    }

    /// Whether clients may sign in by OAuth; not before the settings are known.
    pub fn offers_oauth(&self) -> bool {
        self.deps.mirror.settings().is_some_and(|settings| settings.enable_oauth)
    }

    /// The client's address, behind trusted proxies.
    pub fn client_address(&self, transport: &TransportInfo, headers: &HeaderMap) -> IpAddr {
        self.trusted_proxies.client_address(transport.peer.ip(), headers)
    }
}
