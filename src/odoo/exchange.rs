//! One exchange with Odoo, with retry: circuit breaker, admission queue, memory for the answer, request, answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};

use super::admission::{Admission, Demand, Permit};
use super::breaker::Breaker;
use super::contract::Call;
use super::deadline::Deadline;
use super::failure::Failure;
use super::http_pool::Connection;
use super::memory_budget::{MemoryAccount, MemoryClaim, ReserveError};
use super::transport::{AnswerText, Transport};
use super::{Error, Options, cost};
use crate::vocab::Backoff;

/// Backoff of retries while Odoo is busy.
const BUSY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// How long a call waits for memory for its answer before it is sent; it holds no permit meanwhile.
const MEMORY_WAIT: Duration = Duration::from_secs(5);

/// Calls of the sidecar itself have permits of their own, so that slow reads cannot starve them.
const CONTROL_PERMITS: usize = 16;

/// An answer from which the next call of its kind counts as a long one, however fast it was: it would fill a batch.
const HEAVY_ANSWER_BYTES: usize = 1024 * 1024;

type ExchangeFuture = Pin<Box<dyn Future<Output = Result<AnswerText, Failure>> + Send>>;

/// The request path to Odoo: breaker, admission queue, memory, transport.
#[derive(Debug)]
pub(super) struct Exchanger {
    transport: Arc<Transport>,
    breaker: Breaker,
    admission: Arc<Admission>,
    control_permits: Semaphore,
}

/// The queue of an exchange, and the account for the memory of its answer.
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
    /// Calls of the sidecar itself, which slow calls of clients must not starve.
    Control,
}

// === impl ExchangeResources ===

impl ExchangeResources {
    pub(super) fn for_call(call: &Call) -> Self {
        Self {
            queue: Queue::Calls(cost::demand(call)),
            account: Arc::clone(&call.account),
            reserved_bytes: cost::answer_bytes(call),
        }
    }

    /// For a batch of calls of several connections, which queue as one.
    pub(super) fn for_batch<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut account = Arc::default();
        let mut reserved_bytes = 0;
        for call in calls {
            if reserved_bytes == 0 {
                account = call.account.shared();
            }
            reserved_bytes += cost::answer_bytes(call);
        }
        Self { queue: Queue::Calls(Demand::default()), account, reserved_bytes }
    }

    /// For requests that belong to no connection, but cost Odoo as much as its calls.
    pub(super) fn shared() -> Self {
        Self { queue: Queue::Calls(Demand::default()), account: Arc::default(), reserved_bytes: 0 }
    }

    pub(super) fn control() -> Self {
        Self::control_with_account(Arc::default())
    }

    /// For a request of the sidecar whose answer belongs to a call.
    pub(super) fn control_with_account(account: Arc<MemoryAccount>) -> Self {
        Self { queue: Queue::Control, account, reserved_bytes: 0 }
    }
}

/// The permit of an exchange, from its queue; released with the last byte of the answer.
#[derive(Debug)]
enum QueuePermit<'a> {
    Calls(Permit),
    Control(#[allow(dead_code, reason = "held, not read")] SemaphorePermit<'a>),
}

// === impl Exchanger ===

impl Exchanger {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            transport: Arc::new(Transport::new(options)?),
            breaker: Breaker::new(options),
            // Until Odoo has answered how many workers it has.
            admission: Admission::new(options.max_in_flight, options.threads),
            control_permits: Semaphore::new(CONTROL_PERMITS),
        })
    }

    pub(super) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Sends a request that changes nothing, with retry: once and at once after a failed connection, with backoff
    /// until the deadline while Odoo is busy.
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

    /// Sends a request that must not be carried out twice, on a connection of its own: again only where Odoo has
    /// certainly not executed it, once after a failed connection and with backoff until the deadline after a rollback.
    pub(super) async fn send_if_undone(
        &self,
        route: &ExchangeResources,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        let (mut resent, mut backoff) = (false, BUSY_BACKOFF);
        loop {
            match self.send_once(route, method, &json, Connection::Fresh, deadline).await {
                Err(Failure::NotConnected) if !resent => resent = true,
                Err(Failure::Conflict) if Instant::now() + backoff.delay() < deadline.odoo => {
                    let jitter = rand::rng().random_range(0.5..1.0);
                    sleep(backoff.next_delay().mul_f64(jitter)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends once, without a retry: breaker, queue, Odoo.
    pub(super) async fn send_once(
        &self,
        route: &ExchangeResources,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        connection: Connection,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        let breaker = self.breaker.try_acquire(Instant::now()).ok_or(Failure::BreakerOpen)?;
        let (permit, claim) = self.acquire_resources(route, deadline).await?;
        let outcome = self.exchange(permit, claim, method, json, connection, deadline).await;
        if let (Ok(text), Queue::Calls(demand)) = (&outcome, route.queue)
            && text.as_str().len() > HEAVY_ANSWER_BYTES
        {
            self.admission.mark_heavy(demand);
        }
        match &outcome {
            Err(failure) if failure.is_connection_failure() => breaker.record_failure(Instant::now()),
            Err(Failure::TimedOut | Failure::QueueTimeout | Failure::Overloaded) => drop(breaker),
            _ => breaker.record_success(),
        }
        outcome
    }

    /// Sends once, not while the breaker is open, and without a record in it.
    pub(super) async fn send_uncounted(
        &self,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        if !self.breaker.is_closed() {
            return Err(Failure::BreakerOpen);
        }
        let (permit, claim) = self.acquire_resources(&ExchangeResources::control(), deadline).await?;
        self.exchange(permit, claim, method, json, Connection::Pooled, deadline).await
    }

    /// Waits for a permit and for memory. A permit is given back while there is no memory.
    async fn acquire_resources(
        &self,
        route: &ExchangeResources,
        deadline: Deadline,
    ) -> Result<(QueuePermit<'_>, MemoryClaim), Failure> {
        let until = deadline.odoo.min(Instant::now() + MEMORY_WAIT);
        loop {
            let permit = timeout_at(deadline.odoo, self.acquire_permit(route.queue)).await;
            let permit = permit.ok().flatten().ok_or(Failure::QueueTimeout)?;
            match route.account.claim(route.reserved_bytes) {
                Ok(claim) => return Ok((permit, claim)),
                Err(ReserveError::TooLarge) => return Err(Failure::MemoryTimeout),
                Err(_) => drop(permit),
            }
            // Waits only: these bytes are given back, and reserved again with the permit.
            let grown = route.account.grow(route.reserved_bytes, until).await;
            grown.map_err(|_| Failure::MemoryTimeout)?;
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
        permit: QueuePermit<'_>,
        claim: MemoryClaim,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        connection: Connection,
        deadline: Deadline,
    ) -> Result<AnswerText, Failure> {
        // Serialized only now, since it carries the time that the queue left of the deadline.
        let json = json().map_err(|_| Failure::InvalidAnswer)?;
        let account = Arc::clone(claim.account());
        let transport = Arc::clone(&self.transport);
        let exchange = async move { transport.call(method, json, connection, claim, deadline.http).await };
        let outcome = match permit {
            QueuePermit::Calls(permit) => {
                // Odoo goes on with a call whose client has disconnected, so its permit is held as long.
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

/// An exchange that is finished in a background task where its future is dropped halfway.
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
