//! A tracked session as an administrator sees it: its owner, client, activity, and whether it has ended.
//!
//! In the legacy era that is an MCP session. The modern era has none, and some clients of the legacy era work
//! without: there a session is the pair of a connection and a client, and is live while requests of that pair
//! arrive.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::audit::SessionInfo;
use crate::vocab::{Clock, ConnectionId, MutexExt, UserId};

/// The longest client name and version that is kept.
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

/// A session of either era, shared by the requests that it serves; counted with atomics.
#[derive(Debug)]
pub struct TrackedSession {
    /// Set once: the engine creates a legacy session while it serves `initialize`.
    id: OnceLock<Arc<str>>,
    era: Era,
    connection: ConnectionId,
    user: UserId,
    client: Option<Box<str>>,
    clock: Clock,
    /// By the wall clock; later times are computed relative to it, so that none jumps with that clock.
    created_unix_ms: u64,
    created_ms: u64,
    /// When the last request arrived.
    last_request_ms: AtomicU64,
    /// When the last answer was sent to its end.
    last_answer_ms: AtomicU64,
    requests: AtomicU64,
    /// Requests in progress, until the last byte of their answer; streams included.
    in_flight: AtomicUsize,
    peer: Mutex<IpAddr>,
    /// Cancelled with the session, and with its connection.
    ended: CancellationToken,
}

/// Held by a request in progress; until it is dropped, the session is not idle.
#[derive(Debug)]
pub struct ActivityGuard(Arc<TrackedSession>);

/// Client name and version as one short line, if not empty. Both are untrusted: bounded, and without control
/// characters.
pub fn client_text(name: &str, version: &str) -> Option<String> {
    let words = [name.trim(), " ", version.trim()];
    let letters = words.into_iter().flat_map(str::chars).filter(|c| !c.is_control()).take(MAX_CLIENT_CHARS);
    let mut text = String::with_capacity(MAX_CLIENT_CHARS);
    text.extend(letters);
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

// === impl TrackedSession ===

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

    /// Sets the session id, once.
    pub fn set_id(&self, id: Arc<str>) {
        let _ = self.id.set(id);
    }

    /// The session id that Odoo knows; none while `initialize` is in progress.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.id.get()
    }

    /// Name and version of the client, if it sent them.
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

    /// The address of the last request.
    pub fn peer(&self) -> IpAddr {
        *self.peer.locked()
    }

    /// The number of admitted requests.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Milliseconds since 1970.
    pub fn created_unix_ms(&self) -> u64 {
        self.created_unix_ms
    }

    /// When the last request arrived, in milliseconds since 1970.
    pub fn last_request_unix_ms(&self) -> u64 {
        let age = self.last_request_ms.load(Ordering::Relaxed).saturating_sub(self.created_ms);
        self.created_unix_ms.saturating_add(age)
    }

    /// Marks a request as in progress; the guard is held until its answer is sent.
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

    /// Ends the session: its streams end, and further requests are refused.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Whether the session has ended, alone or with its connection.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Cancelled when the session ends.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Whether the idle timeout is exceeded: no request and no open stream for longer than `idle`.
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

// === impl ActivityGuard ===

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

    /// A connection that a test can revoke.
    pub(crate) struct Connection {
        id: ConnectionId,
        pub lifetime: CancellationToken,
    }

    pub(crate) const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    pub(crate) fn connection(id: i64) -> Connection {
        Connection { id: ConnectionId(id), lifetime: CancellationToken::new() }
    }

    impl Connection {
        pub(crate) fn owner(&self) -> SessionOwner<'_> {
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
