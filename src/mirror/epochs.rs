//! Cache invalidation by epochs: when each connection last changed, and the token that ends its streams and sessions.
//!
//! Changes are numbered. Each request carries the epoch at which it was sent; its answer is stale if the connection
//! changed since, however late it arrives. So an `authenticate` that was under way while its connection was revoked
//! is never served.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio_util::sync::CancellationToken;

use crate::vocab::{Clock, ConnectionId};

/// Retention of a change: longer than any answer can be under way or cached.
const CHANGE_RETENTION_MS: u64 = 600_000;
/// A bound on memory: more tokens than this end all streams, which then reconnect.
const MAX_TOKENS: usize = 100_000;

/// The number of a change, or of the last one before a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

#[derive(Debug)]
pub(super) struct ConnectionEpochs {
    clock: Clock,
    retention_ms: u64,
    epoch: AtomicU64,
    /// Answers from before this epoch are stale.
    floor: AtomicU64,
    changes: DashMap<ConnectionId, Change>,
    /// A cancelled token stays until the connection is revalidated: a request in between finds the cancelled one.
    tokens: DashMap<ConnectionId, CancellationToken>,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    epoch: u64,
    at_ms: u64,
}

impl ConnectionEpochs {
    /// `ttl_ms`: how long answers are cached.
    pub(super) fn new(clock: Clock, ttl_ms: u64) -> Self {
        Self {
            clock,
            retention_ms: CHANGE_RETENTION_MS.max(ttl_ms.saturating_mul(2)),
            epoch: AtomicU64::new(1),
            floor: AtomicU64::new(0),
            changes: DashMap::new(),
            tokens: DashMap::new(),
        }
    }

    /// The current epoch; taken before a request is sent.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// Whether an answer about `connection`, requested at `epoch`, is not stale.
    pub(super) fn is_current(&self, connection: ConnectionId, epoch: Epoch) -> bool {
        epoch.0 >= self.floor.load(Ordering::SeqCst)
            && self.changes.get(&connection).is_none_or(|change| change.epoch <= epoch.0)
    }

    /// Records a change or revocation of the connection; answers its epoch.
    pub(super) fn invalidate(&self, connection: ConnectionId) -> Epoch {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        self.changes.insert(connection, Change { epoch, at_ms: self.clock.age_ms() });
        if let Some(token) = self.tokens.get(&connection) {
            token.cancel();
        }
        Epoch(epoch)
    }

    /// Records that anything may have changed.
    pub(super) fn invalidate_all(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        self.floor.store(epoch, Ordering::SeqCst);
        self.changes.retain(|_, change| change.epoch > epoch);
        for token in &self.tokens {
            token.cancel();
        }
    }

    /// Renews the token of a connection that Odoo authenticated, requested at `epoch`.
    pub(super) fn revalidate(&self, connection: ConnectionId, epoch: Epoch) {
        let mut token = self.tokens.entry(connection).or_default();
        if token.is_cancelled() && self.is_current(connection, epoch) {
            *token = CancellationToken::new();
        }
    }

    pub(super) fn token(&self, connection: ConnectionId) -> CancellationToken {
        self.tokens.entry(connection).or_default().clone()
    }

    /// Removes changes older than any answer, and the cancelled tokens with them.
    pub(super) fn remove_expired(&self) {
        let now = self.clock.age_ms();
        self.changes.retain(|_, change| now.saturating_sub(change.at_ms) < self.retention_ms);
        self.tokens
            .retain(|connection, token| !token.is_cancelled() || self.changes.contains_key(connection));
        if self.tokens.len() > MAX_TOKENS {
            for token in &self.tokens {
                token.cancel();
            }
            self.tokens.clear();
        }
    }

    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        (self.changes.len(), self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const TWO: ConnectionId = ConnectionId(2);

    #[test]
    fn an_answer_older_than_a_change_is_stale() {
        let epochs = ConnectionEpochs::new(Clock::system(), 60_000);
        let before = epochs.epoch();
        assert!(epochs.is_current(ONE, before));
        epochs.invalidate(ONE);
        assert!(!epochs.is_current(ONE, before) && epochs.is_current(TWO, before));
        assert!(epochs.is_current(ONE, epochs.epoch()));
        epochs.invalidate_all();
        assert!(!epochs.is_current(TWO, before) && epochs.is_current(TWO, epochs.epoch()));
    }

    #[test]
    fn a_token_is_cancelled_with_its_connection_and_renewed_by_revalidation() {
        let epochs = ConnectionEpochs::new(Clock::system(), 60_000);
        let (before, other) = (epochs.token(ONE), epochs.token(TWO));
        let late = epochs.epoch();
        epochs.invalidate(ONE);
        assert!(before.is_cancelled() && !other.is_cancelled());
        // A request that resolved the connection just before gets the cancelled token, not a new one.
        assert!(epochs.token(ONE).is_cancelled());
        epochs.revalidate(ONE, late);
        assert!(epochs.token(ONE).is_cancelled());
        epochs.revalidate(ONE, epochs.epoch());
        assert!(!epochs.token(ONE).is_cancelled());
    }

    #[test]
    fn expired_changes_and_their_tokens_are_removed() {
        let clock = Clock::manual_at(0);
        let epochs = ConnectionEpochs::new(clock.clone(), 60_000);
        epochs.revalidate(ONE, epochs.epoch());
        epochs.revalidate(TWO, epochs.epoch());
        epochs.invalidate(ONE);
        epochs.remove_expired();
        assert_eq!(epochs.size(), (1, 2));
        clock.advance(Duration::from_millis(CHANGE_RETENTION_MS));
        epochs.remove_expired();
        assert_eq!(epochs.size(), (0, 1));
    }
}
