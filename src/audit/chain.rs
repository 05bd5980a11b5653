//! Tamper detection: compares the audit log in Odoo with what this sidecar knows of its own hash chain.
//!
//! Code that runs in Odoo owns the log and can delete from it, change it or make it anew. The newest number and
//! hash are kept here, in the state file, where no such code reaches; each answer of Odoo is judged by them before
//! it replaces them. What was found is an incident: logged once, reported with every check until an administrator
//! has acknowledged it, and kept after that so that it is not found again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::vocab::rfc3339_millis;

/// How many incidents are kept; the addon takes no more.
const MAX_INCIDENTS: usize = 32;

/// Odoo's clock may be so far ahead of this one.
const MAX_CLOCK_SKEW_MS: u64 = 10 * 60 * 1000;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// For so long each hour has a mark, then each day.
const HOURLY_MARKS_HOURS: u64 = 48;

/// A place in the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    pub sequence: u64,
    pub hash: String,
}

/// Where the chain stands in Odoo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainState {
    /// The retention has deleted up to here.
    pub start: ChainLink,
    /// The newest entry that was stored, as noted apart from the entries.
    pub tip: ChainLink,
    /// The newest entry that there is.
    pub newest: ChainLink,
    /// The hash at the number that was asked for.
    pub seen: Option<String>,
}

/// What a check answers besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The first missing number, and how many are missing.
    pub gap: Option<(u64, u64)>,
    /// The first entry that is not as it was stored, among those that were hashed again.
    pub changed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// The newest entries are gone.
    Lowered,
    Changed,
    Missing,
    /// Earlier than the retention deletes.
    Deleted,
}

/// What was found, in the contract's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Made of what was found, so that it is the same when it is found again.
    pub id: String,
    pub kind: IncidentKind,
    pub sequence: u64,
    pub missing: u64,
    pub time: String,
    #[serde(default)]
    pub acknowledged: bool,
}

/// The newest entry that is known, and when it was made; up to where the retention has deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredChain {
    /// Whose chain it is: a sidecar that got another id begins another one.
    pub replica: Uuid,
    pub seen: ChainLink,
    pub time_ms: u64,
    pub start: u64,
}

/// The first number of an hour, and when it was made: what the retention must not have deleted yet.
pub(super) type HourMarks = BTreeMap<u64, (u64, u64)>;

/// What is kept of the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainRecord {
    pub chain: Option<StoredChain>,
    pub marks: HourMarks,
    pub incidents: Vec<Incident>,
}

/// What is known at the time of a judgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckContext {
    pub replica: Uuid,
    pub now_ms: u64,
    /// When the newest entry that was just handed on was made.
    pub newest_ms: Option<u64>,
    /// The shortest retention that was in force lately, in days; 0: forever. None: not known.
    pub retention_days: Option<u32>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    kind: IncidentKind,
    sequence: u64,
    missing: u64,
    /// Distinguishes findings at the same number at different times.
    hash: String,
}

// === impl Memory ===

impl ChainRecord {
    /// Judges an answer, takes over what it says and answers the new incidents.
    pub fn evaluate(
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

    /// Whether entries are gone that are younger than the retention.
    fn deleted_too_early(&self, state: &ChainState, at: CheckContext) -> bool {
        let (Some(stored), Some(days)) = (&self.chain, at.retention_days) else { return false };
        if state.start.sequence <= stored.start {
            return false;
        }
        let deleted = self.marks.values().copied().chain([(stored.seen.sequence, stored.time_ms)]);
        let youngest =
            deleted.filter(|(sequence, _)| *sequence <= state.start.sequence).map(|(_, time)| time).max();
        let age = u64::from(days) * DAY_MS;
        youngest.is_some_and(|made| days == 0 || made + age > at.now_ms + MAX_CLOCK_SKEW_MS)
    }

    fn update(&mut self, state: &ChainState, at: CheckContext) {
        let newest = if state.newest.sequence < state.start.sequence { &state.start } else { &state.newest };
        // Without the retention nothing can be said of what it deleted: later.
        let start = match (&self.chain, at.retention_days) {
            (Some(stored), None) => stored.start.min(state.start.sequence),
            _ => state.start.sequence,
        };
        let before = self.chain.as_ref().map(|stored| stored.time_ms);
        let time_ms = at.newest_ms.max(before).unwrap_or(at.now_ms);
        if let Some(made) = at.newest_ms {
            self.add_mark(made, newest.sequence);
        }
        self.marks.retain(|_, (sequence, _)| *sequence > start);
        self.chain = Some(StoredChain { replica: at.replica, seen: newest.clone(), time_ms, start });
    }

    fn add_mark(&mut self, made_ms: u64, sequence: u64) {
        let hour = made_ms / HOUR_MS;
        self.marks.entry(hour).or_insert((sequence, made_ms));
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
            // The oldest that is over makes room; where all are open, there are alarms enough.
            let over = self.incidents.iter().position(|known| known.acknowledged)?;
            self.incidents.remove(over);
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

/// What is wrong with the newest entry that is known.
fn compare_newest(stored: &StoredChain, state: &ChainState) -> Vec<Finding> {
    let ChainLink { sequence, hash } = stored.seen.clone();
    if sequence == 0 {
        return Vec::new();
    }
    let there = state.newest.sequence.max(state.start.sequence);
    let kind = if there < sequence || state.tip.sequence < sequence {
        IncidentKind::Lowered
    } else if sequence < state.start.sequence {
        // Deleted, whether or not it was time.
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
    // As the count of the missing would be found.
    let (missing, hash) = if kind == IncidentKind::Missing { (1, String::new()) } else { (0, hash) };
    vec![Finding { kind, sequence, missing, hash }]
}

#[cfg(test)]
mod tests;
