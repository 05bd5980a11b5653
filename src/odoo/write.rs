//! Writes: sent once, finished even where the client disconnects, with a request for the outcome of a lost answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::contract::{Answer, Call, CallState, CallStatusAnswer, CallStatusRequest, FaultCode, WireCall};
use super::deadline::Deadline;
use super::exchange::{ExchangeResources, Exchanger};
use super::failure::{AnswerKind, Failure};
use super::http_pool::Connection;
use super::{Error, Options, encode};
use crate::vocab::Backoff;

/// How often Odoo must answer that a call is unknown before its outcome counts as unknown: the request may still
/// be in Odoo's accept queue when the first `call_status` overtakes it.
const MAX_UNKNOWN_ANSWERS: u32 = 4;
/// Backoff between requests for the outcome, and before the one retry of a write that was not sent.
const OUTCOME_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// Sends writing calls, and counts those under way.
#[derive(Debug)]
pub(super) struct Writer {
    exchanger: Arc<Exchanger>,
    tasks: TaskTracker,
    control_timeout: Duration,
    /// How long after its deadline the outcome of a write is requested.
    settle: Duration,
}

impl Writer {
    pub(super) fn new(exchanger: Arc<Exchanger>, options: &Options) -> Self {
        let settle = Duration::from_millis(options.settle_ms);
        Self { exchanger, tasks: TaskTracker::new(), control_timeout: options.control_timeout(), settle }
    }

    /// Sends a writing call in a task of its own, so that a client that disconnects does not abort it.
    /// Never sent twice: the outcome of a lost answer is requested by `call_status`.
    pub(super) async fn write(self: &Arc<Self>, call: Call) -> Result<Answer, Error> {
        let writer = Arc::clone(self);
        let task = async move { writer.send(&call).await };
        self.tasks.spawn(task.in_current_span()).await.unwrap_or(Err(Error::OutcomeUnknown))
    }

    pub(super) async fn drain(&self, limit: Duration) -> usize {
        self.tasks.close();
        let _ = timeout(limit, self.tasks.wait()).await;
        self.tasks.len()
    }

    async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let deadline = Deadline::within(Duration::from_millis(call.deadline_ms));
        let json = || encode::json(&WireCall::new(call, deadline.remaining_ms()));
        let route = ExchangeResources::for_call(call);
        let mut retried = false;
        loop {
            match self.exchanger.send_once(&route, "execute", json, Connection::Fresh, deadline).await {
                Ok(text) => match text.parse::<Answer>() {
                    // A replayed answer carries the id of the call that it was made for.
                    Ok(answer) if answer.replayed || answer.call_id == call.call_id => return Ok(answer),
                    _ => return self.resolve_outcome(call, deadline).await,
                },
                // Nothing was sent: the one failure after which a write may be sent again.
                Err(Failure::NotConnected) if !retried => {
                    retried = true;
                    sleep(OUTCOME_BACKOFF.delay()).await;
                }
                // A dry run stores nothing, so its outcome does not matter.
                Err(failure) if call.dry_run => return Err(failure.into_read_error()),
                Err(failure) => match failure.into_write_error() {
                    Some(error) => return Err(error),
                    None => return self.resolve_outcome(call, deadline).await,
                },
            }
        }
    }

    /// Requests the outcome of a write, with backoff, until it is certain or `settle_ms` have passed.
    async fn resolve_outcome(&self, call: &Call, deadline: Deadline) -> Result<Answer, Error> {
        tracing::warn!(call_id = %call.call_id, "the answer of a write was lost: requesting its outcome");
        let request = CallStatusRequest { proof: call.proof.clone(), call_id: call.call_id };
        let end = deadline.odoo + self.settle;
        let (mut unknown, mut backoff) = (0, OUTCOME_BACKOFF);
        while Instant::now() < end {
            match self.status_of(&request, call).await {
                Ok(status) => match (status.state, status.answer) {
                    (CallState::Done, Some(answer)) => return Ok(answer),
                    (CallState::Done, None) => return Err(Error::InvalidAnswer),
                    (CallState::Running, _) => unknown = 0,
                    (CallState::Unknown, _) => unknown += 1,
                },
                // Only the answer of an executed call is long.
                Err(Error::AnswerDropped) => return Err(Error::AnswerDropped),
                // Odoo refuses the request: the credential ended, or the switch went off.
                Err(Error::Fault(fault)) if fault.code != FaultCode::Internal => {
                    return Err(Error::OutcomeUnknown);
                }
                Err(_) => {}
            }
            if unknown >= MAX_UNKNOWN_ANSWERS {
                return Err(Error::OutcomeUnknown);
            }
            sleep(backoff.next_delay()).await;
        }
        Err(Error::OutcomeUnknown)
    }

    /// The outcome of `call`; its answer is reserved in the account of the call.
    async fn status_of(&self, request: &CallStatusRequest, call: &Call) -> Result<CallStatusAnswer, Error> {
        let route = ExchangeResources::control_with_account(Arc::clone(&call.account));
        let deadline = Deadline::within(self.control_timeout);
        match self.exchanger.send_with_retry(&route, "call_status", || encode::json(request), deadline).await
        {
            Ok(text) => text.parse(),
            Err(Failure::AnswerDropped { answered: AnswerKind::Value, .. }) => Err(Error::AnswerDropped),
            Err(failure) => Err(failure.into_read_error()),
        }
    }
}
