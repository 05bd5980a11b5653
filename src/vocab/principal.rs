//! The principal of a request: a live connection and the Odoo user that it acts as.

use ipnet::IpNet;

use super::{ConnectionId, ConnectionKind, MethodLevel, Proof, Scope, UserId};

/// The Odoo user behind a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub lang: Option<String>,
    pub tz: Option<String>,
}

/// Rate limits that Odoo sets for a connection. None: the default of the settings. 0: unlimited.
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

/// A caller that Odoo has authenticated. Cheap to share, never changed: a new document makes a new one.
#[derive(Debug, Clone)]
pub struct Principal {
    pub connection: ConnectionId,
    pub connection_name: String,
    pub kind: ConnectionKind,
    pub scope: Scope,
    /// Whether a read-only scope may be widened by signing in again: tools that write are then listed.
    pub upgradable: bool,
    /// The resource that its access token was issued for; none: an API key.
    pub audience: Option<Box<str>>,
    pub user: User,
    /// The allow list of tools; empty means all.
    pub allowed_tools: Vec<String>,
    /// The allow list of models; empty means all. Odoo enforces it, and lists no others.
    pub allowed_models: Vec<String>,
    /// Which methods it may call. Odoo enforces it.
    pub method_level: MethodLevel,
    pub limits: RateLimits,
    pub addresses: AddressRules,
    /// Users with the same key see the same models and fields, so they share cached schemas.
    pub schema_key: String,
    /// Sent with each call, so that Odoo resolves the live credential every time.
    pub proof: Proof,
}

impl Principal {
    /// Whether the administrator's list for this connection admits the tool.
    pub fn allows_tool(&self, tool: &str) -> bool {
        self.allowed_tools.is_empty() || self.allowed_tools.iter().any(|name| name == tool)
    }
}
