//! Supervision of background tasks: each has a name, is restarted after a failure, and ends when cancelled.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The pause before a failed task is restarted.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The background tasks of one sidecar; aborted when dropped.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    cancel: CancellationToken,
    set: JoinSet<()>,
}

impl Tasks {
    /// Runs a task until shutdown. `make` starts it, and again after each failure.
    pub(super) fn supervise<F, T>(&mut self, name: &'static str, make: F)
    where
        F: Fn(CancellationToken) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let cancel = self.cancel.clone();
        self.set.spawn(async move {
            while !cancel.is_cancelled() {
                // In a task of its own, so that a panic is a result here and does not end the supervisor.
                let mut run = JoinSet::new();
                run.spawn(make(cancel.child_token()));
                let end = run.join_next().await;
                if cancel.is_cancelled() {
                    return;
                }
                match end {
                    Some(Err(error)) => {
                        tracing::error!(task = name, %error, "a task failed; restarting it")
                    }
                    _ => tracing::error!(task = name, "a task ended unexpectedly; restarting it"),
                }
                let _ = tokio::time::timeout(RESTART_DELAY, cancel.cancelled()).await;
            }
        });
    }

    /// Cancels all tasks and waits for them, at most `within`.
    pub(super) async fn shut_down(mut self, within: Duration) {
        self.cancel.cancel();
        let all = async { while self.set.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("a task did not end in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_restarted_and_ends_when_cancelled() {
        let starts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&starts);
        let mut tasks = Tasks::default();
        tasks.supervise("test", move |cancel| {
            let counter = Arc::clone(&counter);
            async move {
                assert!(counter.fetch_add(1, Ordering::SeqCst) > 0, "the first start fails");
                cancel.cancelled().await;
            }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        tasks.shut_down(Duration::from_secs(1)).await;
    }
}
