//! Tamper detection: compares the audit log in Odoo with the hash chain that this sidecar has stored.
//!
//! Code that runs in Odoo owns the log and can delete, change or recreate entries. The newest sequence number
//! and hash are stored in the state file of the sidecar, out of reach of such code; each answer of Odoo is
//! evaluated against them before it replaces them. A finding becomes an incident: logged once, reported with
//! every check until an administrator acknowledges it, and kept after that so that it is not raised again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::vocab::rfc3339_millis;

/// The most incidents that are kept; the addon accepts no more.
const MAX_INCIDENTS: usize = 32;

/// How far Odoo's clock may be ahead of this one.
const MAX_CLOCK_SKEW_MS: u64 = 10 * 60 * 1000;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The age up to which there is a mark for each hour; beyond, one for each day.
const HOURLY_MARKS_HOURS: u64 = 48;

/// A link of the hash chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    pub sequence: u64,
    pub hash: String,
}

/// The state of the chain in Odoo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainState {
    /// The last link that the retention has deleted.
    pub start: ChainLink,
    /// The newest link according to the counter beside the entries.
    pub tip: ChainLink,
    /// The newest entry that exists.
    pub newest: ChainLink,
    /// The hash at the requested sequence number.
    pub seen: Option<String>,
}

/// The result of an inspection of stored entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The first missing sequence number, and how many are missing.
    pub gap: Option<(u64, u64)>,
    /// The first entry of the inspected window whose hash differs.
    pub changed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// The newest entries are gone.
    Lowered,
    Changed,
    Missing,
    /// Deleted before the retention allows it.
    Deleted,
}

/// A finding that is reported, in the contract's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// A hash of the finding, so that the same finding has the same id.
    pub id: String,
    pub kind: IncidentKind,
    pub sequence: u64,
    pub missing: u64,
    pub time: String,
    #[serde(default)]
    pub acknowledged: bool,
}

/// The newest known link with its creation time, and the last number that the retention has deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredChain {
    /// The owner: a sidecar with a new id begins a new chain.
    pub replica: Uuid,
    pub seen: ChainLink,
    pub time_ms: u64,
    pub start: u64,
}

/// By hour, the first sequence number and its creation time: evidence of what the retention may not delete
/// yet.
pub(super) type HourMarks = BTreeMap<u64, (u64, u64)>;

/// The stored knowledge of the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainRecord {
    pub chain: Option<StoredChain>,
    pub marks: HourMarks,
    pub incidents: Vec<Incident>,
}

/// The context of an evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckContext {
    pub replica: Uuid,
    pub now_ms: u64,
    /// The creation time of the newest entry just delivered.
    pub newest_ms: Option<u64>,
    /// The shortest retention since the start, in days; 0: forever. None: not known.
    pub retention_days: Option<u32>,
}

/// A deviation from the stored chain.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    kind: IncidentKind,
    sequence: u64,
    missing: u64,
    /// Distinguishes findings at the same sequence number.
    hash: String,
}

// === impl ChainRecord ===

impl ChainRecord {
    /// Evaluates an answer, updates the record and returns the new incidents.
    pub(super) fn evaluate(
        &mut self,
        state: &ChainState,
        inspection: &Inspection,
        at: CheckContext,
    ) -> Vec<Incident> {
        let mut findings = self.chain.as_ref().map_or_else(Vec::new, |stored| compare_newest(stored, state));
        if self.deleted_too_early(state, at) {
            let ChainLink { sequence, hash } = state.start.clone();
            findings.push(Finding { kind: IncidentKind::Deleted, sequence, missing: 0, hash });
        }
        findings.extend(inspection.findings());
        self.update(state, at);
        findings.into_iter().filter_map(|finding| self.add_incident(finding, at.now_ms)).collect()
    }

    /// Whether entries younger than the retention were deleted.
    fn deleted_too_early(&self, state: &ChainState, at: CheckContext) -> bool {
        let (Some(stored), Some(days)) = (&self.chain, at.retention_days) else { return false };
        if state.start.sequence <= stored.start {
            return false;
        }
        let deleted = self.marks.values().copied().chain([(stored.seen.sequence, stored.time_ms)]);
        let youngest = deleted
            .filter(|(sequence, _)| *sequence <= state.start.sequence)
            .map(|(_, created)| created)
            .max();
        let age = u64::from(days) * DAY_MS;
        youngest.is_some_and(|created| days == 0 || created + age > at.now_ms + MAX_CLOCK_SKEW_MS)
    }

