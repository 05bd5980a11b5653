//! Bytes that no client would send, to both listeners of the whole server: no task may panic.
//!
//! Structure-aware and seeded: requests of HTTP/1 and HTTP/2 are put together from sound and hostile parts and then
//! damaged byte by byte. A failure names the seed. Longer, by hand: FUZZ_SECONDS=600 FUZZ_SEED=7 cargo nextest run
//! -E 'test(web_fuzz)' --success-output final.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::panics;
use crate::support::raw::{END_HEADERS, END_STREAM, HEADERS, PREFACE, block, frame, send};
use crate::support::server::{Server, initialize, key, modern_body};

/// What CI runs: so many inputs, or as many as this time allows.
const INPUTS: usize = 3000;
const LONGEST: Duration = Duration::from_secs(20);

/// Inputs under way at a time, and how long each may wait for its answer.
const AT_ONCE: usize = 24;
const WITHIN: Duration = Duration::from_millis(40);

const METHODS: [&str; 12] =
    ["POST", "GET", "DELETE", "OPTIONS", "CONNECT", "HEAD", "PRI", "PUT", "get", "", "P\0ST", "M-SEARCH"];

const TARGETS: [&str; 27] = [
    "/odoo/mcp",
    "/odoo/mcp",
    "/odoo/mcp",
    "/odoo/mcp/",
    "/odoo/mcp?key=%ff%",
    "/odoo/mcp#x",
    "/readyz",
    "/healthz",
    "/wake",
    "/",
    "*",
    "",
    "#",
    "?",
    "odoo",
    "localhost:80",
    "user:pw@localhost",
    "[::1]:80",
    "[::1",
    "http://localhost/odoo/mcp",
    "http://user:pw@localhost:1/readyz",
    "http://localhost",
    "http://localhost?x",
    "http://",
    "ftp://localhost/wake",
    "/%00/\u{e9}/..//",
    "//evil.example/odoo/mcp",
];

const HOSTS: [&str; 14] = [
    "localhost",
    "localhost",
    "localhost",
    "127.0.0.1:8765",
    "[::1]:1",
    "",
    ":",
    "[",
    "a@b:c@d",
    "localhost:99999",
    "evil.example",
    "local\u{ff}host",
    "[::1%25\u{e9}]",
    "127.0.0.1:8765.evil.example",
];

const HEADER_NAMES: [&str; 24] = [
    "Accept",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Authorization",
    "Origin",
    "Host",
    "Connection",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
    "TE",
    "X-Forwarded-For",
    "X-Mcp-Signature",
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Param-X",
    "Last-Event-ID",
    "Access-Control-Request-Headers",
    "Cookie",
    "",
    "b\u{e4}d name",
];

const HEADER_VALUES: [&str; 30] = [
    "",
    "application/json",
    "text/event-stream",
    "application/json;;;",
    "chunked",
    "chunked, gzip",
    "0",
    "5",
    "-1",
    "18446744073709551616",
    "100-continue",
    "close",
    "Upgrade, HTTP2-Settings",
    "h2c",
    "AAMAAABkAAQAAP__",
    "websocket",
    "Bearer ",
    "Bearer \u{e9}\u{e9}",
    "Bearer mcp_ak_0000000000000000000000000000000000000000000000000",
    "Basic Og==",
    "http://localhost",
    "http://[::1",
    "null",
    "203.0.113.9, [2001:db8::1]:80, ,",
    "sha256=\u{e9}",
    "sha256=00",
    "2026-07-28",
    "2025-11-25",
    "=?base64?\u{e9}?=",
    "mcp-param-\u{1f}, mcp-param-x",
];

struct Fuzz {
    random: StdRng,
}

