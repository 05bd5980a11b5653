//! Writes: sent once, finished even where the caller has left, asked about where the answer was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::client::{Client, Deadline, parse_answer, remaining_ms};
use super::contract::{Answer, Call, CallState, CallStatusAnswer, CallStatusRequest, FaultCode, WireCall};
use super::exchange::ExchangeResources;
use super::failure::{AnswerKind, Failure};
use super::http_pool::Connection;
use super::{Error, encode};
use crate::vocab::Backoff;

/// How often Odoo must answer that it knows nothing of a call before it is given up: the request may still
/// lie in Odoo's accept queue when the first question overtakes it.
const MAX_UNKNOWN_ANSWERS: u32 = 4;
/// Backoff between requests for the outcome, and before the one retry of a write that was not sent.
const OUTCOME_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

impl Client {
    /// Carries out a writing call in a task of its own, so that a caller who leaves does not break it off.
    /// Never sent twice: a lost answer is asked for by `call_status`.
    pub async fn write(self: &Arc<Self>, call: Call) -> Result<Answer, Error> {
        let client = Arc::clone(self);
        let task = async move { client.send_write(&call).await };
        self.writes.spawn(task.in_current_span()).await.unwrap_or(Err(Error::OutcomeUnknown))
    }

    /// Waits until no write is under way any more; answers how many still are after `patience`.
    /// New writes must have stopped coming.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.writes.close();
        let _ = timeout(patience, self.writes.wait()).await;
        self.writes.len()
    }

    async fn send_write(&self, call: &Call) -> Result<Answer, Error> {
        let deadline = Deadline::within(Duration::from_millis(call.deadline_ms));
        let json = || encode::json(&WireCall::new(call, remaining_ms(deadline)));
        let route = ExchangeResources::for_call(call);
        let mut retried = false;
        loop {
            match self.send_once(&route, "execute", json, Connection::Fresh, deadline).await {
                Ok(text) => match parse_answer::<Answer>(&text) {
                    // A replayed answer carries the id of the call that it was made for.
                    Ok(answer) if answer.replayed || answer.call_id == call.call_id => return Ok(answer),
                    _ => return self.resolve_outcome(call, deadline).await,
                },
                // Nothing was sent: the one failure after which a write may be sent again.
                Err(Failure::NotConnected) if !retried => {
                    retried = true;
                    sleep(OUTCOME_BACKOFF.delay()).await;
                }
                // A dry run stores nothing, whatever became of it.
                Err(failure) if call.dry_run => return Err(failure.into_read_error()),
                Err(failure) => match failure.into_write_error() {
                    Some(error) => return Err(error),
                    None => return self.resolve_outcome(call, deadline).await,
                },
            }
        }
    }

    /// Asks what became of a write until that is certain or the patience ends.
    async fn resolve_outcome(&self, call: &Call, deadline: Deadline) -> Result<Answer, Error> {
        tracing::warn!(call_id = %call.call_id, "the answer of a write was lost: asking what became of it");
        let request = CallStatusRequest { proof: call.proof.clone(), call_id: call.call_id };
        let end = deadline.odoo + Duration::from_millis(self.options.settle_ms);
        let (mut unknown, mut backoff) = (0, OUTCOME_BACKOFF);
        while Instant::now() < end {
            match self.status_of(&request, call).await {
                Ok(status) => match (status.state, status.answer) {
                    (CallState::Done, Some(answer)) => return Ok(answer),
                    (CallState::Done, None) => return Err(Error::InvalidAnswer),
                    (CallState::Running, _) => unknown = 0,
                    (CallState::Unknown, _) => unknown += 1,
                },
                // Nothing but the answer of a call that was carried out is long.
                Err(Error::AnswerDropped) => return Err(Error::AnswerDropped),
                // Odoo refuses to tell: the credential died, or the switch went off.
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

    /// What became of `call`; its answer takes room like any other.
    async fn status_of(&self, request: &CallStatusRequest, call: &Call) -> Result<CallStatusAnswer, Error> {
        let route = ExchangeResources::control_with_account(Arc::clone(&call.account));
        let deadline = Deadline::within(self.options.control_timeout());
        match self.send_with_retry(&route, "call_status", || encode::json(request), deadline).await {
            Ok(text) => parse_answer(&text),
            Err(Failure::AnswerDropped { answered: AnswerKind::Value, .. }) => Err(Error::AnswerDropped),
            Err(failure) => Err(failure.into_read_error()),
        }
    }
}
