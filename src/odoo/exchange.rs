//! One exchange with Odoo: breaker, queue, room for the answer, request and answer; and its repetition.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use super::admission::{Demand, Permit};
use super::client::{Client, Deadline};
use super::contract::Call;
use super::cost;
use super::failure::Failure;
use super::http_pool::Connection;
use super::memory_budget::{MemoryAccount, MemoryClaim, ReserveError};
use super::transport::AnswerText;
use crate::vocab::Backoff;

/// Backoff of retries while Odoo is busy.
const BUSY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// How long a call waits for room for its answer before it is sent; it holds nothing in Odoo meanwhile.
const MEMORY_WAIT: Duration = Duration::from_secs(5);

/// An answer after which the next of its kind counts as a long call, however fast it came: it would fill a batch.
const HEAVY_ANSWER_BYTES: usize = 1024 * 1024;

type ExchangeFuture = Pin<Box<dyn Future<Output = Result<AnswerText, Failure>> + Send>>;

/// Where an exchange queues, and where the memory for its answer is reserved.
#[derive(Debug, Clone)]
pub(super) struct ExchangeResources {
    queue: Queue,
    account: Arc<MemoryAccount>,
    /// Reserved before anything is sent.
    reserved_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum Queue {
    Calls(Demand),
    /// Calls of the sidecar itself, which slow calls of people must not starve.
    Control,
}

// === impl Route ===

impl ExchangeResources {
    pub(super) fn for_call(call: &Call) -> Self {
        Self {
            queue: Queue::Calls(cost::demand(call)),
            account: Arc::clone(&call.account),
            reserved_bytes: cost::answer_bytes(call),
        }
    }

    /// Of calls of several connections, which wait as one.
    pub(super) fn for_batch<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut account = Arc::default();
        let mut room = 0;
        for call in calls {
            if room == 0 {
                account = call.account.shared();
            }
            room += cost::answer_bytes(call);
        }
        Self { queue: Queue::Calls(Demand::default()), account, reserved_bytes: room }
    }

    /// What is no call of a connection, but works in Odoo like one.
    pub(super) fn shared() -> Self {
        Self { queue: Queue::Calls(Demand::default()), account: Arc::default(), reserved_bytes: 0 }
    }

    pub(super) fn control() -> Self {
        Self::control_with_account(Arc::default())
    }

    /// A question of the sidecar whose answer belongs to a call.
    pub(super) fn control_with_account(account: Arc<MemoryAccount>) -> Self {
        Self { queue: Queue::Control, account, reserved_bytes: 0 }
    }
}

/// What an exchange holds in the queue that it came through; given back with its last byte.
#[derive(Debug)]
enum QueuePermit<'a> {
    Calls(Permit),
    Control(#[allow(dead_code, reason = "held, not read")] SemaphorePermit<'a>),
}

// === impl Client ===

