//! The keys outside any section: listeners, names, trusted proxies.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use ipnet::IpNet;
use serde::Deserialize;

use super::{Faults, value};
use crate::vocab::{Authority, Url};

/// Listeners, names and trust.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where AI tools, or the proxy in front, connect.
    pub listen: SocketAddr,
    /// Health and the wake-up of Odoo; not for the public.
    pub admin_listen: SocketAddr,
    /// The origin under which tools reach `/odoo/mcp`, `https://odoo.example.com`.
    pub public_url: String,
    /// Where Odoo posts wake-ups; derived from `admin_listen` when absent.
    pub wake_url: Option<String>,
    /// Directory of the data that must outlive a restart; created if need be, readable by the sidecar only.
    pub data_dir: PathBuf,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "value::list")]
    pub trusted_proxies: Vec<IpNet>,
    /// Browser origins that may call, besides that of `public_url`.
    #[serde(deserialize_with = "value::list")]
    pub allowed_origins: Vec<String>,
    /// Values of `Host` that are served, with or without a port: on `listen` besides the host of `public_url` and
    /// loopback names, on `admin_listen` besides addresses, `localhost` and the host of `wake_url`.
    #[serde(deserialize_with = "value::list")]
    pub allowed_hosts: Vec<String>,
    /// Grace period of requests in flight when the sidecar stops.
    #[serde(deserialize_with = "value::span")]
    pub drain_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8765)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8766)),
            public_url: String::new(),
            wake_url: None,
            data_dir: PathBuf::from("data"),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Server {
    /// `public_url` without a slash at its end.
    pub fn public_origin(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// Whether clients probably come through a proxy whose `X-Forwarded-For` is not believed: there is TLS or another
    /// machine in front, and no proxy is trusted.
    pub fn likely_behind_untrusted_proxy(&self) -> bool {
        let is_tls = Url::parse(&self.public_url).is_some_and(|url| url.scheme.eq_ignore_ascii_case("https"));
        self.trusted_proxies.is_empty() && (is_tls || !self.listen.ip().is_loopback())
    }

    /// Where Odoo posts wake-ups to, for an admin listener bound to `bound`. A wildcard address is no
    /// address to post to: loopback is what fits the usual case, Odoo on the same machine.
    pub fn wake_target(&self, bound: SocketAddr) -> String {
        self.wake_url.clone().unwrap_or_else(|| {
            let host =
                if bound.ip().is_unspecified() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { bound.ip() };
            format!("http://{}/wake", SocketAddr::new(host, bound.port()))
        })
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        if self.public_url.is_empty() {
            faults.add("public_url", "is needed, for example \"https://odoo.example.com\"");
        } else if let Err(what) = check_origin(self.public_origin()) {
            faults.add("public_url", what);
        }
        if let Some(wake_url) = &self.wake_url
            && http_url(wake_url).is_none()
        {
            faults
                .add("wake_url", "is not an http or https URL with a host and nothing else before its path");
        }
        for origin in &self.allowed_origins {
            if let Err(what) = check_origin(origin.trim_end_matches(":*")) {
                faults.add("allowed_origins", format!("{origin:?} {what}"));
            }
        }
        for host in &self.allowed_hosts {
            if Authority::parse(host).is_none() {
                faults.add("allowed_hosts", format!("{host:?} is not a host, with or without a port"));
            }
        }
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            faults.add("admin_listen", "is the same as listen");
        }
    }
}

pub(super) fn http_uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    (http && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// Stricter than `http_uri`: without a user, and with a host that can be read in one way only.
fn http_url(text: &str) -> Option<Url<'_>> {
    let is_http =
        |url: &Url<'_>| ["http", "https"].iter().any(|scheme| url.scheme.eq_ignore_ascii_case(scheme));
    Url::parse(text).filter(is_http)
}

fn check_origin(text: &str) -> Result<(), &'static str> {
    http_uri(text).ok_or("is not an http or https URL")?;
    // Parsed as `web` parses it for the comparison: a value that it cannot read would never match.
    match http_url(text) {
        Some(Url { rest: "", .. }) => Ok(()),
        _ => Err("must be scheme, host and port only"),
    }
}
