//! The whole sidecar on free ports before a fake Odoo, and a client that sees statuses, headers and streams.

#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use odoo_mcp_sidecar::app::{App, RunningApp};
use odoo_mcp_sidecar::config::Config;
use odoo_mcp_sidecar::config::oauth::ClientDocumentMode;
use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::mcp::Handler;
use odoo_mcp_sidecar::oauth::fetch_guard::Fetcher;
use odoo_mcp_sidecar::vocab::{Clock, Proof, Secret};
use reqwest::header::HeaderMap;
use rmcp::ServerHandler;
use serde_json::{Value, json};
use sha2::Sha256;

use super::fake_odoo::FakeOdoo;
use super::waiting::{Bell, Waiting};

pub const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

/// A running sidecar and its Odoo.
pub struct Server {
    pub odoo: FakeOdoo,
    pub running: RunningApp,
    pub http: reqwest::Client,
    pub data: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, or the last message of an event stream.
    pub fn json(&self) -> Value {
        if self.header("content-type") == "text/event-stream" {
            let data = self.text.lines().filter_map(|line| line.strip_prefix("data:"));
            let last = data.map(str::trim).rfind(|data| !data.is_empty()).unwrap();
            return serde_json::from_str(last).unwrap();
        }
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    pub fn reason(&self) -> String {
        self.json()["error"]["data"]["reason"].as_str().unwrap().to_owned()
    }
}

/// A well-formed API key, another one for each number.
pub fn key(number: u32) -> String {
    credential("mcp_ak_", number)
}

/// A well-formed access token, another one for each number.
pub fn token(number: u32) -> String {
    credential("mcp_at_", number)
}

/// A well-formed credential of the kind with this prefix.
pub fn credential(prefix: &str, number: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let signed = format!("{prefix}{number:043}");
    let mut checksum = crc32fast::hash(signed.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(checksum % 62) as usize];
        checksum /= 62;
    }
    format!("{signed}{}", std::str::from_utf8(&digits).unwrap())
}

