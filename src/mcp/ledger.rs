//! All sessions of both eras: those that are live, and those that have ended and are still to be told of.
//!
//! Looking up the pair of a connection and a client is on the road of every modern request, so it takes one
//! look into a map and allocates nothing. How many pairs a connection has is bounded, since the client names
//! itself: those that come when the list is full share one pair.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use uuid::{Builder, Uuid};

use super::Caller;
use super::activity::{Activity, Era};
use crate::vocab::{Clock, ConnectionId};

/// How many clients of a connection are told apart in each era.
const MOST_CLIENTS: usize = 20;

/// What the clients are called that came when that many were there.
const OTHERS: &str = "other clients";

/// How many ended sessions wait to be told of; the oldest go first.
const MOST_GONE: usize = 10_000;

/// The sessions of this process.
#[derive(Debug)]
pub struct Ledger {
    clock: Clock,
    idle: Duration,
    /// Part of the ids of pairs: the same over a restart, another on each sidecar.
    replica: OnceLock<Uuid>,
    pairs: DashMap<(ConnectionId, Era), Pairs>,
    live: DashMap<Arc<str>, Arc<Activity>>,
    gone: Mutex<VecDeque<Arc<Activity>>>,
    /// Rings where a session has begun or gone.
    pub(super) news: Notify,
    /// Rings where a session was ended.
    pub(super) over: Notify,
}

/// The clients that use a connection without a session.
#[derive(Debug, Default)]
struct Pairs {
    told_apart: Vec<Arc<Activity>>,
    others: Option<Arc<Activity>>,
}

// === impl Pairs ===

impl Pairs {
    /// The live pair of a client.
    fn find(&self, client: Option<&str>) -> Option<&Arc<Activity>> {
        let own = self.told_apart.iter().find(|pair| pair.is_of(client));
        let found = if own.is_none() && self.is_full() { self.others.as_ref() } else { own };
        found.filter(|pair| !pair.is_over())
    }

    fn is_full(&self) -> bool {
        self.told_apart.len() >= MOST_CLIENTS
    }

    fn forget(&mut self, over: impl Fn(&Arc<Activity>) -> bool) {
        self.told_apart.retain(|pair| !over(pair));
        self.others.take_if(|pair| over(pair));
    }
}

// === impl Ledger ===

