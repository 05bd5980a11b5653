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
use super::cost;
use super::failure::Failure;
use super::gateway::Call;
use super::memory::{Account, Claim, Full};
use super::transport::Text;

/// The pause before a busy Odoo is asked again; doubled each time, up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a call waits for room for its answer before it is sent; it holds nothing in Odoo meanwhile.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

/// An answer after which the next of its kind counts as a long call, however fast it came: it would fill a batch.
const LONG_ANSWER: usize = 1024 * 1024;

type Exchange = Pin<Box<dyn Future<Output = Result<Text, Failure>> + Send>>;

/// Where an exchange queues, and where the memory for its answer is reserved.
#[derive(Debug, Clone)]
pub(super) struct Route {
    queue: Queue,
    account: Arc<Account>,
    /// Reserved before anything is sent.
    room: usize,
}

#[derive(Debug, Clone, Copy)]
enum Queue {
    Calls(Demand),
    /// Calls of the sidecar itself, which slow calls of people must not starve.
    Control,
}

// === impl Route ===

impl Route {
    pub(super) fn call(call: &Call) -> Self {
        Self {
            queue: Queue::Calls(cost::demand(call)),
            account: Arc::clone(&call.account),
            room: cost::answer_bytes(call),
        }
    }

    /// Of calls of several connections, which wait as one.
    pub(super) fn batch<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut account = Arc::default();
        let mut room = 0;
        for call in calls {
            if room == 0 {
                account = call.account.shared();
            }
            room += cost::answer_bytes(call);
        }
        Self { queue: Queue::Calls(Demand::default()), account, room }
    }

    /// What is no call of a connection, but works in Odoo like one.
    pub(super) fn common() -> Self {
        Self { queue: Queue::Calls(Demand::default()), account: Arc::default(), room: 0 }
    }

    pub(super) fn control() -> Self {
        Self::control_for(Arc::default())
    }

    /// A question of the sidecar whose answer belongs to a call.
    pub(super) fn control_for(account: Arc<Account>) -> Self {
        Self { queue: Queue::Control, account, room: 0 }
    }
}

/// What an exchange holds in the queue that it came through; given back with its last byte.
#[derive(Debug)]
enum Held<'a> {
    Calls(Permit),
    Control(#[allow(dead_code, reason = "held, not read")] SemaphorePermit<'a>),
}

// === impl Client ===

impl Client {
    /// Sends what changes nothing, again where that helps: at once and one time where the connection
    /// failed, after growing pauses until the deadline where Odoo is busy.
    pub(super) async fn repeat(
        &self,
        route: &Route,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        let (mut resent, mut pause) = (false, FIRST_PAUSE);
        loop {
            match self.attempt(route, method, &json, false, deadline).await {
                Ok(text) => return Ok(text),
                Err(Failure::Unsent | Failure::Broken) if !resent => resent = true,
                Err(Failure::Overloaded | Failure::Contended) if Instant::now() + pause < deadline.odoo => {
                    // Spread, so that those who were refused together do not come back together.
                    let share = rand::rng().random_range(0.5..1.0);
                    sleep(pause.mul_f64(share)).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Sends once: breaker, queue, Odoo.
    pub(super) async fn attempt(
        &self,
        route: &Route,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        fresh: bool,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        let pass = self.breaker.pass(Instant::now()).ok_or(Failure::Away)?;
        let (held, claim) = self.enter(route, deadline).await?;
        let outcome = self.exchange(held, claim, method, json, fresh, deadline).await;
        if let (Ok(text), Queue::Calls(demand)) = (&outcome, route.queue)
            && text.as_str().len() > LONG_ANSWER
        {
            self.admission.mark_heavy(demand);
        }
        match &outcome {
            Err(failure) if failure.is_of_connection() => pass.failed(Instant::now()),
            Err(Failure::TimedOut | Failure::Crowded | Failure::Overloaded) => drop(pass),
            _ => pass.answered(),
        }
        outcome
    }

    /// Sends once, beside the breaker: not while it is open, and without effect on it.
    pub(super) async fn aside(
        &self,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        if !self.breaker.is_closed() {
            return Err(Failure::Away);
        }
        let (held, claim) = self.enter(&Route::control(), deadline).await?;
        self.exchange(held, claim, method, json, false, deadline).await
    }

    /// Waits for a permit and for room. Who has a permit and no room gives it back before it waits.
    async fn enter(&self, route: &Route, deadline: Deadline) -> Result<(Held<'_>, Claim), Failure> {
        let patience = deadline.odoo.min(Instant::now() + ROOM_PATIENCE);
        loop {
            let held = timeout_at(deadline.odoo, self.queue(route.queue)).await;
            let held = held.ok().flatten().ok_or(Failure::Crowded)?;
            match route.account.claim(route.room) {
                Ok(claim) => return Ok((held, claim)),
                Err(Full::Ever) => return Err(Failure::NoRoom),
                Err(_) => drop(held),
            }
            // Only a look: what it reserves is given back, and taken again with the permit.
            let room = route.account.grow(route.room, patience).await;
            room.map_err(|_| Failure::NoRoom)?;
            route.account.shrink(route.room);
        }
    }

    async fn queue(&self, queue: Queue) -> Option<Held<'_>> {
        match queue {
            Queue::Calls(demand) => self.admission.acquire(demand).await.map(Held::Calls),
            Queue::Control => self.control.acquire().await.ok().map(Held::Control),
        }
    }

    async fn exchange(
        &self,
        held: Held<'_>,
        claim: Claim,
        method: &'static str,
        json: impl Fn() -> Result<String, serde_json::Error>,
        fresh: bool,
        deadline: Deadline,
    ) -> Result<Text, Failure> {
        // Made only now, since it says how much of its time the queue left.
        let json = json().map_err(|_| Failure::Unusable)?;
        let account = Arc::clone(claim.account());
        let transport = Arc::clone(&self.transport);
        let exchange = async move { transport.call(method, json, fresh, claim, deadline.http).await };
        let outcome = match held {
            Held::Calls(permit) => {
                // Odoo goes on with a call whose caller has left, so its permit stays as long.
                let exchange = async move {
                    let outcome = exchange.await;
                    drop(permit);
                    outcome
                };
                Finishing { exchange: Some(Box::pin(exchange)), account }.await
            }
            Held::Control(_permit) => exchange.await,
        };
        if let Err(failure) = &outcome {
            tracing::debug!(method, failure = failure.name(), "a call of Odoo failed");
        }
        outcome
    }
}

/// An exchange that is seen through in the background where it is dropped halfway.
struct Finishing {
    exchange: Option<Exchange>,
    account: Arc<Account>,
}

impl Future for Finishing {
    type Output = Result<Text, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Polled after its end, which no `await` does, it stays pending.
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        let outcome = std::task::ready!(exchange.as_mut().poll(context));
        self.exchange = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        if let (Some(exchange), Ok(runtime)) = (self.exchange.take(), Handle::try_current()) {
            self.account.abandon();
            runtime.spawn(exchange);
        }
    }
}
