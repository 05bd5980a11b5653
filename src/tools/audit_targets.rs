//! Targets of a call for the audit log: the model, and the records that it names or creates.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::plan::Plan;
use crate::odoo::contract::Step;

/// The model of a plan; of several steps, that of the first.
pub(super) fn model(plan: &Plan) -> Option<String> {
    match plan {
        Plan::Call(draft) => draft.steps.first().and_then(step_target).map(|(model, _)| model.to_owned()),
        Plan::Fields { model, .. } => Some(model.clone()),
        Plan::Models { .. } => None,
    }
}

/// The records that a plan names.
pub(super) fn ids(plan: &Plan) -> Vec<i64> {
    match plan {
        Plan::Call(draft) => {
            draft.steps.iter().filter_map(step_target).flat_map(|(_, ids)| ids).copied().collect()
        }
        _ => Vec::new(),
    }
}

/// The records that a call has created.
pub(super) fn created_ids(steps: &[Step], results: &[Box<RawValue>]) -> Vec<i64> {
    #[derive(Deserialize)]
    struct Record {
        id: i64,
    }
    #[derive(Deserialize)]
    struct Created {
        records: Vec<Record>,
    }
    let creates = steps.iter().zip(results).filter(|(step, _)| matches!(step, Step::Create { .. }));
    let created = creates.filter_map(|(_, result)| serde_json::from_str::<Created>(result.get()).ok());
    created.flat_map(|created| created.records).map(|record| record.id).collect()
}

fn step_target(step: &Step) -> Option<(&str, &[i64])> {
    match step {
        Step::Read { model, ids, .. }
        | Step::Traverse { model, ids, .. }
        | Step::Write { model, ids, .. }
        | Step::Unlink { model, ids }
        | Step::Call { model, ids, .. } => Some((model, ids)),
        Step::SearchRead { model, .. }
        | Step::NameSearch { model, .. }
        | Step::SearchCount { model, .. }
        | Step::ReadGroup { model, .. }
        | Step::Create { model, .. } => Some((model, &[])),
        Step::Session {} => None,
    }
}
