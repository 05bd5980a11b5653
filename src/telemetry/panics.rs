//! A panic hook: each panic is logged as an error and counted.
//!
//! A panic ends the task that it happens in: one connection, one HTTP/2 request, one run of a background task. None
//! should be reachable, so it must not go by unseen either. Its message is left out of the log, since it can quote
//! what a client sent; the place in the source is what a report needs.

use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Installs the hook for this process.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task panicked and ended; please report this line");
    }));
}

/// How many panics there were since the start.
pub fn count() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_is_counted() {
        let before = std::panic::take_hook();
        install_hook();
        let ended = tokio::spawn(async { assert!(std::hint::black_box(false), "a secret") }).await;
        std::panic::set_hook(before);
        assert!(ended.is_err_and(|error| error.is_panic()));
        assert_eq!(count(), 1);
    }
}
