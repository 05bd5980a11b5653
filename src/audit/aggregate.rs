//! Counts of requests of the same kind: exact in number, cheap for each of them.
//!
//! A kind is looked up by its hash and compared member by member, so that counting another request of a known
//! kind neither allocates nor waits for a disk. A sum runs until the stretch of time is over in which it began.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use ipnet::IpNet;
use uuid::Uuid;

use super::document::{EntryDocument, Status};
use super::redact;
use crate::vocab::{ConnectionId, MutexExt, UserId, rfc3339_millis};

/// Locks, so that requests on several threads seldom meet.
const SHARDS: usize = 16;

/// What requests of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AggregateKey<'a> {
    pub connection: Option<ConnectionId>,
    pub user: Option<UserId>,
    pub session: Option<&'a str>,
    pub client: Option<&'a str>,
    pub ip: Option<IpNet>,
    pub method: Option<&'a str>,
    pub tool: Option<&'a str>,
    pub status: Status,
    pub reason: Option<&'a str>,
}

/// The sums that run.
#[derive(Debug)]
pub(super) struct Aggregator {
    window_ms: u64,
    max_aggregates: usize,
    hasher: RandomState,
    active: AtomicUsize,
    /// Sums go on beyond their stretch of time, since they cannot be kept.
    rollover_paused: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
}

/// Sums by hash; two kinds may have the same.
type Shard = HashMap<u64, Vec<Aggregate>>;

#[derive(Debug)]
struct Aggregate {
    document: EntryDocument,
    ip: Option<IpNet>,
    /// When its stretch of time is over.
    end_ms: u64,
    /// It has grown since it was last taken.
    dirty: bool,
}

// === impl Key ===

impl AggregateKey<'_> {
    /// The kind of all requests that ended so.
    pub fn of_outcome(status: Status, reason: Option<&str>) -> AggregateKey<'_> {
        AggregateKey {
            connection: None,
            user: None,
            session: None,
            client: None,
            ip: None,
            method: None,
            tool: None,
            status,
            reason,
        }
    }

    /// What is left of a kind where too many are told apart: that of which there are only so many.
    fn coarsened(self) -> Self {
        Self {
            connection: self.connection,
            user: self.user,
            ..AggregateKey::of_outcome(self.status, self.reason)
        }
    }
}

// === impl Sum ===

impl Aggregate {
    fn new(key: AggregateKey<'_>, first_ms: u64, end_ms: u64, error: Option<String>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let document = EntryDocument {
            id: Uuid::now_v7(),
            time: rfc3339_millis(first_ms),
            method: owned(key.method),
            tool: owned(key.tool),
            model: None,
            res_ids: Vec::new(),
            connection: key.connection,
            user: key.user,
            session: owned(key.session),
            client: owned(key.client),
            ip: key.ip.map(ip_text),
            status: key.status,
            reason: owned(key.reason),
            error,
            duration_ms: None,
            count: 0,
            call_id: None,
            request: None,
            response: None,
        };
        Self { document, ip: key.ip, end_ms, dirty: true }
    }

    /// As it may be kept: clients choose some of these words.
    fn redacted(&self) -> EntryDocument {
        let mut document = self.document.clone();
        for word in [&mut document.method, &mut document.tool, &mut document.client] {
            *word = word.as_deref().map(redact::name);
        }
        document
    }

    fn matches(&self, key: &AggregateKey<'_>) -> bool {
        let own = &self.document;
        let known = AggregateKey {
            connection: own.connection,
            user: own.user,
            session: own.session.as_deref(),
            client: own.client.as_deref(),
            ip: self.ip,
            method: own.method.as_deref(),
            tool: own.tool.as_deref(),
            status: own.status,
            reason: own.reason.as_deref(),
        };
        known == *key
    }
}

/// An address as such, a network in CIDR form.
fn ip_text(ip: IpNet) -> String {
    if ip.prefix_len() == ip.max_prefix_len() { ip.addr().to_string() } else { ip.to_string() }
}

// === impl Sums ===

impl Aggregator {
    pub fn new(window_ms: u64, max_aggregates: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (active, rollover_paused) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { window_ms, max_aggregates, hasher: RandomState::new(), active, rollover_paused, shards }
    }

    /// Whether sums go on beyond their stretch of time; without an end to it, a store that cannot be written
    /// would have one more of each kind every few seconds.
    pub fn pause_rollover(&self, rollover_paused: bool) {
        self.rollover_paused.store(rollover_paused, Ordering::Release);
    }

    /// Counts a request that came at `now_ms`; whether nothing ran before it.
    pub fn add(
        &self,
        key: AggregateKey<'_>,
        now_ms: u64,
        duration_ms: Option<u64>,
        error: impl FnOnce() -> Option<String>,
    ) -> bool {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        let aggregates = shard.entry(hash).or_default();
        let rollover_paused = self.rollover_paused.load(Ordering::Acquire);
        let active = aggregates
            .iter_mut()
            .find(|aggregate| aggregate.matches(&key) && (rollover_paused || now_ms < aggregate.end_ms));
        if let Some(aggregate) = active {
            count_request(aggregate, duration_ms);
            return false;
        }
        let full = self.active.load(Ordering::Acquire) >= self.max_aggregates;
        if full && key != key.coarsened() {
            if aggregates.is_empty() {
                shard.remove(&hash);
            }
            drop(shard);
            return self.add(key.coarsened(), now_ms, duration_ms, error);
        }
        let end_ms = (now_ms / self.window_ms + 1) * self.window_ms;
        let mut aggregate = Aggregate::new(key, now_ms, end_ms, error());
        count_request(&mut aggregate, duration_ms);
        aggregates.push(aggregate);
        self.active.fetch_add(1, Ordering::AcqRel) == 0
    }

    pub fn is_empty(&self) -> bool {
        self.active.load(Ordering::Acquire) == 0
    }

    /// What has grown or is over by now, and whether it is over; `all`: everything is.
    pub fn drain(&self, now_ms: u64, all: bool) -> Vec<(EntryDocument, bool)> {
        let mut drained = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.locked();
            shard.retain(|_, aggregates| {
                aggregates.retain_mut(|aggregate| {
                    let over = all || now_ms >= aggregate.end_ms;
                    if over || std::mem::take(&mut aggregate.dirty) {
                        drained.push((aggregate.redacted(), over));
                    }
                    self.active.fetch_sub(usize::from(over), Ordering::AcqRel);
                    !over
                });
                !aggregates.is_empty()
            });
        }
        drained
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.locked()
    }
}

fn count_request(aggregate: &mut Aggregate, duration_ms: Option<u64>) {
    aggregate.document.count += 1;
    aggregate.document.duration_ms = aggregate.document.duration_ms.max(duration_ms);
    aggregate.dirty = true;
}
