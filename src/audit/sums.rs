//! Counts of requests of the same kind: exact in number, cheap for each of them.
//!
//! A kind is looked up by its hash and compared member by member, so that counting another request of a known
//! kind neither allocates nor waits for a disk. A sum runs until the stretch of time is over in which it began.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use uuid::Uuid;

use super::document::{Document, Status, instant};
use super::mask;
use crate::vocab::{ConnectionId, UserId};

/// Locks, so that requests on several threads seldom meet.
const SHARDS: usize = 16;

/// What requests of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
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
pub(super) struct Sums {
    window_ms: u64,
    most: usize,
    hasher: RandomState,
    running: AtomicUsize,
    /// Sums go on beyond their stretch of time, since they cannot be kept.
    held: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
}

/// Sums by hash; two kinds may have the same.
type Shard = HashMap<u64, Vec<Sum>>;

#[derive(Debug)]
struct Sum {
    document: Document,
    ip: Option<IpNet>,
    /// When its stretch of time is over.
    end_ms: u64,
    /// It has grown since it was last taken.
    grown: bool,
}

// === impl Key ===

impl Key<'_> {
    /// The kind of all requests that ended so.
    pub fn of(status: Status, reason: Option<&str>) -> Key<'_> {
        Key {
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
    fn coarse(self) -> Self {
        Self { connection: self.connection, user: self.user, ..Key::of(self.status, self.reason) }
    }
}

// === impl Sum ===

impl Sum {
    fn new(key: Key<'_>, first_ms: u64, end_ms: u64, error: Option<String>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let document = Document {
            id: Uuid::now_v7(),
            time: instant(first_ms),
            method: owned(key.method),
            tool: owned(key.tool),
            model: None,
            res_ids: Vec::new(),
            connection: key.connection,
            user: key.user,
            session: owned(key.session),
            client: owned(key.client),
            ip: key.ip.map(told),
            status: key.status,
            reason: owned(key.reason),
            error,
            duration_ms: None,
            count: 0,
            call_id: None,
            request: None,
            response: None,
        };
        Self { document, ip: key.ip, end_ms, grown: true }
    }

    /// As it may be kept: clients choose some of these words.
    fn masked(&self) -> Document {
        let mut document = self.document.clone();
        for word in [&mut document.method, &mut document.tool, &mut document.client] {
            *word = word.as_deref().map(mask::name);
        }
        document
    }

    fn is(&self, key: &Key<'_>) -> bool {
        let own = &self.document;
        let known = Key {
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
fn told(ip: IpNet) -> String {
    if ip.prefix_len() == ip.max_prefix_len() { ip.addr().to_string() } else { ip.to_string() }
}

// === impl Sums ===

impl Sums {
    pub fn new(window_ms: u64, most: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (running, held) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { window_ms, most, hasher: RandomState::new(), running, held, shards }
    }

    /// Whether sums go on beyond their stretch of time; without an end to it, a store that cannot be written
    /// would have one more of each kind every few seconds.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Release);
    }

    /// Counts a request that came at `now_ms`; whether nothing ran before it.
    pub fn add(
        &self,
        key: Key<'_>,
        now_ms: u64,
        took_ms: Option<u64>,
        error: impl FnOnce() -> Option<String>,
    ) -> bool {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        let sums = shard.entry(hash).or_default();
        let held = self.held.load(Ordering::Acquire);
        let running = sums.iter_mut().find(|sum| sum.is(&key) && (held || now_ms < sum.end_ms));
        if let Some(sum) = running {
            count(sum, took_ms);
            return false;
        }
        let full = self.running.load(Ordering::Acquire) >= self.most;
        if full && key != key.coarse() {
            if sums.is_empty() {
                shard.remove(&hash);
            }
            drop(shard);
            return self.add(key.coarse(), now_ms, took_ms, error);
        }
        let end_ms = (now_ms / self.window_ms + 1) * self.window_ms;
        let mut sum = Sum::new(key, now_ms, end_ms, error());
        count(&mut sum, took_ms);
        sums.push(sum);
        self.running.fetch_add(1, Ordering::AcqRel) == 0
    }

    pub fn is_empty(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    /// What has grown or is over by now, and whether it is over; `all`: everything is.
    pub fn take(&self, now_ms: u64, all: bool) -> Vec<(Document, bool)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, sums| {
                sums.retain_mut(|sum| {
                    let over = all || now_ms >= sum.end_ms;
                    if over || std::mem::take(&mut sum.grown) {
                        taken.push((sum.masked(), over));
                    }
                    self.running.fetch_sub(usize::from(over), Ordering::AcqRel);
                    !over
                });
                !sums.is_empty()
            });
        }
        taken
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(sum: &mut Sum, took_ms: Option<u64>) {
    sum.document.count += 1;
    sum.document.duration_ms = sum.document.duration_ms.max(took_ms);
    sum.grown = true;
}
