//! Aggregation: counts requests of the same kind in one entry, exact in number and cheap for each request.
//!
//! A kind is looked up by its hash and compared member by member, so that counting another request of a known
//! kind neither allocates nor waits for a disk. An aggregate runs until the end of the time window in which
//! it began.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use ipnet::IpNet;
use uuid::Uuid;

use super::document::{EntryDocument, Status};
use super::redact;
use crate::vocab::{ConnectionId, MutexExt, UserId, rfc3339_millis};

/// The number of locks, so that threads seldom contend.
const SHARDS: usize = 16;

/// The kind: the members that requests of one aggregate have in common.
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

/// The running aggregates.
#[derive(Debug)]
pub(super) struct Aggregator {
    window_ms: u64,
    max_aggregates: usize,
    hasher: RandomState,
    active: AtomicUsize,
    /// Aggregates continue beyond their window, while they cannot be written.
    rollover_paused: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
}

/// Aggregates by hash; two kinds may share one.
type Shard = HashMap<u64, Vec<Aggregate>>;

#[derive(Debug)]
struct Aggregate {
    document: EntryDocument,
    ip: Option<IpNet>,
    /// The end of its window.
    end_ms: u64,
    /// It has changed since the last `drain`.
    dirty: bool,
}

// === impl AggregateKey ===

impl AggregateKey<'_> {
    /// The kind of all requests with this outcome.
    pub(super) fn of_outcome(status: Status, reason: Option<&str>) -> AggregateKey<'_> {
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

    /// The coarser kind that is used when there are too many: only members of low cardinality.
    fn coarsened(self) -> Self {
        Self {
            connection: self.connection,
            user: self.user,
            ..AggregateKey::of_outcome(self.status, self.reason)
        }
    }
}

// === impl Aggregate ===

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

    /// The document with redacted names, since clients choose them.
    fn redacted(&self) -> EntryDocument {
        let mut document = self.document.clone();
        for name in [&mut document.method, &mut document.tool, &mut document.client] {
            *name = name.as_deref().map(redact::name);
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

/// An address alone, or a network in CIDR notation.
fn ip_text(ip: IpNet) -> String {
    if ip.prefix_len() == ip.max_prefix_len() { ip.addr().to_string() } else { ip.to_string() }
}

// === impl Aggregator ===

impl Aggregator {
    pub(super) fn new(window_ms: u64, max_aggregates: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (active, rollover_paused) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { window_ms, max_aggregates, hasher: RandomState::new(), active, rollover_paused, shards }
    }

    /// Pauses the rollover to new windows; otherwise, while the store cannot be written, each kind would get
    /// one more aggregate every few seconds.
    pub(super) fn pause_rollover(&self, rollover_paused: bool) {
        self.rollover_paused.store(rollover_paused, Ordering::Release);
    }

    /// Counts a request that arrived at `now_ms`; returns whether its aggregate is the only one.
    pub(super) fn add(
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

    pub(super) fn is_empty(&self) -> bool {
        self.active.load(Ordering::Acquire) == 0
    }

    /// Drains the aggregates that have changed or ended, each with whether it has ended; `all` ends every
    /// one.
    pub(super) fn drain(&self, now_ms: u64, all: bool) -> Vec<(EntryDocument, bool)> {
        let mut drained = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.locked();
            shard.retain(|_, aggregates| {
                aggregates.retain_mut(|aggregate| {
                    let ended = all || now_ms >= aggregate.end_ms;
                    if ended || std::mem::take(&mut aggregate.dirty) {
                        drained.push((aggregate.redacted(), ended));
                    }
                    self.active.fetch_sub(usize::from(ended), Ordering::AcqRel);
                    !ended
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