impl Ledger {
    /// `idle`: how long a session may rest.
    pub fn new(clock: Clock, idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock,
            idle,
            replica: OnceLock::new(),
            pairs: DashMap::new(),
            live: DashMap::new(),
            gone: Mutex::default(),
            news: Notify::new(),
            over: Notify::new(),
        })
    }

    /// Says whose ledger this is; once, before anything is served.
    pub fn belong_to(&self, replica: Uuid) {
        let _ = self.replica.set(replica);
    }

    /// The session that `initialize` is about to open; it has no id yet, and nobody knows of it.
    pub fn opening(&self, caller: &Caller, client: Option<&str>) -> Arc<Activity> {
        Arc::new(Activity::new(&self.clock, caller, Era::Legacy, client))
    }

    /// A session that has its id is live from now on.
    pub(super) fn begin(&self, activity: &Arc<Activity>) {
        if let Some(id) = activity.id() {
            self.live.insert(Arc::clone(id), Arc::clone(activity));
            self.news.notify_one();
        }
    }

    /// The pair of a connection and a client, a new one where there is none or it has ended.
    pub fn meet(&self, caller: &Caller, era: Era, client: Option<&str>) -> Arc<Activity> {
        let key = (caller.principal.connection, era);
        if let Some(pair) = self.pairs.get(&key).and_then(|pairs| pairs.find(client).cloned()) {
            return pair;
        }
        let mut pairs = self.pairs.entry(key).or_default();
        pairs.forget(|pair| pair.is_over());
        if let Some(pair) = pairs.find(client) {
            return Arc::clone(pair);
        }
        let shared = pairs.is_full();
        let client = if shared { Some(OTHERS) } else { client };
        let pair = Arc::new(Activity::new(&self.clock, caller, era, client));
        pair.name(self.id_of(&pair, shared));
        if shared {
            pairs.others = Some(Arc::clone(&pair));
        } else {
            pairs.told_apart.push(Arc::clone(&pair));
        }
        // Under the lock of the list, so that a life cannot take the place of a later one.
        self.begin(&pair);
        pair
    }

    /// The id of a pair: the same whenever the client comes back.
    fn id_of(&self, pair: &Activity, shared: bool) -> Arc<str> {
        let client = pair.client();
        let kind = [u8::from(pair.era() == Era::Modern), u8::from(shared), u8::from(client.is_some())];
        let mut hash = Sha256::new();
        hash.update(self.replica.get().copied().unwrap_or_default());
        hash.update(pair.connection().0.to_be_bytes());
        hash.update(pair.user().0.to_be_bytes());
        hash.update(kind);
        hash.update(client.unwrap_or_default());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(digest.split_at(16).0);
        Builder::from_custom_bytes(bytes).into_uuid().to_string().into()
    }

    /// Ends the session that has this id now, if there is one.
    pub fn end(&self, id: &str) {
        if let Some(activity) = self.live.get(id) {
            self.end_life(&activity);
        }
    }

    pub(super) fn end_life(&self, activity: &Activity) {
        activity.end();
        self.over.notify_one();
    }

    pub(super) fn end_all(&self) {
        for activity in &self.live {
            activity.end();
        }
        self.reap();
    }

    /// The sessions that are live, or were a moment ago.
    pub(super) fn live(&self) -> Vec<Arc<Activity>> {
        self.live.iter().map(|activity| Arc::clone(activity.value())).collect()
    }

    pub(super) fn is_live(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// Those that have ended since this was asked last.
    pub(super) fn take_gone(&self) -> VecDeque<Arc<Activity>> {
        std::mem::take(&mut self.gone.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the pairs that were idle for too long, and puts all that has ended aside.
    pub(super) fn reap(&self) {
        self.pairs.retain(|_, pairs| {
            pairs.forget(|pair| {
                if pair.is_idle(self.idle) {
                    pair.end();
                }
                pair.is_over()
            });
            !pairs.told_apart.is_empty() || pairs.others.is_some()
        });
        let mut gone = Vec::new();
        self.live.retain(|_, activity| {
            let over = activity.is_over();
            if over {
                gone.push(Arc::clone(activity));
            }
            !over
        });
        if !gone.is_empty() {
            self.put_aside(gone);
            self.news.notify_one();
        }
    }

    fn put_aside(&self, over: Vec<Arc<Activity>>) {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(over);
        let surplus = gone.len().saturating_sub(MOST_GONE);
        gone.drain(..surplus);
    }

    /// Whether a session may rest no longer.
    pub(super) fn is_over(&self, activity: &Activity) -> bool {
        activity.is_over() || activity.is_idle(self.idle)
    }
}

#[cfg(test)]
mod tests {
    use crate::mcp::caller::fixture::caller;

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn ledger(clock: &Clock) -> Arc<Ledger> {
        let ledger = Ledger::new(clock.clone(), IDLE);
        ledger.belong_to(Uuid::from_u128(1));
        ledger
    }

    #[test]
    fn a_client_keeps_its_id_over_a_restart_and_shares_it_with_nobody() {
        let clock = Clock::still_at(0);
        let (first, second) = (ledger(&clock), ledger(&clock));
        let id = |ledger: &Ledger, connection, era, client| {
            let pair = ledger.meet(&caller(connection), era, client);
            pair.id().unwrap().to_string()
        };
        let one = id(&first, 1, Era::Modern, Some("a 1"));
        assert_eq!(id(&first, 1, Era::Modern, Some("a 1")), one);
        assert_eq!(id(&second, 1, Era::Modern, Some("a 1")), one);
        assert!(Uuid::parse_str(&one).is_ok());
        let elsewhere = Ledger::new(clock, IDLE);
        elsewhere.belong_to(Uuid::from_u128(2));
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
    fn a_connection_cannot_invent_clients_without_end() {
        let ledger = ledger(&Clock::still_at(0));
        let caller = caller(1);
        for number in 0..1000 {
            ledger.meet(&caller, Era::Modern, Some(&format!("client {number}"))).count();
        }
        assert_eq!(ledger.live.len(), MOST_CLIENTS + 1);
        // One that calls itself as the others are called is one more of them, or told apart from them.
        let others = ledger.meet(&caller, Era::Modern, Some(OTHERS));
        assert_eq!(others.requests(), 1000 - MOST_CLIENTS as u64);
        let own = self::ledger(&Clock::still_at(0)).meet(&caller, Era::Modern, Some(OTHERS));
        assert_ne!(own.id(), others.id());
        // Those who were there before keep their own.
        assert_eq!(ledger.meet(&caller, Era::Modern, Some("client 3")).client(), Some("client 3"));
    }

    #[test]
    fn a_pair_lives_while_it_is_used() {
        let clock = Clock::still_at(0);
        let ledger = ledger(&clock);
        let caller = caller(1);
        let pair = ledger.meet(&caller, Era::Modern, None);
        let ticket = pair.enter(caller.peer);
        clock.advance(IDLE * 2);
        ledger.reap();
        assert!(!pair.is_over());
        drop(ticket);
        clock.advance(IDLE);
        ledger.reap();
        assert!(!pair.is_over());
        clock.advance(Duration::from_millis(1));
        ledger.reap();
        assert!(pair.is_over() && ledger.pairs.is_empty() && ledger.live.is_empty());
        assert_eq!(ledger.gone.lock().unwrap().len(), 1);
        assert!(!ledger.meet(&caller, Era::Modern, None).is_over());
    }

    #[test]
    fn a_pair_that_was_ended_begins_anew_with_the_next_request() {
        let clock = Clock::still_at(5000);
        let ledger = ledger(&clock);
        let caller = caller(1);
        let before = ledger.meet(&caller, Era::Modern, None);
        before.count();
        clock.advance(Duration::from_secs(1));
        ledger.end("unknown");
        assert!(!before.is_over());
        ledger.end(before.id().unwrap());
        assert!(before.is_over());
        let after = ledger.meet(&caller, Era::Modern, None);
        assert_eq!((after.id(), after.requests(), after.created_unix_ms()), (before.id(), 0, 6000));
        assert!(!after.is_over());
    }

    #[test]
    fn a_revoked_connection_takes_its_pairs_along() {
        let ledger = ledger(&Clock::still_at(0));
        let (caller, other) = (caller(1), caller(2));
        let pair = ledger.meet(&caller, Era::Modern, None);
        let stays = ledger.meet(&other, Era::Modern, None);
        caller.lifetime.cancel();
        ledger.reap();
        assert!(pair.is_over() && !stays.is_over());
        assert_eq!(ledger.live.len(), 1);
    }

    #[test]
    fn what_waits_to_be_told_of_is_bounded() {
        let ledger = ledger(&Clock::still_at(0));
        let caller = caller(1);
        for _ in 0..MOST_GONE + 5 {
            ledger.meet(&caller, Era::Modern, None).end();
            ledger.reap();
        }
        assert_eq!(ledger.gone.lock().unwrap().len(), MOST_GONE);
    }
}
