//! `execute_batch`: several reading calls in one request, each answered for itself.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::execute::{Answer, WireCall};
use super::fault::Fault;
use crate::vocab::CallId;

#[derive(Debug, Serialize)]
pub(in crate::odoo) struct BatchRequest<'a> {
    pub(in crate::odoo) calls: Vec<WireCall<'a>>,
}

#[derive(Debug, Deserialize)]
pub(in crate::odoo) struct BatchAnswer {
    pub(in crate::odoo) answers: Vec<BatchItem>,
}

/// The answer to one call of a batch: its results or its fault.
#[derive(Debug, Deserialize)]
pub(in crate::odoo) struct BatchItem {
    call_id: CallId,
    #[serde(default)]
    results: Vec<Box<RawValue>>,
    error: Option<Fault>,
}

impl BatchItem {
    pub(in crate::odoo) fn call_id(&self) -> CallId {
        self.call_id
    }

    pub(in crate::odoo) fn into_result(self) -> Result<Answer, Fault> {
        match self.error {
            Some(fault) => Err(fault),
            None => Ok(Answer { call_id: self.call_id, results: self.results, replayed: false }),
        }
    }
}
