//! Limits that protect the process itself. Limits of a connection are set in Odoo.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::{Faults, value};

/// `[limits]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open TCP connections; one more gets 503 and is closed.
    pub max_connections: usize,
    /// Timeout of a connection that sends nothing at all.
    #[serde(deserialize_with = "value::span")]
    pub first_byte_timeout: Duration,
    /// Timeout of the headers of a request, and idle timeout of a connection between two requests.
    #[serde(deserialize_with = "value::span")]
    pub header_timeout: Duration,
    /// Timeout of the body of a request.
    #[serde(deserialize_with = "value::span")]
    pub body_timeout: Duration,
    /// Write timeout: for a client that does not read its response.
    #[serde(deserialize_with = "value::span")]
    pub write_timeout: Duration,
    /// Bytes of all headers of a request together.
    pub max_header_bytes: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Legacy MCP sessions of one connection.
    pub sessions_per_connection: usize,
    /// Legacy MCP sessions in all. Idle ones were measured at 67 to 91 kB; the cap allows for 128 kB each. The
    /// channels of rmcp 3.9.0 have a part in it (`SessionConfig::DEFAULT_CHANNEL_CAPACITY`): tokio allocates them
    /// in blocks of `BLOCK_CAP` = 32 messages, so a smaller capacity would not make them smaller.
    pub sessions: usize,
    /// Idle timeout of a session, without a request and without an open stream: one of the legacy era is
    /// closed then, a client of the modern era no longer counts as live.
    #[serde(deserialize_with = "value::span")]
    pub session_idle: Duration,
    /// Requests of one connection at the same time, those that wait for Odoo and answers that are being sent
    /// included.
    pub in_flight_per_connection: usize,
    /// Requests at the same time in all.
    pub in_flight: usize,
    /// Bytes that requests and answers of one connection take, copies included.
    pub memory_per_connection: usize,
    /// The same of all connections.
    pub memory: usize,
    /// Characters of a tool's answer. Odoo cuts what is longer, with a way to the rest; this refuses what is longer still.
    pub max_answer_chars: usize,
    /// Open streams of one connection.
    pub streams_per_connection: usize,
    /// Open streams in all.
    pub streams: usize,
    /// Failed authentications of one address a minute, before its rate limit applies.
    pub failed_attempts: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            first_byte_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_header_bytes: 32 * 1024,
            max_body_bytes: 4 * 1024 * 1024,
            sessions_per_connection: 32,
            sessions: 1000,
            session_idle: Duration::from_secs(30 * 60),
            in_flight_per_connection: 128,
            in_flight: 1024,
            memory_per_connection: 64 * 1024 * 1024,
            memory: 128 * 1024 * 1024,
            max_answer_chars: 150_000,
            streams_per_connection: 32,
            streams: 12_288,
            failed_attempts: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
        }
    }
}

impl Limits {
    pub(super) fn check(&self, faults: &mut Faults) {
        // hyper refuses a smaller buffer by panicking.
        if self.max_header_bytes < 8192 {
            faults.add("limits.max_header_bytes", "must be at least 8192");
        }
        let counts = [
            ("max_connections", self.max_connections),
            ("max_body_bytes", self.max_body_bytes),
            ("sessions_per_connection", self.sessions_per_connection),
            ("sessions", self.sessions),
            ("in_flight_per_connection", self.in_flight_per_connection),
            ("in_flight", self.in_flight),
            ("memory_per_connection", self.memory_per_connection),
            ("memory", self.memory),
            ("max_answer_chars", self.max_answer_chars),
            ("streams_per_connection", self.streams_per_connection),
            ("streams", self.streams),
        ];
        faults.refuse_zeros("limits", &counts, "must be at least 1");
        let spans = [
            ("first_byte_timeout", self.first_byte_timeout),
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("write_timeout", self.write_timeout),
            ("session_idle", self.session_idle),
        ];
        faults.refuse_zeros("limits", &spans, "must be longer than nothing");
    }
}
