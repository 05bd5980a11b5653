//! How long requests are still accepted after a switch was turned off.
//!
//! Clients send without pause while the switch is turned off and on again. A request counts as accepted late if it
//! was *sent* after the call that turned the switch off had been answered, and still got a good answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::plan::Target;
use crate::stats::percentile;
use crate::wire::Connection;

/// Between two requests of a client: precise enough, and leaves the machine to the servers.
const PACE: Duration = Duration::from_millis(2);
/// The switch has taken effect when nothing was accepted for this long.
const QUIET: Duration = Duration::from_millis(600);
/// A flip that takes longer than this is a failure of its own.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the clients send; a good answer means "accepted". One client per entry.
    probes: Vec<Target>,
    /// The status of a refusal, ...
    refused_status: u16,
    /// ... or a text in it; any other answer is an error.
    refused_text: String,
    off: Target,
    on: Target,
    flips: usize,
}

#[derive(Serialize)]
pub struct Report {
    flips: usize,
    /// From the answer of the call that turned the switch off to the sending of the last accepted request.
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The same from the moment that call was sent: what a person at the button sees.
    click_p50_ms: f64,
    click_p99_ms: f64,
    click_max_ms: f64,
    /// From the answer of the call that turned it on again to the first accepted request.
    on_p50_ms: f64,
    on_max_ms: f64,
    accepted: usize,
    refused: usize,
    errors: usize,
    error_samples: Vec<String>,
}

/// What the clients see.
struct Watch {
    refused_status: u16,
    refused_text: String,
    stop: Cell<bool>,
    last_accepted_sent: Cell<Instant>,
    /// The first request accepted since this was last cleared.
    first_accepted: Cell<Option<Instant>>,
    accepted: Cell<usize>,
    refused: Cell<usize>,
    errors: RefCell<Vec<String>>,
}

/// Delays in milliseconds, one entry a flip.
#[derive(Default)]
struct Delays {
    commit: Vec<f64>,
    click: Vec<f64>,
    on: Vec<f64>,
}

/// Turn the switch `flips` times.
pub async fn run(plan: Plan) -> Result<Report> {
    let watch = Rc::new(Watch::new(plan.refused_status, plan.refused_text.clone()));
    let clients: Vec<_> = plan
        .probes
        .iter()
        .map(|probe| tokio::task::spawn_local(client(probe.clone(), watch.clone())))
        .collect();
    let outcome = flips(&plan, &watch).await;
    watch.stop.set(true);
    for client in clients {
        client.await??;
    }
    Ok(report(outcome?, &watch))
}

async fn flips(plan: &Plan, watch: &Watch) -> Result<Delays> {
    let mut delays = Delays::default();
    until_accepted(watch).await?;
    for flip in 0..plan.flips {
        // A different moment of the servers' own rhythms each time.
        tokio::time::sleep(Duration::from_millis(100 + (flip as u64 * 37) % 200)).await;
        let click = Instant::now();
        turn(&plan.off).await?;
        let commit = Instant::now();
        let last = until_quiet(watch).await?;
        delays.click.push(millis(last, click));
        delays.commit.push(millis(last, commit));
        turn(&plan.on).await?;
        let back = Instant::now();
        delays.on.push(millis(until_accepted(watch).await?, back));
    }
    Ok(delays)
}

async fn client(probe: Target, watch: Rc<Watch>) -> Result<()> {
    let (authority, _) = probe.split_url()?;
    let requests = probe.encode()?;
    let mut connection = Connection::new(authority, PATIENCE);
    let mut call = 0;
    while !watch.stop.get() {
        let sent = Instant::now();
        match connection.exchange(&requests[call % requests.len()]).await {
            Ok(answer) => {
                let fault = probe.expect.fault(answer.status, answer.body);
                let refused = watch.is_refusal(answer.status, answer.body);
                watch.see(sent, fault, refused);
            }
            Err(error) => watch.error(format!("{error:#}")),
        }
        call += 1;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

async fn turn(target: &Target) -> Result<()> {
    let (authority, _) = target.split_url()?;
    let mut connection = Connection::new(authority, PATIENCE);
    let requests = target.encode()?;
    let answer = connection.exchange(&requests[0]).await?;
    let fault = target.expect.fault(answer.status, answer.body);
    ensure!(fault.is_none(), "turning the switch: {}", fault.unwrap_or_default());
    Ok(())
}

/// When the last request was sent that was still accepted.
async fn until_quiet(watch: &Watch) -> Result<Instant> {
    let start = Instant::now();
    let refused = watch.refused.get();
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let last = watch.last_accepted_sent.get();
        if last.max(start).elapsed() > QUIET && watch.refused.get() > refused {
            return Ok(last);
        }
        ensure!(start.elapsed() < PATIENCE, "requests are still accepted {PATIENCE:?} after the switch");
    }
}

async fn until_accepted(watch: &Watch) -> Result<Instant> {
    watch.first_accepted.set(None);
    let start = Instant::now();
    loop {
        if let Some(first) = watch.first_accepted.get() {
            return Ok(first);
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "nothing is accepted {PATIENCE:?} after the switch was turned on"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// From `earlier` to `later`; zero if it is the other way round.
fn millis(later: Instant, earlier: Instant) -> f64 {
    later.saturating_duration_since(earlier).as_secs_f64() * 1000.0
}

fn report(mut delays: Delays, watch: &Watch) -> Report {
    for values in [&mut delays.commit, &mut delays.click, &mut delays.on] {
        values.sort_by(f64::total_cmp);
    }
    let errors = watch.errors.borrow();
    Report {
        flips: delays.commit.len(),
        p50_ms: percentile(&delays.commit, 50.0),
        p99_ms: percentile(&delays.commit, 99.0),
        max_ms: percentile(&delays.commit, 100.0),
        click_p50_ms: percentile(&delays.click, 50.0),
        click_p99_ms: percentile(&delays.click, 99.0),
        click_max_ms: percentile(&delays.click, 100.0),
        on_p50_ms: percentile(&delays.on, 50.0),
        on_max_ms: percentile(&delays.on, 100.0),
        accepted: watch.accepted.get(),
        refused: watch.refused.get(),
        errors: errors.len(),
        error_samples: errors.iter().take(3).cloned().collect(),
    }
}

// === impl Watch ===

impl Watch {
    fn new(refused_status: u16, refused_text: String) -> Self {
        Self {
            refused_status,
            refused_text,
            stop: Cell::new(false),
            last_accepted_sent: Cell::new(Instant::now()),
            first_accepted: Cell::new(None),
            accepted: Cell::new(0),
            refused: Cell::new(0),
            errors: RefCell::default(),
        }
    }

    fn is_refusal(&self, status: u16, body: &[u8]) -> bool {
        status == self.refused_status || memchr::memmem::find(body, self.refused_text.as_bytes()).is_some()
    }

    fn see(&self, sent: Instant, fault: Option<String>, refused: bool) {
        match fault {
            None => {
                self.accepted.set(self.accepted.get() + 1);
                // Answers arrive out of order: an older request must not hide a newer one.
                self.last_accepted_sent.set(self.last_accepted_sent.get().max(sent));
                if self.first_accepted.get().is_none() {
                    self.first_accepted.set(Some(Instant::now()));
                }
            }
            Some(_) if refused => self.refused.set(self.refused.get() + 1),
            Some(fault) => self.error(fault),
        }
    }

    fn error(&self, text: String) {
        self.errors.borrow_mut().push(text);
    }
}
