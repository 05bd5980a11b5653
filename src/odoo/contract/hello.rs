//! `hello`: registers a replica and answers all settings.

use serde::{Deserialize, Serialize};

use crate::vocab::{Scope, Secret};

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
    /// Keys that all replicas of this database share; none: an older addon.
    #[serde(default)]
    pub shared_keys: SharedKeysDocument,
}

/// Keys that Odoo made once for all replicas. Neither stored nor logged here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SharedKeysDocument {
    /// Derives authorization codes and tokens: 32 bytes as hex digits.
    #[serde(default)]
    pub oauth: Option<Secret>,
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
    /// Whether clients may sign in by OAuth; API keys work without it.
    #[serde(default = "enabled")]
    pub enable_oauth: bool,
    /// Whether the OAuth endpoints answer at the root of the public URL too, where some clients make them up.
    #[serde(default)]
    pub oauth_aliases: bool,
    /// What an authorization request without a scope asks for.
    #[serde(default = "full_scope")]
    pub oauth_default_scope: Scope,
    /// Origins of before, whose tokens are valid until they expire.
    #[serde(default)]
    pub previous_public_urls: Vec<String>,
    /// Whether some client may use the grant `client_credentials`.
    #[serde(default)]
    pub offers_client_credentials: bool,
}

const fn enabled() -> bool {
    true
}

const fn full_scope() -> Scope {
    Scope::Full
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hello(shared_keys: Option<Value>, settings: &Value) -> HelloAnswer {
        let mut document = json!({
            "enabled": true, "version": 1, "rate_limit_minute": 60, "rate_limit_day": 0, "access_token_timeout": 3600,
            "refresh_token_timeout": 86400, "refresh_token_grace": 60, "allow_dynamic_registration": true,
            "enable_event_streaming": true, "enable_report_generation": true, "audit_retention_days": 90,
            "log_payloads": false, "settings_max_age": 300,
        });
        document.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let mut answer = json!({
            "contract": 1, "addon_version": "", "odoo_version": "19.0", "database": "db", "database_uuid": "",
            "web_url": "", "cursor": "", "settings": document, "wake": "accepted",
        });
        if let Some(keys) = shared_keys {
            answer["shared_keys"] = keys;
        }
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn an_addon_of_before_sends_nothing_about_oauth() {
        let answer = hello(None, &json!({}));
        assert!(answer.shared_keys.oauth.is_none());
        let settings = answer.settings;
        assert!(settings.enable_oauth && !settings.oauth_aliases && !settings.offers_client_credentials);
        assert_eq!(settings.oauth_default_scope, Scope::Full);
        assert!(settings.previous_public_urls.is_empty());
    }

    #[test]
    fn settings_and_the_shared_key_are_read_and_the_key_is_not_shown() {
        let key = "5e".repeat(32);
        let members = json!({
            "enable_oauth": false, "oauth_aliases": true, "oauth_default_scope": "read_only",
            "previous_public_urls": ["https://old.example.com"], "offers_client_credentials": true,
        });
        let answer = hello(Some(json!({"oauth": key, "later": "x"})), &members);
        assert_eq!(answer.shared_keys.oauth.as_ref().map(Secret::expose), Some(&*key));
        assert!(!format!("{answer:?}").contains(&key));
        let settings = answer.settings;
        assert!(!settings.enable_oauth && settings.oauth_aliases && settings.offers_client_credentials);
        assert_eq!(settings.oauth_default_scope, Scope::ReadOnly);
        assert_eq!(settings.previous_public_urls, ["https://old.example.com"]);
    }
}
