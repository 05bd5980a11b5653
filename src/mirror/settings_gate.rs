//! The settings and the gate made of them: open, off, or unknown because nobody confirmed them for too long.
//!
//! Two sources write here: answers of `hello` and `changes`, which are whole and may be late, and wake-ups,
//! which are at once and carry the switch alone. A document that was asked for before a wake-up came must
//! not undo it, unless it is newer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use super::Gate;
use crate::odoo::contract::{SettingsDocument, WakeUp};
use crate::vocab::{Clock, RwLockExt};

#[derive(Debug)]
pub(super) struct SettingsGate {
    clock: Clock,
    /// The three that `gate` reads, apart from the lock so that it costs nothing.
    enabled: AtomicBool,
    confirmed_ms: AtomicU64,
    max_age_ms: AtomicU64,
    /// Wake-ups so far; tells whether an answer was overtaken by one.
    wakeups: AtomicU64,
    settings: RwLock<Option<Arc<SettingsDocument>>>,
    gate: watch::Sender<Gate>,
}

/// When a question was asked, as far as its answer's weight depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestStamp {
    at_ms: u64,
    wakeups: u64,
}

impl SettingsGate {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            enabled: AtomicBool::new(false),
            confirmed_ms: AtomicU64::new(0),
            max_age_ms: AtomicU64::new(0),
            wakeups: AtomicU64::new(0),
            settings: RwLock::new(None),
            gate: watch::channel(Gate::Unknown).0,
        }
    }

    pub(super) fn gate(&self) -> Gate {
        match self.confirmed_ms.load(Ordering::Acquire) {
            0 => Gate::Unknown,
            _ if !self.enabled.load(Ordering::Acquire) => Gate::Disabled,
            _ if !self.is_fresh() => Gate::Unknown,
            _ => Gate::Open,
        }
    }

    /// How old the latest confirmation is; none: there is none.
    pub(super) fn age_ms(&self) -> Option<u64> {
        let at = self.confirmed_ms.load(Ordering::Acquire);
        (at > 0).then(|| self.clock.age_ms().saturating_sub(at))
    }

    /// Whether it is young enough.
    pub(super) fn is_fresh(&self) -> bool {
        self.age_ms().is_some_and(|age| age <= self.max_age_ms.load(Ordering::Acquire))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    pub(super) fn settings(&self) -> Option<Arc<SettingsDocument>> {
        self.settings.read_locked().clone()
    }

    /// To be taken before `hello` or `changes` is sent.
    pub(super) fn stamp(&self) -> RequestStamp {
        RequestStamp { at_ms: self.clock.age_ms(), wakeups: self.wakeups.load(Ordering::Acquire) }
    }

    /// Odoo answered: what is known still holds, or is what `settings` say.
    pub(super) fn confirm(&self, asked: RequestStamp, settings: Option<SettingsDocument>) {
        let mut known = self.settings.write_locked();
        if let Some(settings) = settings {
            let overtaken = self.wakeups.load(Ordering::Acquire) != asked.wakeups
                && known.as_ref().is_some_and(|known| settings.version < known.version);
            if !overtaken {
                self.enabled.store(settings.enabled, Ordering::Release);
                let max_age_ms = settings.settings_max_age.saturating_mul(1000);
                self.max_age_ms.store(max_age_ms, Ordering::Release);
                if known.as_deref() != Some(&settings) {
                    *known = Some(Arc::new(settings));
                }
            }
        }
        if known.is_some() {
            self.confirmed_ms.store(asked.at_ms, Ordering::Release);
        }
        drop(known);
        self.publish();
    }

    /// Off counts at once; on only where it is not older than what is known.
    pub(super) fn apply_wakeup(&self, wake: &WakeUp) {
        let mut known = self.settings.write_locked();
        self.wakeups.fetch_add(1, Ordering::AcqRel);
        if let Some(before) = known.as_ref()
            && (!wake.enabled || wake.settings_version >= before.version)
        {
            self.enabled.store(wake.enabled, Ordering::Release);
            let mut settings = SettingsDocument::clone(before);
            settings.enabled = wake.enabled;
            settings.version = before.version.max(wake.settings_version);
            *known = Some(Arc::new(settings));
        }
        drop(known);
        self.publish();
    }

    /// The other side speaks another contract: nothing it said counts any more.
    pub(super) fn invalidate(&self) {
        self.confirmed_ms.store(0, Ordering::Release);
        self.publish();
    }

    /// Tells those who watch, where the gate is another than they know.
    pub(super) fn publish(&self) {
        self.gate.send_if_modified(|known| {
            let now = self.gate();
            std::mem::replace(known, now) != now
        });
    }
}
