//! Connection check: looks at this server through its public URL, as an AI tool does, and names what stands in between.
//!
//! `fetch` sends the requests and names how one failed, `findings` judges the answers. An administrator starts a check
//! in Odoo, which also has the sentences for what is found. Knows no MCP engine: it is a client.

mod fetch;
mod findings;

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::odoo::contract::{CheckResult, CheckStatus};
use crate::vocab::{Host, Secret, Url};
use fetch::{Fetcher, Finding, warning};

/// Bound of a whole check. What is not looked at by then is reported as skipped.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);

/// Difference between the clocks that matters for tokens.
const MAX_SKEW_SECONDS: i64 = 30;

/// Everything that is looked at, in this order.
const NAMES: [&str; 10] = [
    "address",
    "reachable",
    "resource_metadata",
    "server_metadata",
    "oauth_paths",
    "challenge",
    "session",
    "stream",
    "clock",
    "proxy",
];

/// What a check needs to know.
#[derive(Debug)]
pub struct ConnectionCheck {
    /// The public URL, without a slash at its end.
    pub origin: String,
    pub offers_oauth: bool,
    /// Opens `get_session` and nothing else.
    pub key: Secret,
    /// By how much Odoo's clock is ahead of ours; none: unknown.
    pub skew_seconds: Option<i64>,
    /// Whether requests come through a proxy whose `X-Forwarded-For` is not believed.
    pub has_untrusted_proxy: bool,
}

impl ConnectionCheck {
    /// Looks at everything.
    pub async fn run(&self) -> Vec<CheckResult> {
        let mut results = Vec::with_capacity(NAMES.len());
        let _ = tokio::time::timeout(CHECK_TIMEOUT, self.look(&mut results)).await;
        for (name, found) in [("clock", self.clock()), ("proxy", self.proxy())] {
            results.push(result(name, found));
        }
        NAMES.map(|name| take(&mut results, name)).to_vec()
    }

    async fn look(&self, results: &mut Vec<CheckResult>) {
        results.push(CheckResult {
            data: [("address", json!(self.origin))].into(),
            ..result("address", self.address())
        });
        let fetcher = match Fetcher::new(&self.origin, &self.key) {
            Ok(fetcher) => fetcher,
            Err(found) => return results.push(result("reachable", Err(found))),
        };
        let reached = fetcher.reach().await;
        let is_reached = reached.is_ok();
        results.push(result("reachable", reached));
        if !is_reached {
            return;
        }
        if self.offers_oauth {
            results.push(result("resource_metadata", findings::resource_metadata(&fetcher).await));
            results.push(result("server_metadata", findings::server_metadata(&fetcher).await));
            results.push(result("oauth_paths", findings::oauth_paths(&fetcher).await));
        } else {
            results.extend(["resource_metadata", "server_metadata", "oauth_paths"].map(oauth_off));
        }
        results.push(result("challenge", findings::challenge(&fetcher, self.offers_oauth).await));
        let session = findings::session(&fetcher).await;
        let is_open = session.is_ok();
        results.push(result("session", session));
        if is_open {
            results.push(result("stream", findings::stream(&fetcher).await));
        }
    }

    fn address(&self) -> Result<(), Finding> {
        let Some(url) = Url::parse(&self.origin) else { return Ok(()) };
        let is_local = match url.authority.host {
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Address(address) => address.to_canonical().is_loopback(),
        };
        if is_local || url.scheme.eq_ignore_ascii_case("https") { Ok(()) } else { Err(warning("not_https")) }
    }

    fn clock(&self) -> Result<(), Finding> {
        match self.skew_seconds {
            Some(seconds) if seconds.abs() > MAX_SKEW_SECONDS => {
                Err(warning("skew").with("seconds", json!(seconds.abs())))
            }
            _ => Ok(()),
        }
    }

    fn proxy(&self) -> Result<(), Finding> {
        if self.has_untrusted_proxy { Err(warning("untrusted")) } else { Ok(()) }
    }
}

/// The API key of a check: made here, so that Odoo never has its text.
pub fn random_bits() -> [u8; 32] {
    rand::random()
}

/// A path that nothing else answers at.
fn random_path() -> String {
    format!("/oauth/check-{}", Uuid::new_v4().simple())
}

fn result(name: &'static str, found: Result<(), Finding>) -> CheckResult {
    match found {
        Ok(()) => CheckResult { name, status: CheckStatus::Ok, code: None, data: [].into() },
        Err(Finding { status, code, data }) => CheckResult { name, status, code: Some(code), data },
    }
}

fn oauth_off(name: &'static str) -> CheckResult {
    CheckResult { status: CheckStatus::Skipped, code: Some("oauth_off"), ..result(name, Ok(())) }
}

/// The result of this name; skipped where it was not looked at.
fn take(results: &mut Vec<CheckResult>, name: &'static str) -> CheckResult {
    match results.iter().position(|found| found.name == name) {
        Some(at) => results.swap_remove(at),
        None => CheckResult { status: CheckStatus::Skipped, ..result(name, Ok(())) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: &str) -> ConnectionCheck {
        ConnectionCheck {
            origin: origin.to_owned(),
            offers_oauth: true,
            key: Secret::new("key"),
            skew_seconds: None,
            has_untrusted_proxy: false,
        }
    }

    #[test]
    fn only_a_local_address_may_do_without_tls() {
        for local in
            ["http://localhost:8765", "http://127.0.0.1", "http://[::1]:1", "https://odoo.example.com"]
        {
            assert_eq!(check(local).address(), Ok(()), "{local}");
        }
        for open in ["http://odoo.example.com", "http://192.0.2.1:8765", "http://localhost.example.com"] {
            assert_eq!(check(open).address().unwrap_err().code, "not_https", "{open}");
        }
    }

    #[test]
    fn clocks_may_differ_a_little() {
        for (seconds, differs) in
            [(None, false), (Some(30), false), (Some(-30), false), (Some(31), true), (Some(-95), true)]
        {
            let found =
                ConnectionCheck { skew_seconds: seconds, ..check("https://odoo.example.com") }.clock();
            assert_eq!(found.is_err(), differs, "{seconds:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_named_and_the_rest_is_skipped() {
        // A port that was just released.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (origin, code) in
            [(format!("http://{free}"), "refused"), ("https://no-such-host.invalid".to_owned(), "unresolved")]
        {
            let results = check(&origin).run().await;
            assert_eq!(results.iter().map(|found| found.name).collect::<Vec<_>>(), NAMES);
            assert_eq!(
                (results[1].status, results[1].code),
                (CheckStatus::Failed, Some(code)),
                "{results:?}"
            );
            assert!(
                results[2..8]
                    .iter()
                    .all(|found| found.status == CheckStatus::Skipped && found.code.is_none())
            );
            assert!(results[8..].iter().all(|found| found.status == CheckStatus::Ok));
        }
    }
}
