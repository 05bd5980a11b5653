//! Cost estimate of a call from its steps: whether it is a long one, how long its answer may be, and its kind, by
//! which the scheduler learns.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::admission::Demand;
use super::contract::{Call, Mode, Step};
use super::memory_budget::ANSWER_COPIES;

/// Rows times fields from which a call counts as long. A thousand rows of twenty fields take a tenth of a second.
const HEAVY_CELLS: usize = 25_000;
/// Fields of a row where the addon chooses them.
const DEFAULT_FIELDS: usize = 20;
/// Records that one call writes, creates or deletes before it is a long one.
const HEAVY_WRITES: usize = 50;
/// Records and steps of a path that one call follows before it is a long one.
const HEAVY_PATH_LENGTH: usize = 200;
/// Groupings that multiply.
const HEAVY_GROUPINGS: usize = 3;

/// Bytes of an answer: of a field of a row, and the bounds of the reservation.
const BYTES_PER_CELL: usize = 32;
const MIN_RESERVED_BYTES: usize = 16 * 1024;
const MAX_RESERVED_BYTES: usize = 4 * 1024 * 1024;

/// The demand of a call, for the scheduler.
pub(super) fn demand(call: &Call) -> Demand {
    let heavy = call.mode == Mode::Run || call.steps.iter().any(is_heavy_step) || cells(call) > HEAVY_CELLS;
    Demand { owner: Some(call.connection), heavy, kind: Some(kind(call)) }
}

/// Bytes to reserve before the length of the answer is known.
pub(super) fn answer_bytes(call: &Call) -> usize {
    (cells(call).saturating_mul(BYTES_PER_CELL)).clamp(MIN_RESERVED_BYTES, MAX_RESERVED_BYTES) * ANSWER_COPIES
}

fn cells(call: &Call) -> usize {
    call.steps.iter().map(step_cells).fold(0, usize::saturating_add)
}

fn step_cells(step: &Step) -> usize {
    let of = |rows: usize, fields: &Option<Vec<String>>| {
        rows.saturating_mul(fields.as_ref().map_or(DEFAULT_FIELDS, |names| names.len().max(1)))
    };
    match step {
        Step::SearchRead { limit, fields, .. } | Step::Traverse { limit, fields, .. } => {
            of(*limit as usize, fields)
        }
        Step::Read { ids, fields, .. } => of(ids.len(), fields),
        Step::NameSearch { limit, .. } => *limit as usize,
        Step::ReadGroup { groupby, aggregates, limit, .. } => {
            (*limit as usize).saturating_mul(groupby.len() + aggregates.len())
        }
        _ => 1,
    }
}

/// Whether a step is long for another reason than its rows.
fn is_heavy_step(step: &Step) -> bool {
    match step {
        Step::Call { .. } => true,
        Step::Traverse { ids, path, .. } => ids.len().saturating_mul(path.len()) > HEAVY_PATH_LENGTH,
        Step::ReadGroup { groupby, .. } => groupby.len() >= HEAVY_GROUPINGS,
        Step::Create { values, .. } => values.len() > HEAVY_WRITES,
        Step::Write { ids, .. } | Step::Unlink { ids, .. } => ids.len() > HEAVY_WRITES,
        _ => false,
    }
}

/// A hash by which calls are alike: the same connection, tool, model and conditions but for their values, of about
/// the same size.
fn kind(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    call.connection.hash(&mut hasher);
    call.tool.hash(&mut hasher);
    cells(call).checked_ilog2().hash(&mut hasher);
    for step in &call.steps {
        std::mem::discriminant(step).hash(&mut hasher);
        match step {
            Step::SearchRead { model, domain, order, total, .. } => {
                (model, order, total).hash(&mut hasher);
                hash_conditions(domain, &mut hasher);
            }
            Step::NameSearch { model, domain, .. } | Step::SearchCount { model, domain } => {
                model.hash(&mut hasher);
                hash_conditions(domain, &mut hasher);
            }
            Step::ReadGroup { model, domain, groupby, aggregates, .. } => {
                (model, groupby, aggregates).hash(&mut hasher);
                hash_conditions(domain, &mut hasher);
            }
            Step::Traverse { model, path, .. } => (model, path).hash(&mut hasher),
            Step::Call { model, method, .. } => (model, method).hash(&mut hasher),
            Step::Read { model, .. }
            | Step::Create { model, .. }
            | Step::Write { model, .. }
            | Step::Unlink { model, .. } => model.hash(&mut hasher),
            Step::Session {} => {}
        }
    }
    hasher.finish()
}