impl Client {
    /// Sends what changes nothing, again where that helps: at once and one time where the connection
    /// failed, after growing pauses until the deadline where Odoo is busy.
    pub(super) async fn send_with_retry(
        &self,
        route: &ExchangeResources,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        let (mut resent, mut backoff) = (false, BUSY_BACKOFF);
        loop {
            match self.send_once(route, method, &json, Connection::Pooled, deadline).await {
                Ok(text) => return Ok(text),
                Err(Failure::NotConnected | Failure::ConnectionLost) if !resent => resent = true,
                Err(Failure::Overloaded | Failure::Conflict)
                    if Instant::now() + backoff.delay() < deadline.odoo =>
                {
                    // Jitter, so that calls refused together are not retried together.
                    let jitter = rand::rng().random_range(0.5..1.0);
                    sleep(backoff.next_delay().mul_f64(jitter)).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Sends once: breaker, queue, Odoo.
    pub(super) async fn send_once(
        &self,
        route: &ExchangeResources,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        connection: Connection,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        let pass = self.breaker.try_acquire(Instant::now()).ok_or(Failure::BreakerOpen)?;
        let (held, claim) = self.acquire_resources(route, deadline).await?;
        let outcome = self.exchange(held, claim, method, json, connection, deadline).await;
        if let (Ok(text), Queue::Calls(demand)) = (&outcome, route.queue)
            && text.as_str().len() > HEAVY_ANSWER_BYTES
        {
            self.admission.mark_heavy(demand);
        }
        match &outcome {
            Err(failure) if failure.is_connection_failure() => pass.record_failure(Instant::now()),
            Err(Failure::TimedOut | Failure::QueueTimeout | Failure::Overloaded) => drop(pass),
            _ => pass.record_success(),
        }
        outcome
    }

    /// Sends once, beside the breaker: not while it is open, and without effect on it.
    pub(super) async fn send_uncounted(
        &self,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        if !self.breaker.is_closed() {
            return Err(Failure::BreakerOpen);
        }
        let (held, claim) = self.acquire_resources(&ExchangeResources::control(), deadline).await?;
        self.exchange(held, claim, method, json, Connection::Pooled, deadline).await
    }

    /// Waits for a permit and for room. Who has a permit and no room gives it back before it waits.
    async fn acquire_resources(
        &self,
        route: &ExchangeResources,
        deadline: Deadline,
    ) -> Result<(QueuePermit<'_>, MemoryClaim), Failure> {
        let patience = deadline.odoo.min(Instant::now() + MEMORY_WAIT);
        loop {
            let held = timeout_at(deadline.odoo, self.acquire_permit(route.queue)).await;
            let held = held.ok().flatten().ok_or(Failure::QueueTimeout)?;
            match route.account.claim(route.reserved_bytes) {
                Ok(claim) => return Ok((held, claim)),
                Err(ReserveError::TooLarge) => return Err(Failure::MemoryTimeout),
                Err(_) => drop(held),
            }
            // Only a look: what it reserves is given back, and taken again with the permit.
            let room = route.account.grow(route.reserved_bytes, patience).await;
            room.map_err(|_| Failure::MemoryTimeout)?;
            route.account.shrink(route.reserved_bytes);
        }
    }

    async fn acquire_permit(&self, queue: Queue) -> Option<QueuePermit<'_>> {
        match queue {
            Queue::Calls(demand) => self.admission.acquire(demand).await.map(QueuePermit::Calls),
            Queue::Control => self.control_permits.acquire().await.ok().map(QueuePermit::Control),
        }
    }

    async fn exchange(
        &self,
        held: QueuePermit<'_>,
        claim: MemoryClaim,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        connection: Connection,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        // Made only now, since it says how much of its time the queue left.
        let json = json().map_err(|_| Failure::InvalidAnswer)?;
        let account = Arc::clone(claim.account());
        let transport = Arc::clone(&self.transport);
        let exchange = async move { transport.call(method, json, connection, claim, deadline.http).await };
        let outcome = match held {
            QueuePermit::Calls(permit) => {
                // Odoo goes on with a call whose caller has left, so its permit stays as long.
                let exchange = async move {
                    let outcome = exchange.await;
                    drop(permit);
                    outcome
                };
                FinishOnDrop { exchange: Some(Box::pin(exchange)), account }.await
            }
            QueuePermit::Control(_permit) => exchange.await,
        };
        if let Err(failure) = &outcome {
            tracing::debug!(method, failure = failure.name(), "a call of Odoo failed");
        }
        outcome
    }
}

/// An exchange that is seen through in the background where it is dropped halfway.
struct FinishOnDrop {
    exchange: Option<ExchangeFuture>,
    account: Arc<MemoryAccount>,
}

impl Future for FinishOnDrop {
    type Output = Result<AnswerText, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Polled after its end, which no `await` does, it stays pending.
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        let outcome = std::task::ready!(exchange.as_mut().poll(context));
        self.exchange = None;
        Poll::Ready(outcome)
    }
}

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        if let (Some(exchange), Ok(runtime)) = (self.exchange.take(), Handle::try_current()) {
            self.account.abandon();
            runtime.spawn(exchange);
        }
    }
}
