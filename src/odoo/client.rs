//! One method for each method of `mcp.gateway`, and the road that all calls take.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use super::batch::Batcher;
use super::breaker::Breaker;
use super::failure::Failure;
use super::gateway::{
    Answer, AuthenticateAnswer, AuthenticateRequest, BatchAnswer, BatchItem, BatchRequest, Call, CallOnWire,
    CallStatusAnswer, CallStatusRequest, ChangesAnswer, ChangesRequest, Fault, FieldsAnswer, HelloAnswer,
    HelloRequest, ModelsAnswer, SchemaRequest,
};
use super::sessions::{SyncSessionsAnswer, SyncSessionsRequest};
use super::transport::{Text, Transport};
use super::{Error, Options, encode};
use crate::vocab::aside_for_text;

/// How long after its own deadline Odoo may still answer "too slow", before the sidecar says so itself.
const SLACK: Duration = Duration::from_millis(500);
/// The bounds that the contract sets to a deadline.
const MIN_DEADLINE_MS: u64 = 100;
const MAX_DEADLINE_MS: u64 = 300_000;
/// Calls of the sidecar itself have places of their own, so that slow reads cannot starve them.
const CONTROL_PLACES: usize = 16;
/// The pause before a busy Odoo is asked again; doubled each time, up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The client of one Odoo database. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    breaker: Breaker,
    pub(super) batcher: Batcher,
    calls: Semaphore,
    control: Semaphore,
    pub(super) writes: TaskTracker,
    pub(super) options: Options,
}

/// Which queue a call waits in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    Calls,
    Control,
}

/// When a call must have ended: for Odoo, and a little later for the connection.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    pub(super) odoo: Instant,
    pub(super) http: Instant,
}

impl Deadline {
    pub fn within(timeout: Duration) -> Self {
        // The longest that the contract allows; a duration without bound would overflow the clock.
        let odoo = Instant::now() + timeout.min(Duration::from_millis(MAX_DEADLINE_MS));
        Self { odoo, http: odoo + SLACK }
    }
}