/// Fields and operators of a domain, without the values.
fn hash_conditions(domain: &Value, hasher: &mut DefaultHasher) {
    for leaf in domain.as_array().into_iter().flatten() {
        let parts = leaf.as_array().map_or(&[][..], |parts| parts.get(..2).unwrap_or_default());
        parts.iter().filter_map(Value::as_str).for_each(|part| part.hash(hasher));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::vocab::{CallId, ConnectionId, Proof};

    fn call(mode: Mode, step: Value) -> Call {
        Call {
            call_id: CallId::random(),
            connection: ConnectionId(1),
            proof: Proof::of_text("a credential"),
            ip: "203.0.113.9".into(),
            tool: "a_tool".into(),
            mode,
            steps: vec![serde_json::from_value(step).unwrap()],
            context: Map::new(),
            dry_run: false,
            deadline_ms: 30_000,
            idempotency_key: None,
            max_chars: None,
            account: std::sync::Arc::default(),
        }
    }

    fn search(limit: u32, fields: usize, domain: Value) -> Value {
        let fields: Vec<_> = (0..fields).map(|number| format!("f{number}")).collect();
        json!({"op": "search_read", "model": "res.partner", "domain": domain, "fields": fields, "limit": limit,
               "offset": 0, "order": null, "total": false})
    }

    fn is_heavy(mode: Mode, step: Value) -> bool {
        demand(&call(mode, step)).heavy
    }

    #[test]
    fn many_rows_times_many_fields_are_long() {
        assert!(!is_heavy(Mode::Read, search(20, 3, json!([]))));
        assert!(!is_heavy(Mode::Read, search(1000, 20, json!([]))));
        assert!(is_heavy(Mode::Read, search(1000, 60, json!([]))));
        let ids: Vec<i64> = (1..=1000).collect();
        let fields: Vec<_> = (0..200).map(|number| format!("f{number}")).collect();
        let read = |ids: &[i64]| json!({"op": "read", "model": "res.partner", "ids": ids, "fields": fields});
        assert!(is_heavy(Mode::Read, read(&ids)));
        assert!(!is_heavy(Mode::Read, read(ids.get(..3).unwrap())));
    }

    #[test]
    fn methods_and_writes_of_many_records_are_long() {
        let method = json!({"op": "call", "model": "sale.order", "method": "action_confirm", "ids": [1], "args": [],
                            "kwargs": {}});
        assert!(is_heavy(Mode::Run, method));
        let write = |count: i64| {
            let ids: Vec<i64> = (1..=count).collect();
            json!({"op": "write", "model": "res.partner", "ids": ids, "values": {"name": "New"}})
        };
        assert!(is_heavy(Mode::Write, write(1000)) && !is_heavy(Mode::Write, write(1)));
        let group = |by: &[&str]| {
            json!({"op": "read_group", "model": "sale.order", "domain": [], "groupby": by, "aggregates": ["__count"],
                   "having": [], "limit": 80, "offset": 0, "order": null})
        };
        assert!(is_heavy(Mode::Read, group(&["partner_id", "user_id", "date_order:day"])));
        assert!(!is_heavy(Mode::Read, group(&["partner_id"])));
    }

    #[test]
    fn calls_are_alike_but_for_their_values() {
        let of = |domain: Value| demand(&call(Mode::Read, search(20, 3, domain))).kind;
        assert_eq!(of(json!([["name", "ilike", "a"]])), of(json!([["name", "ilike", "b"]])));
        assert_ne!(of(json!([["name", "ilike", "a"]])), of(json!([["id", "=", 1]])));
        let mut other = call(Mode::Read, search(20, 3, json!([])));
        other.connection = ConnectionId(2);
        assert_ne!(demand(&other).kind, of(json!([])), "kinds are separate for each connection");
    }

    #[test]
    fn the_length_of_an_answer_is_estimated_within_bounds() {
        let of = |step| answer_bytes(&call(Mode::Read, step));
        assert_eq!(of(search(1, 1, json!([]))), MIN_RESERVED_BYTES * ANSWER_COPIES);
        assert!(of(search(1000, 20, json!([]))) > MIN_RESERVED_BYTES * ANSWER_COPIES);
        assert_eq!(of(search(1000, 1000, json!([]))), MAX_RESERVED_BYTES * ANSWER_COPIES);
    }
}
