//! Keeps what is known of the chain over restarts, and has Odoo's audit log checked every few seconds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::chain::{ChainState, Circumstances, Incident, Inspection, KeptChain, Memory};
use super::sender::Sink;
use crate::state::Notes;
use crate::vocab::Clock;

const CHAIN: &str = "audit_chain";
const MARKS: &str = "audit_chain_marks";
const INCIDENTS: &str = "audit_incidents";

/// How often the log is checked, idle or not. A check that takes long, as the log is large, is made less often.
const INTERVAL: Duration = Duration::from_secs(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
const PAUSE_FACTOR: u32 = 10;

const UNKNOWN: u32 = u32::MAX;

/// The retention in days that the administrator has chosen, asked at each check; none: not known.
pub type Retention = Box<dyn Fn() -> Option<u32> + Send + Sync>;

/// What Odoo is asked.
#[derive(Debug, Clone, Default)]
pub struct CheckQuestion {
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
    pub acknowledged: Vec<Acknowledged>,
}

/// An administrator knows of an incident.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged {
    pub id: String,
    pub by: String,
    pub note: String,
}

/// The guard of one chain.
pub struct ChainWatch {
    replica: Uuid,
    notes: Arc<dyn Notes>,
    clock: Clock,
    retention: Retention,
    /// The shortest of this process: what it has deleted is gone for good, whatever is chosen later.
    shortest: AtomicU32,
    memory: Mutex<Option<Memory>>,
    /// Held over a question to Odoo: an answer of before must not be judged by what came after.
    turn: tokio::sync::Mutex<()>,
    /// Rung where something was found: Odoo gets to know at once.
    found: Notify,
}

impl ChainWatch {
    pub fn new(replica: Uuid, notes: Arc<dyn Notes>, clock: Clock, retention: Retention) -> Arc<Self> {
        let (shortest, memory) = (AtomicU32::new(UNKNOWN), Mutex::default());
        let (turn, found) = (tokio::sync::Mutex::default(), Notify::new());
        Arc::new(Self { replica, notes, clock, retention, shortest, memory, turn, found })
    }

    /// Checks the log until `cancel`, also where nothing happens.
    pub async fn follow(self: Arc<Self>, sink: Arc<dyn Sink>, cancel: CancellationToken) {
        let mut after = 0;
        let mut step = async || {
            let begun = Instant::now();
            if self.notes.is_open() {
                after = self.check(&*sink, after).await;
            }
            let pause = (begun.elapsed() * PAUSE_FACTOR).clamp(INTERVAL, LONGEST_INTERVAL);
            let _ = tokio::time::timeout(pause, self.found.notified()).await;
        };
        while cancel.run_until_cancelled(step()).await.is_some() {}
    }

    /// How many incidents no administrator knows of.
    pub fn open_incidents(&self) -> usize {
        let memory = self.memory();
        memory.iter().flat_map(|memory| &memory.incidents).filter(|incident| !incident.acknowledged).count()
    }

    // === for the sender ===

    /// To be held from the question on until `observe`.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The newest number that is kept; none: Odoo has answered none yet.
    pub(super) fn seen(&self) -> Option<u64> {
        self.memory().as_ref()?.chain.as_ref().map(|kept| kept.seen.sequence)
    }

    /// Judges where the chain stands; `newest_ms`: when the newest entry that was just stored was made.
    pub(super) fn observe(&self, state: &ChainState, inspection: &Inspection, newest_ms: Option<u64>) {
        let at = Circumstances {
            replica: self.replica,
            now_ms: self.clock.unix_ms(),
            newest_ms,
            retention_days: self.shortest_retention(),
        };
        let mut memory = self.memory();
        let Some(memory) = memory.as_mut() else { return };
        let marks = |memory: &Memory| (memory.marks.len(), memory.marks.keys().next_back().copied());
        let before = (memory.chain.clone(), marks(memory));
        if memory.chain.is_none() && state.newest.sequence > 0 {
            tracing::warn!(
                sequence = state.newest.sequence,
                "nothing was kept of this sidecar's audit chain: what happened to it before is not known here"
            );
        }
        let found = memory.judge(state, inspection, at);
        for incident in &found {
            let Incident { kind, sequence, missing, .. } = incident;
            tracing::error!(
                ?kind,
                sequence,
                missing,
                "ALARM: the audit log in Odoo was tampered with or restored"
            );
        }
        if before.0 != memory.chain {
            self.keep(CHAIN, &memory.chain);
        }
        if before.1 != marks(memory) {
            self.keep(MARKS, &memory.marks);
        }
        if !found.is_empty() {
            self.keep(INCIDENTS, &memory.incidents);
            self.found.notify_one();
        }
    }

    // === the check ===

    async fn check(&self, sink: &dyn Sink, after: u64) -> u64 {
        let _turn = self.turn().await;
        let question = CheckQuestion { seen: self.seen(), after, incidents: self.incidents() };
        match sink.check(&question).await {
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

    fn incidents(&self) -> Vec<Incident> {
        let memory = self.memory();
        let incidents = memory.iter().flat_map(|memory| &memory.incidents);
        incidents.filter(|incident| !incident.acknowledged).cloned().collect()
    }

    fn acknowledge(&self, acknowledged: &[Acknowledged]) {
        let mut memory = self.memory();
        let Some(memory) = memory.as_mut() else { return };
        for Acknowledged { id, by, note } in acknowledged {
            let open = memory.incidents.iter_mut().find(|known| known.id == *id && !known.acknowledged);
            if let Some(incident) = open {
                incident.acknowledged = true;
                tracing::warn!(?incident.kind, incident.sequence, %by, ?note, "an audit alarm was acknowledged");
            }
        }
        if !acknowledged.is_empty() {
            self.keep(INCIDENTS, &memory.incidents);
        }
    }

    fn shortest_retention(&self) -> Option<u32> {
        // 0 is forever, and hence the longest.
        let days = |days: u32| if days == 0 { UNKNOWN - 1 } else { days };
        let now = (self.retention)().map_or(UNKNOWN, days);
        match self.shortest.fetch_min(now, Ordering::AcqRel).min(now) {
            UNKNOWN => None,
            shortest if shortest == UNKNOWN - 1 => Some(0),
            shortest => Some(shortest),
        }
    }

    /// What is known, read from the notes when they can be.
    fn memory(&self) -> MutexGuard<'_, Option<Memory>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.is_none() && self.notes.is_open() {
            let chain: Option<KeptChain> = self.kept(CHAIN);
            // Of another sidecar nothing counts.
            let own = chain.filter(|kept| kept.replica == self.replica);
            *memory = Some(own.map_or_else(Memory::default, |chain| Memory {
                chain: Some(chain),
                marks: self.kept(MARKS).unwrap_or_default(),
                incidents: self.kept(INCIDENTS).unwrap_or_default(),
            }));
        }
        memory
    }

    fn kept<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(&self.notes.noted(name)?).ok()
    }

    fn keep<T: serde::Serialize>(&self, name: &'static str, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.notes.note(name, text);
        }
    }
}
