//! Every way to tamper with the log, and the legitimate changes that must not raise an incident.

use super::*;

const NOW: u64 = 1_795_435_200_000;

fn link(sequence: u64) -> ChainLink {
    ChainLink { sequence, hash: if sequence == 0 { String::new() } else { format!("hash of {sequence}") } }
}

/// A chain from `start` to `newest`, with the hash at `seen`.
fn state(start: u64, newest: u64, seen: u64) -> ChainState {
    let exists = seen > start && seen <= newest;
    ChainState {
        start: link(start),
        tip: link(newest.max(start)),
        newest: link(if newest > start { newest } else { 0 }),
        seen: exists.then(|| link(seen).hash),
    }
}

fn at(now_ms: u64) -> CheckContext {
    CheckContext { replica: Uuid::nil(), now_ms, newest_ms: None, retention_days: Some(90) }
}

/// The record of a chain of that length, created at `created_ms`.
fn record_of(sequence: u64, created_ms: u64) -> ChainRecord {
    let mut record = ChainRecord::default();
    let at = CheckContext { newest_ms: Some(created_ms), ..at(created_ms) };
    assert!(record.evaluate(&state(0, sequence, 0), &Inspection::default(), at).is_empty());
    record
}

fn evaluated(record: &mut ChainRecord, state: &ChainState, at: CheckContext) -> Vec<(IncidentKind, u64)> {
    let found = record.evaluate(state, &Inspection::default(), at);
    found.into_iter().map(|incident| (incident.kind, incident.sequence)).collect()
}

fn stored_sequence(record: &ChainRecord) -> u64 {
    record.chain.as_ref().unwrap().seen.sequence
}

#[test]
fn a_growing_chain_is_no_incident() {
    let mut record = record_of(5, NOW);
    assert!(evaluated(&mut record, &state(0, 5, 5), at(NOW)).is_empty());
    assert!(evaluated(&mut record, &state(0, 9, 5), at(NOW)).is_empty());
    assert_eq!(stored_sequence(&record), 9);
    // The first answer, and a database without an entry.
    let mut fresh = ChainRecord::default();
    assert!(evaluated(&mut fresh, &state(3, 70, 0), at(NOW)).is_empty());
    let mut fresh = ChainRecord::default();
    assert!(evaluated(&mut fresh, &state(0, 0, 0), at(NOW)).is_empty());
    assert!(evaluated(&mut fresh, &state(0, 0, 0), at(NOW)).is_empty());
    assert!(evaluated(&mut fresh, &state(0, 2, 0), at(NOW)).is_empty());
}

#[test]
fn deletion_of_the_newest_entries_is_detected() {
    for newest in [0, 1, 4] {
        let mut record = record_of(5, NOW);
        let found = evaluated(&mut record, &state(0, newest, 5), at(NOW));
        assert_eq!(found, [(IncidentKind::Lowered, 5)]);
        // Once; the rest of the chain is still monitored.
        assert!(evaluated(&mut record, &state(0, newest, newest), at(NOW)).is_empty());
        assert_eq!(stored_sequence(&record), newest);
    }
    // The entry alone, and the checkpoint alone.
    let mut entry = record_of(5, NOW);
    let only = ChainState { tip: link(5), ..state(0, 4, 5) };
    assert_eq!(evaluated(&mut entry, &only, at(NOW)), [(IncidentKind::Lowered, 5)]);
    let mut checkpoint = record_of(5, NOW);
    let only = ChainState { tip: link(4), ..state(0, 5, 5) };
    assert_eq!(evaluated(&mut checkpoint, &only, at(NOW)), [(IncidentKind::Lowered, 5)]);
}

#[test]
fn a_changed_hash_or_a_gap_is_detected_even_after_later_entries() {
    for newest in [5, 8] {
        let mut changed = record_of(5, NOW);
        let other = ChainState { seen: Some("another".to_owned()), ..state(0, newest, 5) };
        assert_eq!(evaluated(&mut changed, &other, at(NOW)), [(IncidentKind::Changed, 5)]);
    }
    let mut gap = record_of(5, NOW);
    let other = ChainState { seen: None, ..state(0, 8, 5) };
    assert_eq!(evaluated(&mut gap, &other, at(NOW)), [(IncidentKind::Missing, 5)]);
    // The same gap as an inspection finds it.
    let inspection = Inspection { gap: Some((5, 1)), changed: None };
    assert!(gap.evaluate(&state(0, 8, 8), &inspection, at(NOW)).is_empty());
}

