//! All sessions of both eras: those that are live, and those that have ended and are still to be told of.
//!
//! Looking up the pair of a connection and a client is on the road of every modern request, so it takes one
//! look into a map and allocates nothing. How many pairs a connection has is bounded, since the client names
//! itself: those that come when the list is full share one pair.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use uuid::{Builder, Uuid};

use super::session::{Era, SessionOwner, TrackedSession};
use crate::vocab::{Clock, ConnectionId, MutexExt};

/// How many clients of a connection are told apart in each era.
const MAX_CLIENTS_PER_CONNECTION: usize = 20;

/// What the clients are called that came when that many were there.
const SHARED_CLIENT_NAME: &str = "other clients";

/// How many ended sessions wait to be told of; the oldest go first.
const MAX_ENDED_SESSIONS: usize = 10_000;

/// The sessions of this process.
#[derive(Debug)]
pub struct SessionRegistry {
    clock: Clock,
    idle_timeout: Duration,
    /// Part of the ids of pairs: the same over a restart, another on each sidecar.
    replica: OnceLock<Uuid>,
    client_sessions: DashMap<(ConnectionId, Era), ClientSessions>,
    live: DashMap<Arc<str>, Arc<TrackedSession>>,
    ended: Mutex<VecDeque<Arc<TrackedSession>>>,
    /// Rings where a session has begun or gone.
    pub changed: Notify,
    /// Rings where a session was ended.
    pub ended_signal: Notify,
}

/// The clients that use a connection without a session.
#[derive(Debug, Default)]
struct ClientSessions {
    named: Vec<Arc<TrackedSession>>,
    shared: Option<Arc<TrackedSession>>,
}

// === impl Pairs ===

impl ClientSessions {
    /// The live pair of a client.
    fn find(&self, client: Option<&str>) -> Option<&Arc<TrackedSession>> {
        let own = self.named.iter().find(|session| session.is_client(client));
        let found = if own.is_none() && self.is_full() { self.shared.as_ref() } else { own };
        found.filter(|session| !session.has_ended())
    }

    fn is_full(&self) -> bool {
        self.named.len() >= MAX_CLIENTS_PER_CONNECTION
    }

    fn remove_if(&mut self, over: impl Fn(&Arc<TrackedSession>) -> bool) {
        self.named.retain(|session| !over(session));
        self.shared.take_if(|session| over(session));
    }
}

// === impl Ledger ===

impl SessionRegistry {
    /// `idle`: how long a session may rest.
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

    /// Says whose ledger this is; once, before anything is served.
    pub fn set_replica(&self, replica: Uuid) {
        let _ = self.replica.set(replica);
    }

    /// The session that `initialize` is about to open; it has no id yet, and nobody knows of it.
    pub fn pending(&self, owner: SessionOwner<'_>, client: Option<&str>) -> Arc<TrackedSession> {
        Arc::new(TrackedSession::new(&self.clock, owner, Era::Legacy, client))
    }

    /// A session that has its id is live from now on.
    pub fn register(&self, session: &Arc<TrackedSession>) {
        if let Some(id) = session.id() {
            self.live.insert(Arc::clone(id), Arc::clone(session));
            self.changed.notify_one();
        }
    }

    /// The pair of a connection and a client, a new one where there is none or it has ended.
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
        // Under the lock of the list, so that a life cannot take the place of a later one.
        self.register(&session);
        session
    }

    /// The id of a pair: the same whenever the client comes back.
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

    /// Ends the session that has this id now, if there is one.
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

    /// The sessions that are live, or were a moment ago.
    pub(super) fn live(&self) -> Vec<Arc<TrackedSession>> {
        self.live.iter().map(|session| Arc::clone(session.value())).collect()
    }

    pub(super) fn is_live(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// Those that have ended since this was asked last.
    pub(super) fn take_ended(&self) -> VecDeque<Arc<TrackedSession>> {
        std::mem::take(&mut self.ended.locked())
    }

    /// Ends the pairs that were idle for too long, and puts all that has ended aside.
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
            let over = session.has_ended();
            if over {
                ended.push(Arc::clone(session));
            }
            !over
        });
        if !ended.is_empty() {
            self.queue_ended(ended);
            self.changed.notify_one();
        }
    }

    fn queue_ended(&self, over: Vec<Arc<TrackedSession>>) {
        let mut ended = self.ended.locked();
        ended.extend(over);
        let surplus = ended.len().saturating_sub(MAX_ENDED_SESSIONS);
        ended.drain(..surplus);
    }

    /// Whether a session may rest no longer.
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
        // One that calls itself as the others are called is one more of them, or told apart from them.
        let others = registry.get_or_create(connection.owner(), Era::Modern, Some(SHARED_CLIENT_NAME));
        assert_eq!(others.requests(), 1000 - MAX_CLIENTS_PER_CONNECTION as u64);
        let own = self::registry(&Clock::manual_at(0)).get_or_create(
            connection.owner(),
            Era::Modern,
            Some(SHARED_CLIENT_NAME),
        );
        assert_ne!(own.id(), others.id());
        // Those who were there before keep their own.
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
