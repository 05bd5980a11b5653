//! A closed loop: each client sends its next request when the last one is answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio::sync::Barrier;

use crate::plan::{Plan, Target};
use crate::stats::percentile;
use crate::wire::Connection;

const SHOWN_ERRORS: usize = 3;

/// What one measurement found.
#[derive(Serialize)]
pub struct Report {
    /// Good answers; all other figures are of these.
    calls: usize,
    errors: usize,
    error_samples: Vec<String>,
    seconds: f64,
    rps: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    /// Median size of an answer's body, and of everything received for it.
    body_bytes: usize,
    wire_bytes: usize,
    /// Good answers by status.
    statuses: BTreeMap<u16, usize>,
    /// TCP connections opened, warm-up included.
    connects: usize,
    /// Share of one core that this generator used.
    cpu: f64,
}

#[derive(Default)]
struct Tally {
    started: usize,
    latencies_ms: Vec<f64>,
    body_bytes: Vec<usize>,
    wire_bytes: Vec<usize>,
    statuses: BTreeMap<u16, usize>,
    errors: usize,
    error_samples: Vec<String>,
    connects: usize,
}

/// What the clients share; they all live on one thread.
struct Shared {
    plan: Plan,
    requests: Vec<Vec<u8>>,
    barrier: Arc<Barrier>,
    tally: RefCell<Tally>,
}

/// Run the plan.
pub async fn run(plan: Plan) -> Result<Report> {
    let requests = plan.target.encode()?;
    let clients = plan.clients.max(1);
    // One more than the clients: this task starts the clock.
    let barrier = Arc::new(Barrier::new(clients + 1));
    let shared = Rc::new(Shared { plan, requests, barrier, tally: RefCell::default() });
    let tasks: Vec<_> = (0..clients).map(|me| tokio::task::spawn_local(client(me, shared.clone()))).collect();
    shared.barrier.wait().await;
    let (start, ticks) = (Instant::now(), crate::cpu::ticks());
    for task in tasks {
        task.await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = crate::cpu::share(ticks, seconds);
    Ok(shared.tally.take().report(seconds, cpu))
}

async fn client(me: usize, shared: Rc<Shared>) -> Result<()> {
    let plan = &shared.plan;
    let (authority, _) = plan.target.split_url()?;
    let mut connection = Connection::new(authority, Duration::from_secs_f64(plan.timeout_seconds));
    for call in 0..plan.warmup_calls {
        // A fault here shows again, and is counted, in the calls that follow.
        let _ = connection.exchange(shared.request(me, call)).await;
    }
    shared.barrier.wait().await;
    let end = Instant::now() + Duration::from_secs_f64(plan.seconds);
    let mut call = 0;
    while shared.may_start(end) {
        shared.call(&mut connection, shared.request(me, call)).await;
        call += 1;
    }
    shared.tally.borrow_mut().connects += connection.connects;
    Ok(())
}

// === impl Shared ===

impl Shared {
    fn request(&self, me: usize, call: usize) -> &[u8] {
        let Target { rotate, .. } = self.plan.target;
        let index = if rotate { me + call * self.plan.clients } else { me };
        &self.requests[index % self.requests.len()]
    }

    fn may_start(&self, end: Instant) -> bool {
        let mut tally = self.tally.borrow_mut();
        let may = tally.started < self.plan.max_calls && Instant::now() < end;
        tally.started += usize::from(may);
        may
    }

    async fn call(&self, connection: &mut Connection, request: &[u8]) {
        let start = Instant::now();
        let outcome = connection.exchange(request).await;
        let latency = start.elapsed().as_secs_f64() * 1000.0;
        let mut tally = self.tally.borrow_mut();
        match outcome {
            Ok(answer) => match self.plan.target.expect.fault(answer.status, answer.body) {
                None => {
                    tally.latencies_ms.push(latency);
                    tally.body_bytes.push(answer.body.len());
                    tally.wire_bytes.push(answer.wire_bytes);
                    *tally.statuses.entry(answer.status).or_default() += 1;
                }
                Some(fault) => tally.error(fault),
            },
            Err(error) => tally.error(format!("{error:#}")),
        }
    }
}

// === impl Tally ===

impl Tally {
    fn error(&mut self, text: String) {
        self.errors += 1;
        if self.error_samples.len() < SHOWN_ERRORS && !self.error_samples.contains(&text) {
            self.error_samples.push(text);
        }
    }

    fn report(mut self, seconds: f64, cpu: f64) -> Report {
        self.latencies_ms.sort_by(f64::total_cmp);
        let calls = self.latencies_ms.len();
        Report {
            calls,
            errors: self.errors,
            error_samples: self.error_samples,
            seconds,
            rps: calls as f64 / seconds,
            p50_ms: percentile(&self.latencies_ms, 50.0),
            p95_ms: percentile(&self.latencies_ms, 95.0),
            p99_ms: percentile(&self.latencies_ms, 99.0),
            body_bytes: median(self.body_bytes),
            wire_bytes: median(self.wire_bytes),
            statuses: self.statuses,
            connects: self.connects,
            cpu,
        }
    }
}

fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
