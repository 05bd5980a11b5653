//! `authenticate`: resolves a proof to its connection and user.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::vocab::{ConnectionId, ConnectionKind, MethodLevel, Proof, Scope, UserId};

#[derive(Debug, Clone, Serialize)]
pub struct AuthenticateRequest {
    pub proof: Proof,
    pub ip: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AuthenticateAnswer {
    pub connection: ConnectionDocument,
    pub user: UserDocument,
    pub schema_key: String,
    /// RFC 3339; none: the credential does not expire.
    pub expires_at: Option<String>,
    /// The resource that an access token was issued for; none: an API key.
    #[serde(default)]
    pub audience: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ConnectionDocument {
    pub id: ConnectionId,
    pub name: String,
    pub kind: ConnectionKind,
    pub scope: Scope,
    /// Whether the person may widen a read-only scope by signing in again.
    #[serde(default)]
    pub upgradable: bool,
    #[serde(default)]
    pub allowed_tools: Vec<String>,
    /// Empty: all models.
    #[serde(default)]
    pub allowed_models: Vec<String>,
    /// None: an older addon, which sends `allow_methods` only.
    #[serde(default)]
    pub method_level: Option<MethodLevel>,
    /// Denied where it is absent.
    #[serde(default)]
    allow_methods: bool,
    /// None: the default of the settings. 0: no limit.
    #[serde(default)]
    pub rate_limit_minute: Option<u32>,
    #[serde(default)]
    pub rate_limit_day: Option<u32>,
    /// Empty: every address that is not blocked.
    #[serde(default)]
    pub allowed_ips: Vec<IpNet>,
    #[serde(default)]
    pub blocked_ips: Vec<IpNet>,
}

impl ConnectionDocument {
    /// The level of methods, also of an older addon.
    pub fn effective_method_level(&self) -> MethodLevel {
        let before = if self.allow_methods { MethodLevel::Any } else { MethodLevel::None };
        self.method_level.unwrap_or(before)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct UserDocument {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub lang: Option<String>,
    pub tz: Option<String>,
}
