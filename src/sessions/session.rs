//! One session as an administrator sees it: whose it is, who uses it, how much, and whether it has ended.
//!
//! In the legacy era that is a session of MCP. The modern era has none, and some clients of the legacy era do
//! without: there it is the pair of a connection and a client, which is live while it is used.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::audit::SessionInfo;
use crate::vocab::{Clock, ConnectionId, MutexExt, UserId};

/// How much of what a client says of itself is kept.
const MAX_CLIENT_CHARS: usize = 100;

/// The two eras of MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    Legacy,
    Modern,
}

/// The identity that a session is bound to, borrowed from the request that opens it.
#[derive(Debug, Clone, Copy)]
pub struct SessionOwner<'a> {
    pub connection: ConnectionId,
    pub user: UserId,
    pub peer: IpAddr,
    /// Cancelled when the connection is revoked, changed or deleted.
    pub lifetime: &'a CancellationToken,
}

/// What is known of one session. Shared by whoever serves it; cheap to count in.
#[derive(Debug)]
pub struct TrackedSession {
    /// Comes with the session, which the engine makes while it serves `initialize`.
    id: OnceLock<Arc<str>>,
    era: Era,
    connection: ConnectionId,
    user: UserId,
    client: Option<Box<str>>,
    clock: Clock,
    /// By the wall clock; what follows is told relative to it, so that nothing jumps with that clock.
    created_unix_ms: u64,
    created_ms: u64,
    /// When the last request came.
    last_request_ms: AtomicU64,
    /// When the last answer was sent to its end.
    last_answer_ms: AtomicU64,
    requests: AtomicU64,
    /// Answers that are being made or sent, streams among them.
    in_flight: AtomicUsize,
    peer: Mutex<IpAddr>,
    /// Ends with the session, and with the connection.
    ended: CancellationToken,
}

/// A request's share in its session; while it lives, the session is not idle.
#[derive(Debug)]
pub struct ActivityGuard(Arc<TrackedSession>);

/// What a client says of itself, as one short line; none where it says nothing. Whoever calls chooses the
/// words, so they are bounded and cannot break out of the line.
pub fn client_text(name: &str, version: &str) -> Option<String> {
    let words = [name.trim(), " ", version.trim()];
    let letters = words.into_iter().flat_map(str::chars).filter(|c| !c.is_control()).take(MAX_CLIENT_CHARS);
    let mut text = String::with_capacity(MAX_CLIENT_CHARS);
    text.extend(letters);
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

// === impl Activity ===

impl TrackedSession {
    pub(super) fn new(clock: &Clock, owner: SessionOwner<'_>, era: Era, client: Option<&str>) -> Self {
        let now = clock.age_ms();
        Self {
            id: OnceLock::new(),
            era,
            connection: owner.connection,
            user: owner.user,
            client: client.map(Into::into),
            clock: clock.clone(),
            created_unix_ms: clock.unix_ms(),
            created_ms: now,
            last_request_ms: AtomicU64::new(now),
            last_answer_ms: AtomicU64::new(now),
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            peer: Mutex::new(owner.peer),
            ended: owner.lifetime.child_token(),
        }
    }

    /// Gives the session its id; once.
    pub fn set_id(&self, id: Arc<str>) {
        let _ = self.id.set(id);
    }

    /// The id by which Odoo knows the session; none while `initialize` is being served.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.id.get()
    }

    /// Name and version of the client, as far as it told them.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    pub fn era(&self) -> Era {
        self.era
    }

    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    pub fn user(&self) -> UserId {
        self.user
    }

    /// Where the last request came from.
    pub fn peer(&self) -> IpAddr {
        *self.peer.locked()
    }

    /// How many requests were let in so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Milliseconds since 1970.
    pub fn created_unix_ms(&self) -> u64 {
        self.created_unix_ms
    }

    /// When the last request came, in milliseconds since 1970.
    pub fn last_request_unix_ms(&self) -> u64 {
        let age = self.last_request_ms.load(Ordering::Relaxed).saturating_sub(self.created_ms);
        self.created_unix_ms.saturating_add(age)
    }

    /// Lets a request in; what it is given is to be held until its answer is sent.
    pub fn begin_request(self: &Arc<Self>, peer: IpAddr) -> ActivityGuard {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.last_request_ms.store(self.clock.age_ms(), Ordering::Relaxed);
        *self.peer.locked() = peer;
        ActivityGuard(Arc::clone(self))
    }

    /// Counts a request.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the session: its streams end, and nobody is let in any more.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Whether the session has ended, by itself or with its connection.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Cancelled when the session ends.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Whether it rested for longer than `idle`, without a request and without an open stream.
    pub(super) fn is_idle(&self, idle: Duration) -> bool {
        if self.in_flight.load(Ordering::Acquire) > 0 {
            return false;
        }
        let last =
            self.last_request_ms.load(Ordering::Relaxed).max(self.last_answer_ms.load(Ordering::Relaxed));
        u128::from(self.clock.age_ms().saturating_sub(last)) > idle.as_millis()
    }

    pub(super) fn is_client(&self, client: Option<&str>) -> bool {
        self.client() == client
    }
}

impl SessionInfo for TrackedSession {
    fn id(&self) -> Option<&str> {
        self.id.get().map(AsRef::as_ref)
    }

    fn client(&self) -> Option<&str> {
        self.client()
    }
}

// === impl Ticket ===

impl Drop for ActivityGuard {
    fn drop(&mut self) {
        self.0.last_answer_ms.store(self.0.clock.age_ms(), Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
pub(super) mod fixture {
    //! Owners for the tests of this module.

    use super::*;

    /// A connection, which the test can revoke.
    pub struct Connection {
        id: ConnectionId,
        pub lifetime: CancellationToken,
    }

    pub const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    pub fn connection(id: i64) -> Connection {
        Connection { id: ConnectionId(id), lifetime: CancellationToken::new() }
    }

    impl Connection {
        pub fn owner(&self) -> SessionOwner<'_> {
            SessionOwner { connection: self.id, user: UserId(2), peer: PEER, lifetime: &self.lifetime }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_one_short_line() {
        assert_eq!(client_text("claude-code", "2.1.0").as_deref(), Some("claude-code 2.1.0"));
        assert_eq!(client_text(" a\n\u{0}b\u{7f} ", "").as_deref(), Some("ab"));
        assert_eq!(client_text("\u{1b}", " \t"), None);
        assert_eq!(client_text("", ""), None);
        let long = client_text(&"é".repeat(5000), "1").unwrap();
        assert_eq!(long.chars().count(), MAX_CLIENT_CHARS);
    }
}
