//! The session registry: the live sessions of both eras, and a bounded queue of ended ones for the session
//! sync.
//!
//! The session of a connection and a client is looked up for every modern request, so a hit takes one map
//! access and allocates nothing. Clients name themselves, so the number of sessions per connection is
//! bounded: when the list is full, further clients share one session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use uuid::{Builder, Uuid};

use super::session::{Era, SessionOwner, TrackedSession};
use crate::vocab::{Clock, ConnectionId, MutexExt};

/// The most clients of a connection with a session of their own, in each era.
const MAX_CLIENTS_PER_CONNECTION: usize = 20;

/// The client name of the session that all further clients share.
const SHARED_CLIENT_NAME: &str = "other clients";

/// The bound of the queue of ended sessions; the oldest are dropped first.
const MAX_ENDED_SESSIONS: usize = 10_000;

/// The sessions of this process.
#[derive(Debug)]
pub struct SessionRegistry {
    clock: Clock,
    idle_timeout: Duration,
    /// Hashed into derived session ids: stable over a restart, distinct for each sidecar.
    replica: OnceLock<Uuid>,
    client_sessions: DashMap<(ConnectionId, Era), ClientSessions>,
    live: DashMap<Arc<str>, Arc<TrackedSession>>,
    ended: Mutex<VecDeque<Arc<TrackedSession>>>,
    /// Notified when a session begins or is reaped.
    pub changed: Notify,
    /// Notified when a session was ended, so that it is reaped at once.
    pub ended_signal: Notify,
}

/// The sessions of the clients of one connection that have no MCP session.
#[derive(Debug, Default)]
struct ClientSessions {
    named: Vec<Arc<TrackedSession>>,
    shared: Option<Arc<TrackedSession>>,
}

// === impl ClientSessions ===

impl ClientSessions {
    /// The live session of a client.
    fn find(&self, client: Option<&str>) -> Option<&Arc<TrackedSession>> {
        let own = self.named.iter().find(|session| session.is_client(client));
        let found = if own.is_none() && self.is_full() { self.shared.as_ref() } else { own };
        found.filter(|session| !session.has_ended())
    }

    fn is_full(&self) -> bool {
        self.named.len() >= MAX_CLIENTS_PER_CONNECTION
    }

    fn remove_if(&mut self, is_over: impl Fn(&Arc<TrackedSession>) -> bool) {
        self.named.retain(|session| !is_over(session));
        self.shared.take_if(|session| is_over(session));
    }
}

// === impl SessionRegistry ===