impl Client {
    /// Makes a client; connects and logs in with the first call.
    pub fn new(options: Options) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            transport: Transport::new(&options)?,
            breaker: Breaker::new(&options),
            batcher: Batcher::new(options.batch_size),
            calls: Semaphore::new(options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            control: Semaphore::new(CONTROL_PLACES),
            writes: TaskTracker::new(),
            options,
        }))
    }

    /// Registers this replica and answers all settings.
    pub async fn hello(self: &Arc<Self>, request: &HelloRequest) -> Result<HelloAnswer, Error> {
        let answer: HelloAnswer =
            self.ask(Lane::Control, "hello", request, self.options.control_timeout()).await?;
        self.heed_workers(answer.workers);
        Ok(answer)
    }

    /// Resolves a proof to its live connection and user.
    pub async fn authenticate(&self, request: &AuthenticateRequest) -> Result<AuthenticateAnswer, Error> {
        self.ask(Lane::Control, "authenticate", request, self.options.control_timeout()).await
    }

    /// Carries out a reading call alone; retried where Odoo was busy or the connection broke.
    pub async fn read(&self, call: &Call) -> Result<Answer, Error> {
        self.read_within(call, Deadline::within(Duration::from_millis(call.deadline_ms))).await
    }

    pub(super) async fn read_within(&self, call: &Call, deadline: Deadline) -> Result<Answer, Error> {
        let json = || encode::json(&CallOnWire::of(call, remaining_ms(deadline)));
        let text = self.repeat(Lane::Calls, "execute", json, deadline).await?;
        let answer: Answer = parse(&text)?;
        if answer.call_id == call.call_id { Ok(answer) } else { Err(Error::BadAnswer) }
    }

    /// Carries out several reading calls in one go, each within its deadline and all within `most_ms` of work;
    /// one answer or fault for each, in their order.
    pub async fn read_batch(
        &self,
        calls: &[(&Call, Deadline)],
        most_ms: u64,
    ) -> Result<Vec<Result<Answer, Fault>>, Error> {
        let latest = calls.iter().map(|(_, deadline)| *deadline).max_by_key(|deadline| deadline.odoo);
        let latest = latest.unwrap_or_else(|| Deadline::within(Duration::ZERO));
        let json = || {
            let on_wire = |(call, deadline)| CallOnWire::of(call, remaining_ms(deadline).min(most_ms));
            encode::json(&BatchRequest { calls: calls.iter().copied().map(on_wire).collect() })
        };
        let text = self.repeat(Lane::Calls, "execute_batch", json, latest).await?;
        let answers = parse::<BatchAnswer>(&text)?.answers;
        let ids = answers.iter().map(BatchItem::call_id);
        if !ids.eq(calls.iter().map(|(call, _)| call.call_id)) {
            return Err(Error::BadAnswer);
        }
        Ok(answers.into_iter().map(BatchItem::into_result).collect())
    }

    /// What became of a write, for whoever lost its answer.
    pub async fn call_status(&self, request: &CallStatusRequest) -> Result<CallStatusAnswer, Error> {
        self.ask(Lane::Control, "call_status", request, self.options.control_timeout()).await
    }

    /// The models that the user may reach; `models` of the request must be none.
    pub async fn models(&self, request: &SchemaRequest) -> Result<ModelsAnswer, Error> {
        self.ask(Lane::Calls, "schema", request, self.options.schema_timeout()).await
    }

    /// The fields of the named models.
    pub async fn fields(&self, request: &SchemaRequest) -> Result<FieldsAnswer, Error> {
        self.ask(Lane::Calls, "schema", request, self.options.schema_timeout()).await
    }

    /// Everything after a cursor.
    pub async fn changes(&self, request: &ChangesRequest) -> Result<ChangesAnswer, Error> {
        self.ask(Lane::Control, "changes", request, self.options.control_timeout()).await
    }

    /// Tells of sessions; answers those that an administrator has ended.
    pub async fn sync_sessions(&self, request: &SyncSessionsRequest) -> Result<SyncSessionsAnswer, Error> {
        self.ask(Lane::Control, "sync_sessions", request, self.options.control_timeout()).await
    }

    async fn ask<Q, A>(&self, lane: Lane, method: &str, request: &Q, timeout: Duration) -> Result<A, Error>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        let json = || encode::json(request);
        parse(&self.repeat(lane, method, json, Deadline::within(timeout)).await?)
    }

    /// Sends what changes nothing, again where that helps: at once and one time where the connection
    /// failed, after growing pauses until the deadline where Odoo is busy.
    async fn repeat(
        &self,
        lane: Lane,
        method: &str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<Text, Error> {
        let (mut resent, mut pause) = (false, FIRST_PAUSE);
        loop {
            match self.attempt(lane, method, &json, false, deadline).await {
                Ok(text) => return Ok(text),
                Err(Failure::Unsent | Failure::Broken) if !resent => resent = true,
                Err(Failure::Overloaded | Failure::Contended) if Instant::now() + pause < deadline.odoo => {
                    // Spread, so that those who were refused together do not come back together.
                    let share = rand::rng().random_range(0.5..1.0);
                    sleep(pause.mul_f64(share)).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(failure) => return Err(failure.of_read()),
            }
        }
    }

    /// Sends once: breaker, queue, Odoo.
    pub(super) async fn attempt(
        &self,
        lane: Lane,
        method: &str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        fresh: bool,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        let pass = self.breaker.pass(Instant::now()).ok_or(Failure::Away)?;
        let places = match lane {
            Lane::Calls => &self.calls,
            Lane::Control => &self.control,
        };
        // The semaphore is never closed, so an error is the deadline's.
        let Ok(Ok(_place)) = timeout_at(deadline.odoo, places.acquire()).await else {
            return Err(Failure::Crowded);
        };
        // Made only now, since a call tells Odoo how much of its time the queue left.
        let json = json().map_err(|_| Failure::Unusable)?;
        let outcome = self.transport.call(method, json, fresh, deadline.http).await;
        match &outcome {
            Err(failure) if failure.is_of_connection() => pass.failed(Instant::now()),
            Err(Failure::TimedOut | Failure::Crowded | Failure::Overloaded) => drop(pass),
            _ => pass.answered(),
        }
        if let Err(failure) = &outcome {
            tracing::debug!(method, failure = failure.name(), "a call of Odoo failed");
        }
        outcome
    }
}

impl Client {
    /// Sends once, beside the breaker: not while it is open, but without a word to it.
    pub(super) async fn aside(
        &self,
        method: &str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        if !self.breaker.is_closed() {
            return Err(Failure::Away);
        }
        let Ok(Ok(_place)) = timeout_at(deadline.odoo, self.control.acquire()).await else {
            return Err(Failure::Crowded);
        };
        let json = json().map_err(|_| Failure::Unusable)?;
        let outcome = self.transport.call(method, json, false, deadline.http).await;
        if let Err(failure) = &outcome {
            tracing::debug!(method, failure = failure.name(), "a call of Odoo failed");
        }
        outcome
    }
}

/// What is left for Odoo, within the bounds of the contract.
pub(super) fn remaining_ms(deadline: Deadline) -> u64 {
    let left = deadline.odoo.saturating_duration_since(Instant::now()).as_millis();
    u64::try_from(left).unwrap_or(u64::MAX).clamp(MIN_DEADLINE_MS, MAX_DEADLINE_MS)
}

pub(super) fn parse<A: DeserializeOwned>(text: &Text) -> Result<A, Error> {
    let text = text.as_str();
    aside_for_text(text.len(), || serde_json::from_str(text)).map_err(|error| {
        // The position alone: the message of a parse error quotes data.
        tracing::debug!(line = error.line(), column = error.column(), "an answer does not fit the contract");
        Error::BadAnswer
    })
}