impl Fuzz {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.random.random_range(0..of.len())]
    }

    fn often(&mut self) -> bool {
        self.random.random_bool(0.6)
    }

    fn seldom(&mut self) -> bool {
        self.random.random_bool(0.1)
    }

    fn input(&mut self) -> Vec<u8> {
        let mut input = if self.random.random_bool(0.5) { self.http_1() } else { self.http_2() };
        if self.often() {
            self.damage(&mut input);
        }
        input
    }

    /// Headers of a request that gets far, or of one that does not.
    fn headers(&mut self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        if self.often() {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", key(1))));
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        if self.often() {
            headers.push(("MCP-Protocol-Version".to_owned(), "2026-07-28".to_owned()));
            headers.push(("Mcp-Method".to_owned(), self.one(&["tools/list", "tools/call", "x"]).to_owned()));
        }
        for _ in 0..self.random.random_range(0..5) {
            headers.push((self.one(&HEADER_NAMES).to_owned(), self.one(&HEADER_VALUES).to_owned()));
        }
        if self.seldom() {
            headers.push(("X-Long".to_owned(), "x".repeat(self.random.random_range(0..40_000))));
        }
        headers
    }

    fn body(&mut self) -> String {
        let depth = self.random.random_range(0..3000);
        match self.random.random_range(0..10) {
            0 => String::new(),
            1 => initialize("2025-11-25").to_string(),
            2 => "[".repeat(depth),
            3 => format!("{{\"jsonrpc\":\"2.0\",\"id\":{}1{}", "[".repeat(depth), "]".repeat(depth)),
            4 => modern_body("tools/list", Value::Null).to_string(),
            5 => r#"{"jsonrpc":"2.0","id":1e999,"method":"\ud800","params":{"name":"\u0000"}}"#.to_owned(),
            6 => r#"{"seq":1e308,"time":-1e308,"enabled":true,"settings_version":1,"revoked":[]}"#.to_owned(),
            _ => {
                let arguments = self.one(&[
                    r#"{"model":"res.partner","id":14}"#,
                    r#"{"model":"res.partner","domain":"[('name','=',\"\u00e9"}"#,
                    r#"{"model":"\u00e9\u00e9","fields":["\ud83d\ude00"],"limit":-1}"#,
                    "[1]",
                    "null",
                ]);
                let params = format!(r#"{{"name":"ARG","arguments":{arguments}}}"#);
                let tool = self.one(&["search_read", "get_record", "create_record", "\u{e9}"]);
                let params = serde_json::from_str(&params.replace("ARG", tool)).unwrap_or(Value::Null);
                modern_body("tools/call", params).to_string()
            }
        }
    }

    fn http_1(&mut self) -> Vec<u8> {
        let mut text = String::new();
        for _ in 0..self.random.random_range(1..3) {
            let method = if self.often() { "POST" } else { self.one(&METHODS) };
            let version =
                if self.seldom() { self.one(&["HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]) } else { "HTTP/1.1" };
            text.push_str(&format!("{method} {} {version}\r\n", self.one(&TARGETS)));
            if !self.seldom() {
                text.push_str(&format!("Host: {}\r\n", self.one(&HOSTS)));
            }
            for (name, value) in self.headers() {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            let body = self.body();
            if self.often() {
                text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
            } else {
                let size =
                    self.one(&["0", "5", "ffffffffffffffff", "-1", "1;x=\u{e9}", "10000000000000000", "z"]);
                text.push_str(&format!("Transfer-Encoding: chunked\r\n\r\n{size}\r\n{body}\r\n0\r\n\r\n"));
            }
        }
        text.into_bytes()
    }

    fn http_2(&mut self) -> Vec<u8> {
        let mut input = PREFACE.to_vec();
        for number in 0..self.random.random_range(1..4_u32) {
            let stream = number * 2 + 1;
            let method = if self.often() { "POST" } else { self.one(&METHODS) };
            let (target, host) = (self.one(&TARGETS), self.one(&HOSTS));
            let scheme = self.one(&["http", "https", "ftp", "1", ""]);
            let mut pairs =
                vec![(":method", method), (":scheme", scheme), (":authority", host), (":path", target)];
            while self.seldom() && !pairs.is_empty() {
                pairs.remove(self.random.random_range(0..pairs.len()));
            }
            if self.seldom() {
                pairs.push((self.one(&[":protocol", ":status", ":path", ":x", "host"]), "websocket"));
            }
            let headers = self.headers();
            let lower: Vec<_> =
                headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
            pairs.extend(lower.iter().map(|(name, value)| (name.as_str(), *value)));
            let mut head = block(&pairs);
            head.truncate(16_000);
            let flags = if self.seldom() { self.random.random() } else { END_HEADERS };
            input.extend(frame(HEADERS, flags, stream, &head));
            let body = self.body();
            let body = &body.as_bytes()[..body.len().min(16_000)];
            input.extend(frame(0, END_STREAM, stream, body));
            if self.often() {
                let length = self.random.random_range(0..12);
                let payload: Vec<u8> = (0..length).map(|_| self.random.random()).collect();
                let (kind, flags) = (self.random.random_range(0..12), self.random.random());
                let stream = self.random.random_range(0..6);
                input.extend(frame(kind, flags, stream, &payload));
            }
        }
        input
    }

    /// Changes, drops, doubles or cuts some of the bytes.
    fn damage(&mut self, input: &mut Vec<u8>) {
        for _ in 0..self.random.random_range(1..6) {
            if input.is_empty() {
                return;
            }
            // More often near the beginning, where structure is.
            let most = if self.often() { input.len().min(120) } else { input.len() };
            let at = self.random.random_range(0..most);
            match self.random.random_range(0..6) {
                0 => input[at] = self.random.random(),
                1 => input[at] ^= 1 << self.random.random_range(0..8),
                2 => drop(input.remove(at)),
                3 => input.insert(at, self.random.random()),
                4 => input.truncate(at),
                _ => {
                    let end = (at + self.random.random_range(0..40)).min(input.len());
                    let part = input[at..end].to_vec();
                    input.splice(at..at, part);
                }
            }
        }
    }
}

/// A number from the environment of a run by hand.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn is_well(server: &Server, to: [SocketAddr; 2], seed: u64, done: usize) {
    assert_eq!(panics::count(), 0, "a task panicked with seed {seed} among the first {done} inputs");
    let health =
        send(to[1], b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", LONGEST).await;
    assert!(health.starts_with(b"HTTP/1.1 200"), "seed {seed}: the admin listener does not answer");
    let list = server.modern(2, "tools/list", Value::Null);
    assert_eq!(server.ask(list).await.status, 200, "seed {seed}: the public listener does not answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bytes_make_a_task_panic() {
    panics::watch();
    let server = Server::with(|config| config.limits.sessions = 64).await;
    let to = [server.running.public_addr(), server.running.admin_addr()];
    let seed = asked("FUZZ_SEED").unwrap_or(1);
    let (most, longest) = match asked("FUZZ_SECONDS") {
        Some(seconds) => (usize::MAX, Duration::from_secs(seconds)),
        None => (INPUTS, LONGEST),
    };
    let mut fuzz = Fuzz { random: StdRng::seed_from_u64(seed) };
    let (start, mut done) = (Instant::now(), 0);
    while done < most && start.elapsed() < longest {
        let inputs: Vec<_> = (0..500.min(most - done))
            .map(|number| (to[usize::from(number % 4 == 0)], fuzz.input()))
            .collect();
        done += inputs.len();
        let sent = stream::iter(inputs).map(|(to, input)| async move { send(to, &input, WITHIN).await });
        let answered = sent.buffer_unordered(AT_ONCE).filter(|answer| std::future::ready(!answer.is_empty()));
        // Else the inputs would not get past the accept loop.
        assert!(answered.count().await > 50, "seed {seed}: hardly any input was answered");
        is_well(&server, to, seed, done).await;
    }
    eprintln!("{done} inputs with seed {seed} in {:?}: no panic", start.elapsed());
}