impl SessionRegistry {
    /// An empty registry; `idle` is the idle timeout of its sessions.
    pub fn new(clock: Clock, idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock,
            idle_timeout: idle,
            replica: OnceLock::new(),
            client_sessions: DashMap::new(),
            live: DashMap::new(),
            ended: Mutex::default(),
            changed: Notify::new(),
            ended_signal: Notify::new(),
        })
    }

    /// Sets the id of this sidecar, once, before the first request.
    pub fn set_replica(&self, replica: Uuid) {
        let _ = self.replica.set(replica);
    }

    /// The session that `initialize` is about to open, without an id and not registered yet.
    pub fn pending(&self, owner: SessionOwner<'_>, client: Option<&str>) -> Arc<TrackedSession> {
        Arc::new(TrackedSession::new(&self.clock, owner, Era::Legacy, client))
    }

    /// Adds a session that has its id to the live ones.
    pub fn register(&self, session: &Arc<TrackedSession>) {
        if let Some(id) = session.id() {
            self.live.insert(Arc::clone(id), Arc::clone(session));
            self.changed.notify_one();
        }
    }

    /// The session of a connection and a client; a new one if there is none or it has ended.
    pub fn get_or_create(
        &self,
        owner: SessionOwner<'_>,
        era: Era,
        client: Option<&str>,
    ) -> Arc<TrackedSession> {
        let key = (owner.connection, era);
        if let Some(session) =
            self.client_sessions.get(&key).and_then(|sessions| sessions.find(client).cloned())
        {
            return session;
        }
        let mut sessions = self.client_sessions.entry(key).or_default();
        sessions.remove_if(|session| session.has_ended());
        if let Some(session) = sessions.find(client) {
            return Arc::clone(session);
        }
        let shared = sessions.is_full();
        let client = if shared { Some(SHARED_CLIENT_NAME) } else { client };
        let session = Arc::new(TrackedSession::new(&self.clock, owner, era, client));
        session.set_id(self.derive_id(&session, shared));
        if shared {
            sessions.shared = Some(Arc::clone(&session));
        } else {
            sessions.named.push(Arc::clone(&session));
        }
        // Under the lock of the list, so that an older session cannot replace a newer one with its id.
        self.register(&session);
        session
    }

    /// Derives a stable session id: the same each time the client returns.
    fn derive_id(&self, session: &TrackedSession, shared: bool) -> Arc<str> {
        let client = session.client();
        let kind = [u8::from(session.era() == Era::Modern), u8::from(shared), u8::from(client.is_some())];
        let mut hash = Sha256::new();
        hash.update(self.replica.get().copied().unwrap_or_default());
        hash.update(session.connection().0.to_be_bytes());
        hash.update(session.user().0.to_be_bytes());
        hash.update(kind);
        hash.update(client.unwrap_or_default());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(digest.split_at(16).0);
        Builder::from_custom_bytes(bytes).into_uuid().to_string().into()
    }

    /// Ends the live session with this id, if any.
    pub fn end(&self, id: &str) {
        if let Some(session) = self.live.get(id) {
            self.end_session(&session);
        }
    }

    pub(super) fn end_session(&self, session: &TrackedSession) {
        session.end();
        self.ended_signal.notify_one();
    }

    pub(super) fn end_all(&self) {
        for session in &self.live {
            session.end();
        }
        self.reap();
    }

    /// The live sessions; one may have ended since the last `reap`.
    pub(super) fn live(&self) -> Vec<Arc<TrackedSession>> {
        self.live.iter().map(|session| Arc::clone(session.value())).collect()
    }

    pub(super) fn is_live(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// Drains the queue of ended sessions.
    pub(super) fn take_ended(&self) -> VecDeque<Arc<TrackedSession>> {
        std::mem::take(&mut self.ended.locked())
    }

    /// Ends the sessions that exceeded the idle timeout, and moves all ended ones into the queue.
    pub fn reap(&self) {
        self.client_sessions.retain(|_, sessions| {
            sessions.remove_if(|session| {
                if session.is_idle(self.idle_timeout) {
                    session.end();
                }
                session.has_ended()
            });
            !sessions.named.is_empty() || sessions.shared.is_some()
        });
        let mut ended = Vec::new();
        self.live.retain(|_, session| {
            let has_ended = session.has_ended();
            if has_ended {
                ended.push(Arc::clone(session));
            }
            !has_ended
        });
        if !ended.is_empty() {
            self.queue_ended(ended);
            self.changed.notify_one();
        }
    }

    fn queue_ended(&self, sessions: Vec<Arc<TrackedSession>>) {
        let mut ended = self.ended.locked();
        ended.extend(sessions);
        let surplus = ended.len().saturating_sub(MAX_ENDED_SESSIONS);
        ended.drain(..surplus);
    }

    /// Whether a session has ended or exceeded its idle timeout.
    pub fn is_expired(&self, session: &TrackedSession) -> bool {
        session.has_ended() || session.is_idle(self.idle_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::session::fixture::{PEER, connection};

    const IDLE: Duration = Duration::from_secs(60);

    fn registry(clock: &Clock) -> Arc<SessionRegistry> {
        let registry = SessionRegistry::new(clock.clone(), IDLE);
        registry.set_replica(Uuid::from_u128(1));
        registry
    }

    #[test]
    fn a_client_keeps_its_own_id_over_a_restart() {
        let clock = Clock::manual_at(0);
        let (first, second) = (registry(&clock), registry(&clock));
        let id = |registry: &SessionRegistry, id, era, client| {
            let session = registry.get_or_create(connection(id).owner(), era, client);
            session.id().unwrap().to_string()
        };
        let one = id(&first, 1, Era::Modern, Some("a 1"));
        assert_eq!(id(&first, 1, Era::Modern, Some("a 1")), one);
        assert_eq!(id(&second, 1, Era::Modern, Some("a 1")), one);
        assert!(Uuid::parse_str(&one).is_ok());
        let elsewhere = SessionRegistry::new(clock, IDLE);
        elsewhere.set_replica(Uuid::from_u128(2));
        let mut ids = vec![
            id(&first, 2, Era::Modern, Some("a 1")),
            id(&first, 1, Era::Legacy, Some("a 1")),
            id(&first, 1, Era::Modern, Some("a 2")),
            id(&first, 1, Era::Modern, Some("")),
            id(&first, 1, Era::Modern, None),
            id(&elsewhere, 1, Era::Modern, Some("a 1")),
            one,
        ];
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn the_clients_of_a_connection_are_bounded() {
        let registry = registry(&Clock::manual_at(0));
        let connection = connection(1);
        for number in 0..1000 {
            registry
                .get_or_create(connection.owner(), Era::Modern, Some(&format!("client {number}")))
                .count_request();
        }
        assert_eq!(registry.live.len(), MAX_CLIENTS_PER_CONNECTION + 1);
        // A client with the name of the shared session uses it, or has one of its own with another id.
        let others = registry.get_or_create(connection.owner(), Era::Modern, Some(SHARED_CLIENT_NAME));
        assert_eq!(others.requests(), 1000 - MAX_CLIENTS_PER_CONNECTION as u64);
        let own = self::registry(&Clock::manual_at(0)).get_or_create(
            connection.owner(),
            Era::Modern,
            Some(SHARED_CLIENT_NAME),
        );
        assert_ne!(own.id(), others.id());
        // Earlier clients keep their own.
        assert_eq!(
            registry.get_or_create(connection.owner(), Era::Modern, Some("client 3")).client(),
            Some("client 3")
        );
    }

    #[test]
    fn a_client_session_lives_while_it_is_used() {
        let clock = Clock::manual_at(0);
        let registry = registry(&clock);
        let connection = connection(1);
        let session = registry.get_or_create(connection.owner(), Era::Modern, None);
        let guard = session.begin_request(PEER);
        clock.advance(IDLE * 2);
        registry.reap();
        assert!(!session.has_ended());
        drop(guard);
        clock.advance(IDLE);
        registry.reap();
        assert!(!session.has_ended());
        clock.advance(Duration::from_millis(1));
        registry.reap();
        assert!(session.has_ended() && registry.client_sessions.is_empty() && registry.live.is_empty());
        assert_eq!(registry.ended.lock().unwrap().len(), 1);
        assert!(!registry.get_or_create(connection.owner(), Era::Modern, None).has_ended());
    }

    #[test]
    fn an_ended_client_session_is_created_anew_by_the_next_request() {
        let clock = Clock::manual_at(5000);
        let registry = registry(&clock);
        let connection = connection(1);
        let before = registry.get_or_create(connection.owner(), Era::Modern, None);
        before.count_request();
        clock.advance(Duration::from_secs(1));
        registry.end("unknown");
        assert!(!before.has_ended());
        registry.end(before.id().unwrap());
        assert!(before.has_ended());
        let after = registry.get_or_create(connection.owner(), Era::Modern, None);
        assert_eq!((after.id(), after.requests(), after.created_unix_ms()), (before.id(), 0, 6000));
        assert!(!after.has_ended());
    }

    #[test]
    fn a_revoked_connection_ends_its_client_sessions() {
        let registry = registry(&Clock::manual_at(0));
        let (revoked, other) = (connection(1), connection(2));
        let session = registry.get_or_create(revoked.owner(), Era::Modern, None);
        let stays = registry.get_or_create(other.owner(), Era::Modern, None);
        revoked.lifetime.cancel();
        registry.reap();
        assert!(session.has_ended() && !stays.has_ended());
        assert_eq!(registry.live.len(), 1);
    }

    #[test]
    fn the_queue_of_ended_sessions_is_bounded() {
        let registry = registry(&Clock::manual_at(0));
        let connection = connection(1);
        for _ in 0..MAX_ENDED_SESSIONS + 5 {
            registry.get_or_create(connection.owner(), Era::Modern, None).end();
            registry.reap();
        }
        assert_eq!(registry.ended.lock().unwrap().len(), MAX_ENDED_SESSIONS);
    }
}
