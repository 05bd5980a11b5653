//! Offloads long computations from the runtime's workers (`tokio::task::block_in_place`), so that a large message
//! delays no other one: the worker's other tasks move to another thread meanwhile.
//!
//! How many run at once is bounded by the permits for large bodies and for calls in flight.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Handle, RuntimeFlavor};

/// From this size on, parsing JSON with many small values may take more than a millisecond.
pub const OFFLOAD_FROM_BYTES: usize = 16 * 1024;

/// Text that is only scanned and copied is processed so many times as fast.
const TEXT_SCAN_SPEEDUP: usize = 16;

/// Runs `work` on `bytes` of input; off the runtime's workers where these are many.
pub fn offload<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    // A runtime of one thread, as in tests, has no other thread for its tasks.
    let many = || Handle::try_current().is_ok_and(|now| now.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes >= OFFLOAD_FROM_BYTES && many() { tokio::task::block_in_place(work) } else { work() }
}

/// The same for `bytes` of text that is not parsed.
pub fn offload_text_scan<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    offload(bytes / TEXT_SCAN_SPEEDUP, work)
}

/// A future whose polls may take long, since they process `bytes` of input.
#[derive(Debug)]
pub struct Offload<F> {
    bytes: usize,
    inner: Pin<Box<F>>,
}

impl<F: Future> Offload<F> {
    pub fn new(bytes: usize, inner: F) -> Self {
        Self { bytes, inner: Box::pin(inner) }
    }
}

impl<F: Future> Future for Offload<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let bytes = self.bytes;
        let inner = self.inner.as_mut();
        offload(bytes, || inner.poll(context))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Blocks the only worker, and answers how long another task waited for it.
    async fn delay_of_another(bytes: usize) -> Duration {
        let blocking =
            tokio::spawn(async move { offload(bytes, || std::thread::sleep(Duration::from_millis(400))) });
        let begun = Instant::now();
        let other = tokio::spawn(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
        });
        other.await.unwrap();
        let delay = begun.elapsed();
        blocking.await.unwrap();
        delay
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn an_offloaded_input_delays_no_other_task() {
        assert!(delay_of_another(OFFLOAD_FROM_BYTES).await < Duration::from_millis(300));
        // The control: on the worker itself the other task has to wait.
        assert!(delay_of_another(0).await >= Duration::from_millis(300));
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_runs_it_in_place() {
        assert_eq!(Offload::new(OFFLOAD_FROM_BYTES, async { 7 }).await, 7);
    }
}
