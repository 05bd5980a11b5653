//! `hello`: registers a replica and answers all settings.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize)]
pub struct HelloRequest {
    pub contract: u32,
    pub replica: uuid::Uuid,
    pub version: String,
    pub public_url: String,
    pub wake_url: Option<String>,
    pub wake_secret: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct HelloAnswer {
    pub contract: u32,
    pub addon_version: String,
    pub odoo_version: String,
    /// The number of Odoo's workers; 0: it runs with threads instead.
    #[serde(default)]
    pub workers: usize,
    pub database: String,
    pub database_uuid: String,
    /// The URL of Odoo for browsers; used for links only, never for security decisions.
    pub web_url: String,
    pub cursor: String,
    pub settings: SettingsDocument,
    /// `accepted`, or the reason why this replica gets no wake-ups.
    pub wake: String,
    /// Whether AI tools are given the announced public URL: `confirmed`, `pending`, `refused`; empty: unknown.
    #[serde(default)]
    pub public_url_state: String,
}

/// The Server Settings singleton, as far as the sidecar uses it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SettingsDocument {
    pub enabled: bool,
    pub version: u64,
    pub rate_limit_minute: u32,
    pub rate_limit_day: u32,
    pub access_token_timeout: u64,
    pub refresh_token_timeout: u64,
    pub refresh_token_grace: u64,
    pub allow_dynamic_registration: bool,
    pub enable_event_streaming: bool,
    pub enable_report_generation: bool,
    pub audit_retention_days: u32,
    pub log_payloads: bool,
    /// Seconds for which stale settings still count while they cannot be refreshed.
    pub settings_max_age: u64,
    /// The time zone of the company, in which a day ends; an IANA name.
    #[serde(default)]
    pub tz: String,
}