#[test]
fn gaps_and_changes_are_incidents_once_and_grown_ones_again() {
    let mut record = record_of(5, NOW);
    let mut evaluate =
        |gap, changed| record.evaluate(&state(0, 5, 5), &Inspection { gap, changed }, at(NOW)).len();
    assert_eq!((evaluate(Some((2, 1)), None), evaluate(Some((2, 1)), None)), (1, 0));
    assert_eq!((evaluate(Some((2, 2)), None), evaluate(None, None)), (1, 0));
    assert_eq!((evaluate(None, Some(3)), evaluate(None, Some(3)), evaluate(None, Some(4))), (1, 0, 1));
}

#[test]
fn retention_is_no_incident_and_early_deletion_is() {
    let days = |days: u64| NOW + days * DAY_MS;
    // An entry a day, for a hundred days; every entry is of its own hour.
    let mut record = ChainRecord::default();
    for day in 0..100 {
        let at = CheckContext { newest_ms: Some(days(day)), ..at(days(day)) };
        assert!(evaluated(&mut record, &state(0, day + 1, day), at).is_empty());
    }
    // The entries of the first nine days are older than ninety days.
    assert!(evaluated(&mut record.clone(), &state(9, 100, 100), at(days(99) + HOUR_MS)).is_empty());
    let early = evaluated(&mut record.clone(), &state(12, 100, 100), at(days(99) + HOUR_MS));
    assert_eq!(early, [(IncidentKind::Deleted, 12)]);
    // All of them, up to the newest.
    let all = evaluated(&mut record.clone(), &state(100, 100, 100), at(days(99) + HOUR_MS));
    assert_eq!(all, [(IncidentKind::Deleted, 100)]);
    // A shorter retention is the administrator's decision; forever is forever.
    let shorter = CheckContext { retention_days: Some(30), ..at(days(99) + HOUR_MS) };
    assert!(evaluated(&mut record.clone(), &state(60, 100, 100), shorter).is_empty());
    let forever = CheckContext { retention_days: Some(0), ..at(days(99)) };
    assert_eq!(evaluated(&mut record.clone(), &state(1, 100, 100), forever), [(IncidentKind::Deleted, 1)]);
    // Not known yet: evaluated once it is.
    let unknown = CheckContext { retention_days: None, ..at(days(99)) };
    assert!(evaluated(&mut record, &state(50, 100, 100), unknown).is_empty());
    assert_eq!(evaluated(&mut record, &state(50, 100, 100), at(days(99))), [(IncidentKind::Deleted, 50)]);
}

#[test]
fn a_log_emptied_by_the_retention_is_no_incident() {
    let mut record = record_of(5, NOW);
    let later = at(NOW + 91 * DAY_MS);
    assert!(evaluated(&mut record, &state(5, 5, 5), later).is_empty());
    assert!(evaluated(&mut record, &state(5, 5, 5), later).is_empty());
    assert!(evaluated(&mut record, &state(5, 8, 5), later).is_empty());
    assert_eq!(stored_sequence(&record), 8);
}

#[test]
fn marks_thin_out() {
    let mut record = ChainRecord::default();
    for hour in 0..24 * 30 {
        record.add_mark(NOW + hour * HOUR_MS, hour + 1);
        record.add_mark(NOW + hour * HOUR_MS + 1, hour + 1);
    }
    assert!((50..90).contains(&record.marks.len()), "{}", record.marks.len());
}

#[test]
fn incidents_are_bounded() {
    let mut record = record_of(5, NOW);
    for sequence in 0..100 {
        let inspection = Inspection { gap: None, changed: Some(sequence) };
        record.evaluate(&state(0, 5, 5), &inspection, at(NOW));
    }
    assert_eq!(record.incidents.len(), MAX_INCIDENTS);
    record.incidents[3].acknowledged = true;
    let inspection = Inspection { gap: None, changed: Some(1000) };
    assert_eq!(record.evaluate(&state(0, 5, 5), &inspection, at(NOW)).len(), 1);
    assert_eq!(record.incidents.len(), MAX_INCIDENTS);
}
