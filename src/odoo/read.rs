//! Reads: one call (`execute`) or a batch (`execute_batch`), retried where Odoo was busy or the connection broke.

use std::sync::Arc;
use std::time::Duration;

use super::contract::{Answer, BatchAnswer, BatchItem, BatchRequest, Call, Fault, WireCall};
use super::deadline::Deadline;
use super::exchange::{ExchangeResources, Exchanger};
use super::failure::Failure;
use super::{Error, cost, encode};

/// Sends reading calls.
#[derive(Debug)]
pub(super) struct Reader {
    exchanger: Arc<Exchanger>,
}

impl Reader {
    pub(super) fn new(exchanger: Arc<Exchanger>) -> Self {
        Self { exchanger }
    }

    /// Whether the call is expected to be slow or its answer long.
    pub(super) fn is_heavy(&self, call: &Call) -> bool {
        self.exchanger.admission().is_heavy(cost::demand(call))
    }

    /// Sends a call alone.
    pub(super) async fn read(&self, call: &Call, deadline: Deadline) -> Result<Answer, Error> {
        let json = || encode::json(&WireCall::new(call, deadline.remaining_ms()));
        let text = self
            .exchanger
            .send_with_retry(&ExchangeResources::for_call(call), "execute", json, deadline)
            .await
            .map_err(Failure::into_read_error)?;
        let answer: Answer = text.parse()?;
        if answer.call_id == call.call_id { Ok(answer) } else { Err(Error::InvalidAnswer) }
    }

    /// Sends a batch of reading calls, each within its deadline and all within `max_ms` of work;
    /// one answer or fault for each, in their order.
    pub(super) async fn read_batch(
        &self,
        calls: &[(&Call, Deadline)],
        max_ms: u64,
    ) -> Result<Vec<Result<Answer, Fault>>, Error> {
        let latest = calls.iter().map(|(_, deadline)| *deadline).max_by_key(|deadline| deadline.odoo);
        let latest = latest.unwrap_or_else(|| Deadline::within(Duration::ZERO));
        let json = || {
            let calls =
                calls.iter().map(|(call, deadline)| WireCall::new(call, deadline.remaining_ms().min(max_ms)));
            encode::json(&BatchRequest { calls: calls.collect() })
        };
        let route = ExchangeResources::for_batch(calls.iter().map(|(call, _)| *call));
        let text = self
            .exchanger
            .send_with_retry(&route, "execute_batch", json, latest)
            .await
            .map_err(Failure::into_read_error)?;
        let answers = text.parse::<BatchAnswer>()?.answers;
        let ids = answers.iter().map(BatchItem::call_id);
        if !ids.eq(calls.iter().map(|(call, _)| call.call_id)) {
            return Err(Error::InvalidAnswer);
        }
        Ok(answers.into_iter().map(BatchItem::into_result).collect())
    }
}