    fn update(&mut self, state: &ChainState, at: CheckContext) {
        let newest = if state.newest.sequence < state.start.sequence { &state.start } else { &state.newest };
        // While the retention is unknown, deletions cannot be evaluated: done by a later answer.
        let start = match (&self.chain, at.retention_days) {
            (Some(stored), None) => stored.start.min(state.start.sequence),
            _ => state.start.sequence,
        };
        let before = self.chain.as_ref().map(|stored| stored.time_ms);
        let time_ms = at.newest_ms.max(before).unwrap_or(at.now_ms);
        if let Some(created) = at.newest_ms {
            self.add_mark(created, newest.sequence);
        }
        self.marks.retain(|_, (sequence, _)| *sequence > start);
        self.chain = Some(StoredChain { replica: at.replica, seen: newest.clone(), time_ms, start });
    }

    fn add_mark(&mut self, created_ms: u64, sequence: u64) {
        let hour = created_ms / HOUR_MS;
        self.marks.entry(hour).or_insert((sequence, created_ms));
        let mut day = None;
        self.marks.retain(|marked, _| {
            let first_of_day = day.replace(marked / 24) != Some(marked / 24);
            first_of_day || marked + HOURLY_MARKS_HOURS >= hour
        });
    }

    fn add_incident(&mut self, finding: Finding, now_ms: u64) -> Option<Incident> {
        let Finding { kind, sequence, missing, .. } = finding;
        let id = finding.id();
        if self.incidents.iter().any(|known| known.id == id) {
            return None;
        }
        if self.incidents.len() >= MAX_INCIDENTS {
            // The oldest acknowledged one is evicted; if all are open, the new one is dropped.
            let evicted = self.incidents.iter().position(|known| known.acknowledged)?;
            self.incidents.remove(evicted);
        }
        let incident =
            Incident { id, kind, sequence, missing, time: rfc3339_millis(now_ms), acknowledged: false };
        self.incidents.push(incident.clone());
        Some(incident)
    }
}

// === impl Finding ===

impl Finding {
    fn id(&self) -> String {
        let Self { kind, sequence, missing, hash } = self;
        let digest = Sha256::digest(format!("{kind:?} {sequence} {missing} {hash}"));
        hex::encode(digest.get(..16).unwrap_or_default())
    }
}

impl Inspection {
    fn findings(&self) -> impl Iterator<Item = Finding> {
        let finding = |kind, sequence, missing| Finding { kind, sequence, missing, hash: String::new() };
        let gap = self.gap.map(|(first, missing)| finding(IncidentKind::Missing, first, missing));
        let changed = self.changed.map(|sequence| finding(IncidentKind::Changed, sequence, 0));
        gap.into_iter().chain(changed)
    }
}

/// Compares the newest known link with the chain in Odoo.
fn compare_newest(stored: &StoredChain, state: &ChainState) -> Vec<Finding> {
    let ChainLink { sequence, hash } = stored.seen.clone();
    if sequence == 0 {
        return Vec::new();
    }
    let newest = state.newest.sequence.max(state.start.sequence);
    let kind = if newest < sequence || state.tip.sequence < sequence {
        IncidentKind::Lowered
    } else if sequence < state.start.sequence {
        // Deleted: `deleted_too_early` evaluates that.
        return Vec::new();
    } else {
        let found =
            if sequence == state.start.sequence { Some(&state.start.hash) } else { state.seen.as_ref() };
        match found {
            Some(found) if *found == hash => return Vec::new(),
            Some(_) => IncidentKind::Changed,
            None => IncidentKind::Missing,
        }
    };
    // The same id as the gap that an inspection finds.
    let (missing, hash) = if kind == IncidentKind::Missing { (1, String::new()) } else { (0, hash) };
    vec![Finding { kind, sequence, missing, hash }]
}

#[cfg(test)]
mod tests;
