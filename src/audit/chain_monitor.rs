//! Keeps what is known of the chain over restarts, and has Odoo's audit log checked every few seconds.

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

/// How often the log is checked, idle or not. A check that takes long, as the log is large, is made less often.
const MIN_CHECK_INTERVAL: Duration = Duration::from_secs(5);
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(15);
const CHECK_PAUSE_FACTOR: u32 = 10;

const RETENTION_UNKNOWN: u32 = u32::MAX;

/// The retention in days that the administrator has chosen, asked at each check; none: not known.
pub type RetentionDays = Box<dyn Fn() -> Option<u32> + Send + Sync>;

/// What Odoo is asked.
#[derive(Debug, Clone, Default)]
pub struct CheckRequest {
    pub seen: Option<u64>,
    pub after: u64,
    pub incidents: Vec<Incident>,
}

/// What Odoo answers.
#[derive(Debug, Clone, Default)]
pub struct CheckAnswer {
    pub state: ChainState,
    pub inspection: Inspection,
    pub next: u64,
    pub acknowledged: Vec<Acknowledgement>,
}

/// An administrator knows of an incident.
#[derive(Debug, Clone, Default)]
pub struct Acknowledgement {
    pub id: String,
    pub by: String,
    pub note: String,
}

/// The guard of one chain.
pub struct ChainMonitor {
    replica: Uuid,
    store: Arc<dyn KeyValueStore>,
    clock: Clock,
    retention: RetentionDays,
    /// The shortest of this process: what it has deleted is gone for good, whatever is chosen later.
    shortest_retention: AtomicU32,
    record: Mutex<Option<ChainRecord>>,
    /// Held over a question to Odoo: an answer of before must not be judged by what came after.
    exchange: tokio::sync::Mutex<()>,
    /// Rung where something was found: Odoo gets to know at once.
    incident_found: Notify,
}

impl ChainMonitor {
    pub fn new(
        replica: Uuid,
        notes: Arc<dyn KeyValueStore>,
        clock: Clock,
        retention: RetentionDays,
    ) -> Arc<Self> {
        let (shortest, record) = (AtomicU32::new(RETENTION_UNKNOWN), Mutex::default());
        let (turn, found) = (tokio::sync::Mutex::default(), Notify::new());
        Arc::new(Self {
            replica,
            store: notes,
            clock,
            retention,
            shortest_retention: shortest,
            record,
            exchange: turn,
            incident_found: found,
        })
    }

    /// Checks the log until `cancel`, also where nothing happens.
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

    /// How many incidents no administrator knows of.
    pub fn open_incidents(&self) -> usize {
        let record = self.record();
        record.iter().flat_map(|record| &record.incidents).filter(|incident| !incident.acknowledged).count()
    }

    // === for the sender ===

    /// To be held from the question on until `observe`.
    pub(super) async fn begin_exchange(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.exchange.lock().await
    }

    /// The newest number that is kept; none: Odoo has answered none yet.
    pub(super) fn known_sequence(&self) -> Option<u64> {
        self.record().as_ref()?.chain.as_ref().map(|stored| stored.seen.sequence)
    }

    /// Judges where the chain stands; `newest_ms`: when the newest entry that was just stored was made.
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
                "nothing was kept of this sidecar's audit chain: what happened to it before is not known here"
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

    /// What is known, read from the notes when they can be.
    fn record(&self) -> MutexGuard<'_, Option<ChainRecord>> {
        let mut record = self.record.locked();
        if record.is_none() && self.store.is_open() {
            let chain: Option<StoredChain> = self.load(CHAIN_KEY);
            // Of another sidecar nothing counts.
            let own = chain.filter(|stored| stored.replica == self.replica);
            *record = Some(own.map_or_else(ChainRecord::default, |chain| ChainRecord {
                chain: Some(chain),
                marks: self.load(MARKS_KEY).unwrap_or_default(),
                incidents: self.load(INCIDENTS_KEY).unwrap_or_default(),
            }));
        }
        record
    }

    fn load<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(&self.store.get(name)?).ok()
    }

    fn save<T: serde::Serialize>(&self, name: &'static str, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.store.set(name, text);
        }
    }
}
