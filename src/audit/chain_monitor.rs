//! The chain monitor: persists the chain record, and has Odoo check its audit log every few seconds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::chain::{ChainRecord, ChainState, CheckContext, Incident, Inspection, StoredChain};
use super::sender::AuditSink;
use crate::state::KeyValueStore;
use crate::vocab::{Clock, MutexExt};

const CHAIN_KEY: &str = "audit_chain";
const MARKS_KEY: &str = "audit_chain_marks";
const INCIDENTS_KEY: &str = "audit_incidents";

/// The check interval, idle or not: a multiple of the duration of the last check, within these bounds.
const MIN_CHECK_INTERVAL: Duration = Duration::from_secs(5);
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(15);
const CHECK_PAUSE_FACTOR: u32 = 10;

const RETENTION_UNKNOWN: u32 = u32::MAX;

/// The retention in days that is configured, read at each check; none: not known.
pub(super) type RetentionDays = Box<dyn Fn() -> Option<u32> + Send + Sync>;

/// A check request to Odoo.
#[derive(Debug, Clone, Default)]
pub struct CheckRequest {
    pub seen: Option<u64>,
    pub after: u64,
    pub incidents: Vec<Incident>,
}

/// The answer to a check.
#[derive(Debug, Clone, Default)]
pub struct CheckAnswer {
    pub state: ChainState,
    pub inspection: Inspection,
    pub next: u64,
    pub acknowledged: Vec<Acknowledgement>,
}

/// An incident that an administrator has acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Acknowledgement {
    pub id: String,
    pub by: String,
    pub note: String,
}

/// The monitor of this sidecar's hash chain.
pub struct ChainMonitor {
    replica: Uuid,
    store: Arc<dyn KeyValueStore>,
    clock: Clock,
    retention: RetentionDays,
    /// The shortest retention seen by this process: its deletions stay valid when a longer one is set later.
    shortest_retention: AtomicU32,
    record: Mutex<Option<ChainRecord>>,
    /// Held during an exchange with Odoo: an answer must not be evaluated against a record newer than its
    /// request.
    exchange: tokio::sync::Mutex<()>,
    /// Notified with a new incident, so that it is reported at once.
    incident_found: Notify,
}

impl ChainMonitor {
    pub fn new(
        replica: Uuid,
        store: Arc<dyn KeyValueStore>,
        clock: Clock,
        retention: RetentionDays,
    ) -> Arc<Self> {
        Arc::new(Self {
            replica,
            store,
            clock,
            retention,
            shortest_retention: AtomicU32::new(RETENTION_UNKNOWN),
            record: Mutex::default(),
            exchange: tokio::sync::Mutex::default(),
            incident_found: Notify::new(),
        })
    }

    /// Checks the log periodically until `cancel`.
    pub async fn run_checks(self: Arc<Self>, sink: Arc<dyn AuditSink>, cancel: CancellationToken) {
        let mut after = 0;
        let mut step = async || {
            let started = Instant::now();
            if self.store.is_open() {
                after = self.check(&*sink, after).await;
            }
            let pause =
                (started.elapsed() * CHECK_PAUSE_FACTOR).clamp(MIN_CHECK_INTERVAL, MAX_CHECK_INTERVAL);
            let _ = tokio::time::timeout(pause, self.incident_found.notified()).await;
        };
        while cancel.run_until_cancelled(step()).await.is_some() {}
    }

    /// The number of unacknowledged incidents.
    pub fn open_incidents(&self) -> usize {
        let record = self.record();
        record.iter().flat_map(|record| &record.incidents).filter(|incident| !incident.acknowledged).count()
    }

    // === for the sender ===

    /// Locks the exchange: held from the request until `observe`.
    pub(super) async fn begin_exchange(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.exchange.lock().await
    }

    /// The newest stored sequence number; none before the first answer of Odoo.
    pub(super) fn known_sequence(&self) -> Option<u64> {
        self.record().as_ref()?.chain.as_ref().map(|stored| stored.seen.sequence)
    }