/// Makes the keys 1 to 4 known, of the connections 1 to 4.
fn known(odoo: &FakeOdoo) {
    for number in 1..=4 {
        odoo.add_key(&Proof::of_text(&key(number)).to_hex(), i64::from(number), "full");
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::wrapped(change, |handler| handler).await
    }

    /// With another handler round the product's.
    pub async fn wrapped<H>(change: impl FnOnce(&mut Config), wrap: impl FnOnce(Handler) -> H) -> Self
    where
        H: ServerHandler + Clone,
    {
        let server = Self::unready(change, wrap).await;
        server.until_ready().await;
        server
    }

    /// With the tool `wait`.
    pub async fn waiting(change: impl FnOnce(&mut Config)) -> (Self, Arc<Bell>) {
        let bell = Arc::new(Bell::default());
        let wrap = |inner| Waiting { inner, bell: Arc::clone(&bell) };
        (Self::wrapped(change, wrap).await, bell)
    }

    /// Calls the tool `wait` as a modern client does.
    pub fn wait_call(&self, number: u32) -> reqwest::RequestBuilder {
        self.modern(number, "tools/call", json!({"name": "wait", "arguments": {}}))
    }

    /// With a clock that stands still.
    pub async fn at(clock: Clock) -> Self {
        let odoo = FakeOdoo::start().await;
        known(&odoo);
        let server = Self::build(
            odoo,
            tempfile::tempdir().unwrap(),
            |app| app.with_clock(clock),
            |_| {},
            |handler| handler,
        )
        .await;
        server.until_ready().await;
        server
    }

    /// The same data, Odoo and clock, another process.
    pub async fn again(self, clock: Clock) -> Self {
        let server = self.restart(clock).await;
        server.until_ready().await;
        server
    }

    /// The same, but the state file is lost.
    pub async fn without_state(self, clock: Clock) -> Self {
        let (odoo, data) = self.stop().await;
        std::fs::remove_file(data.path().join("data/state.sqlite")).unwrap();
        let server = Self::build(odoo, data, |app| app.with_clock(clock), |_| {}, |handler| handler).await;
        server.until_ready().await;
        server
    }

    /// The same, without waiting for Odoo.
    pub async fn restart(self, clock: Clock) -> Self {
        let (odoo, data) = self.stop().await;
        Self::build(odoo, data, |app| app.with_clock(clock), |_| {}, |handler| handler).await
    }

    /// With documents of clients, fetched by this fetcher.
    pub async fn fetching(fetcher: Fetcher, change: impl FnOnce(&mut Config)) -> Self {
        let odoo = FakeOdoo::start().await;
        known(&odoo);
        let change = |config: &mut Config| {
            config.oauth.client_documents = ClientDocumentMode::On;
            change(config);
        };
        let adjust = |app: App| app.with_fetcher(fetcher);
        let server = Self::build(odoo, tempfile::tempdir().unwrap(), adjust, change, |handler| handler).await;
        server.until_ready().await;
        server
    }

    pub async fn unready<H>(change: impl FnOnce(&mut Config), wrap: impl FnOnce(Handler) -> H) -> Self
    where
        H: ServerHandler + Clone,
    {
        let odoo = FakeOdoo::start().await;
        known(&odoo);
        Self::build(odoo, tempfile::tempdir().unwrap(), |app| app, change, wrap).await
    }

    /// A sidecar of this Odoo with these data.
    pub async fn on(odoo: FakeOdoo, data: tempfile::TempDir) -> Self {
        Self::build(odoo, data, |app| app, |_| {}, |handler| handler).await
    }

    /// Stops the sidecar; its Odoo and its data stay.
    pub async fn stop(self) -> (FakeOdoo, tempfile::TempDir) {
        self.running.stop().await;
        (self.odoo, self.data)
    }

    async fn build<H>(
        odoo: FakeOdoo,
        data: tempfile::TempDir,
        adjust: impl FnOnce(App) -> App,
        change: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Handler) -> H,
    ) -> Self
    where
        H: ServerHandler + Clone,
    {
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.admin_listen.set_port(0);
        config.server.public_url = "https://odoo.example.com".to_owned();
        config.server.data_dir = data.path().join("data");
        config.server.drain_timeout = Duration::from_secs(5);
        config.odoo = OdooConfig {
            url: odoo.url(),
            database: "fake".to_owned(),
            login: "mcp".to_owned(),
            api_key: Secret::new("key-of-the-service-user"),
            ..OdooConfig::default()
        };
        // Tests ask no names of the network.
        config.oauth.client_documents = ClientDocumentMode::Off;
        config.mirror.poll_ms = 50;
        config.mirror.poll_watched_ms = 50;
        change(&mut config);
        let app = adjust(App::build_with(config, wrap).unwrap());
        let running = app.start().await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { odoo, running, http, data }
    }

    /// Waits until changes of connections are known, which end their sessions.
    pub async fn until_followed(&self) {
        let before = self.odoo.count("changes");
        until("changes are followed", || async { self.odoo.count("changes") > before + 1 }).await;
    }

    pub async fn until_ready(&self) {
        until("the sidecar is ready", || async { self.get("/readyz").await.status == 200 }).await;
    }

    pub fn url(&self) -> String {
        format!("http://{}/odoo/mcp", self.running.public_addr())
    }

    pub fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.admin_addr())
    }

    /// Asks the admin listener.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.admin(path)).send().await.unwrap()).await
    }

    /// Posts a wake-up as the addon does, signed with what hello said.
    pub async fn wake(&self, enabled: bool, version: u64) -> u16 {
        self.post_wake_up(enabled, version, &[]).await
    }

    /// The same for connections that were revoked, while the server is enabled.
    pub async fn wake_for(&self, version: u64, revoked: &[i64]) -> u16 {
        self.post_wake_up(true, version, revoked).await
    }

    async fn post_wake_up(&self, enabled: bool, version: u64, revoked: &[i64]) -> u16 {
        let hello = self.odoo.requests("hello").pop().unwrap();
        let secret = hello["wake_secret"].as_str().unwrap().to_owned();
        let url = hello["wake_url"].as_str().unwrap().to_owned();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let body = json!({"seq": version, "time": now, "enabled": enabled, "settings_version": version, "revoked": revoked});
        let body = body.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let post = self.http.post(url).header("x-mcp-signature", signature).body(body);
        post.send().await.unwrap().status().as_u16()
    }

    /// Makes the token of this number known, with full access, of the connection of this number.
    pub fn add_token(&self, number: u32, change: impl FnOnce(&mut Value)) {
        self.odoo.add_token(&Proof::of_text(&token(number)).to_hex(), i64::from(number), change);
    }

    /// A POST as a client with this key makes it.
    pub fn post(&self, number: u32, body: &Value) -> reqwest::RequestBuilder {
        self.post_with(&key(number), body)
    }

    /// A POST as a client with this credential makes it.
    pub fn post_with(&self, credential: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(self.url())
            .bearer_auth(credential)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A request of the modern era.
    pub fn modern(&self, number: u32, method: &str, params: Value) -> reqwest::RequestBuilder {
        self.modern_with(&key(number), method, params)
    }

    /// The same with this credential.
    pub fn modern_with(&self, credential: &str, method: &str, params: Value) -> reqwest::RequestBuilder {
        let name = params["name"].as_str().map(str::to_owned);
        let request = self
            .post_with(credential, &modern_body(method, params))
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    pub async fn ask(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Opens a legacy session; its id.
    pub async fn session(&self, number: u32) -> String {
        self.session_with(&key(number)).await
    }

    /// The same with this credential.
    pub async fn session_with(&self, credential: &str) -> String {
        let answer = self.ask(self.post_with(credential, &initialize(LEGACY))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.header("mcp-session-id").to_owned();
        assert!(!id.is_empty());
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = self.ask(self.in_session_with(credential, &id, &initialized)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        id
    }

    pub fn in_session(&self, number: u32, session: &str, body: &Value) -> reqwest::RequestBuilder {
        self.in_session_with(&key(number), session, body)
    }

    pub fn in_session_with(&self, credential: &str, session: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.post_with(credential, body);
        request.header("mcp-session-id", session).header("mcp-protocol-version", LEGACY)
    }

    /// Opens the stream of a session.
    pub fn stream(&self, number: u32, session: &str) -> reqwest::RequestBuilder {
        self.http
            .get(self.url())
            .bearer_auth(key(number))
            .header("accept", "text/event-stream")
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", LEGACY)
    }
}

pub fn modern_body(method: &str, mut params: Value) -> Value {
    if params.is_null() {
        params = json!({});
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

pub fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

pub fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// Waits until something holds that another task brings about.
pub async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(20), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
