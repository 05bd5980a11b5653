//! What Odoo sets for each connection: how much it may ask, and from where.

use ipnet::IpNet;

/// Requests that a connection may make. None: the default of the settings. 0: as many as it likes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    pub minute: Option<u32>,
    pub day: Option<u32>,
}

/// Networks that a connection may be used from. Blocked wins; nothing allowed means that all are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    pub allowed: Vec<IpNet>,
    pub blocked: Vec<IpNet>,
}