    /// Evaluates the state of the chain; `newest_ms`: the creation time of the newest entry just stored.
    pub(super) fn observe(&self, state: &ChainState, inspection: &Inspection, newest_ms: Option<u64>) {
        let at = CheckContext {
            replica: self.replica,
            now_ms: self.clock.unix_ms(),
            newest_ms,
            retention_days: self.shortest_retention(),
        };
        let mut record = self.record();
        let Some(record) = record.as_mut() else { return };
        let marks = |record: &ChainRecord| (record.marks.len(), record.marks.keys().next_back().copied());
        let before = (record.chain.clone(), marks(record));
        if record.chain.is_none() && state.newest.sequence > 0 {
            tracing::warn!(
                sequence = state.newest.sequence,
                "no record of this sidecar's audit chain is stored: earlier tampering cannot be detected"
            );
        }
        let found = record.evaluate(state, inspection, at);
        for incident in &found {
            let Incident { kind, sequence, missing, .. } = incident;
            tracing::error!(
                ?kind,
                sequence,
                missing,
                "ALARM: the audit log in Odoo was tampered with or restored"
            );
        }
        if before.0 != record.chain {
            self.save(CHAIN_KEY, &record.chain);
        }
        if before.1 != marks(record) {
            self.save(MARKS_KEY, &record.marks);
        }
        if !found.is_empty() {
            self.save(INCIDENTS_KEY, &record.incidents);
            self.incident_found.notify_one();
        }
    }

    // === the check ===

    async fn check(&self, sink: &dyn AuditSink, after: u64) -> u64 {
        let _exchange = self.begin_exchange().await;
        let request = CheckRequest { seen: self.known_sequence(), after, incidents: self.unacknowledged() };
        match sink.check(&request).await {
            Ok(answer) => {
                self.observe(&answer.state, &answer.inspection, None);
                self.acknowledge(&answer.acknowledged);
                answer.next
            }
            Err(error) => {
                tracing::debug!(?error, "the audit log could not be checked");
                after
            }
        }
    }

    fn unacknowledged(&self) -> Vec<Incident> {
        let record = self.record();
        let incidents = record.iter().flat_map(|record| &record.incidents);
        incidents.filter(|incident| !incident.acknowledged).cloned().collect()
    }

    fn acknowledge(&self, acknowledged: &[Acknowledgement]) {
        let mut record = self.record();
        let Some(record) = record.as_mut() else { return };
        for Acknowledgement { id, by, note } in acknowledged {
            let open = record.incidents.iter_mut().find(|known| known.id == *id && !known.acknowledged);
            if let Some(incident) = open {
                incident.acknowledged = true;
                tracing::warn!(?incident.kind, incident.sequence, %by, ?note, "an audit alarm was acknowledged");
            }
        }
        if !acknowledged.is_empty() {
            self.save(INCIDENTS_KEY, &record.incidents);
        }
    }

    fn shortest_retention(&self) -> Option<u32> {
        // 0 is forever, and hence the longest.
        let days = |days: u32| if days == 0 { RETENTION_UNKNOWN - 1 } else { days };
        let now = (self.retention)().map_or(RETENTION_UNKNOWN, days);
        match self.shortest_retention.fetch_min(now, Ordering::AcqRel).min(now) {
            RETENTION_UNKNOWN => None,
            shortest if shortest == RETENTION_UNKNOWN - 1 => Some(0),
            shortest => Some(shortest),
        }
    }

    /// The record, loaded from the store once it is open.
    fn record(&self) -> MutexGuard<'_, Option<ChainRecord>> {
        let mut record = self.record.locked();
        if record.is_none() && self.store.is_open() {
            let chain: Option<StoredChain> = self.load(CHAIN_KEY);
            // The record of another sidecar is ignored.
            let own = chain.filter(|stored| stored.replica == self.replica);
            *record = Some(own.map_or_else(ChainRecord::default, |chain| ChainRecord {
                chain: Some(chain),
                marks: self.load(MARKS_KEY).unwrap_or_default(),
                incidents: self.load(INCIDENTS_KEY).unwrap_or_default(),
            }));
        }
        record
    }

    fn load<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(&self.store.get(key)?).ok()
    }

    fn save<T: serde::Serialize>(&self, key: &'static str, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.store.set(key, text);
        }
    }
}
