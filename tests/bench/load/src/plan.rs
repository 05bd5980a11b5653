//! What to send, and what an answer must look like to count as one.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

/// One measurement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub target: Target,
    pub clients: usize,
    /// Calls of each client before the clock starts.
    #[serde(default)]
    pub warmup_calls: usize,
    /// No call starts after this time, ...
    pub seconds: f64,
    /// ... nor after this many calls of all clients together.
    pub max_calls: usize,
    #[serde(default = "default_timeout")]
    pub timeout_seconds: f64,
}

/// A server and the requests to send to it.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://HOST:PORT/PATH`
    pub url: String,
    pub requests: Vec<Message>,
    /// Each call takes the next request; otherwise each client keeps to one.
    #[serde(default)]
    pub rotate: bool,
    pub expect: Expect,
}

/// Headers and body of one request.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Message {
    #[serde(default = "default_method")]
    pub method: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What makes an answer a good one; anything else is an error and no call.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub statuses: Vec<u16>,
    /// A text that must occur exactly `count` times in the body: one per row.
    #[serde(default)]
    pub marker: Option<Marker>,
    /// Texts of which none may occur.
    #[serde(default)]
    pub without: Vec<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    pub text: String,
    pub count: usize,
}

fn default_timeout() -> f64 {
    60.0
}

fn default_method() -> String {
    "POST".to_owned()
}

// === impl Target ===

impl Target {
    /// `HOST:PORT` and the path.
    pub fn split_url(&self) -> Result<(&str, &str)> {
        let Some(rest) = self.url.strip_prefix("http://") else {
            bail!("not an http:// address: {}", self.url)
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        ensure!(authority.contains(':'), "no port in {}", self.url);
        Ok((authority, if path.is_empty() { "/" } else { path }))
    }

    /// The requests as bytes.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>> {
        let (authority, path) = self.split_url()?;
        ensure!(!self.requests.is_empty(), "no requests for {}", self.url);
        Ok(self.requests.iter().map(|message| message.encode(authority, path)).collect())
    }
}

// === impl Message ===

impl Message {
    fn encode(&self, authority: &str, path: &str) -> Vec<u8> {
        let mut head = format!("{} {path} HTTP/1.1\r\nHost: {authority}\r\n", self.method);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        [head.as_bytes(), self.body.as_bytes()].concat()
    }
}

// === impl Expect ===

impl Expect {
    /// Why an answer is no good one.
    pub fn fault(&self, status: u16, body: &[u8]) -> Option<String> {
        if !self.statuses.contains(&status) {
            return Some(format!("status {status}, not one of {:?}: {}", self.statuses, excerpt(body)));
        }
        for text in &self.without {
            if memchr::memmem::find(body, text.as_bytes()).is_some() {
                return Some(format!("the answer holds {text}: {}", excerpt(body)));
            }
        }
        let marker = self.marker.as_ref()?;
        let found = memchr::memmem::find_iter(body, marker.text.as_bytes()).count();
        (found != marker.count)
            .then(|| format!("{} occurs {found} times, not {}: {}", marker.text, marker.count, excerpt(body)))
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect() -> Expect {
        Expect {
            statuses: vec![200],
            marker: Some(Marker { text: "\"id\":".into(), count: 2 }),
            without: vec!["\"isError\":true".into()],
        }
    }

    #[test]
    fn an_answer_with_the_rows_is_good() {
        assert_eq!(expect().fault(200, br#"[{"id":1},{"id":2}]"#), None);
    }

    #[test]
    fn a_wrong_status_missing_rows_and_an_error_result_are_no_calls() {
        assert!(expect().fault(503, br#"[{"id":1},{"id":2}]"#).is_some());
        assert!(expect().fault(200, br#"[{"id":1}]"#).is_some());
        assert!(expect().fault(200, br#"{"isError":true,"t":[{"id":1},{"id":2}]}"#).is_some());
    }

    #[test]
    fn a_request_is_whole() {
        let headers = [("A".to_owned(), "b".to_owned())].into();
        let message = Message { method: default_method(), headers, body: "hi".into() };
        let bytes = message.encode("127.0.0.1:80", "/x");
        assert_eq!(bytes, b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\nA: b\r\nContent-Length: 2\r\n\r\nhi");
    }
}
