//! The cached settings and the gate made of them: open, off, or unknown where the settings are stale.
//!
//! Two sources write here: answers of `hello` and `changes`, which are complete and may be late, and wake-ups,
//! which are immediate and carry the switch alone. A document requested before a wake-up arrived must not undo
//! it, unless it is newer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use super::Gate;
use crate::odoo::contract::{SettingsDocument, WakeUp};
use crate::vocab::{Clock, RwLockExt};

#[derive(Debug)]
pub(super) struct SettingsGate {
    clock: Clock,
    /// Read by `gate` without the lock.
    enabled: AtomicBool,
    confirmed_ms: AtomicU64,
    max_age_ms: AtomicU64,
    /// A counter of wake-ups, by which an answer is known to be overtaken.
    wakeups: AtomicU64,
    settings: RwLock<Option<Arc<SettingsDocument>>>,
    gate: watch::Sender<Gate>,
}

/// The time and the wake-up counter at which a request was sent.
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

    /// The age of the latest confirmation; none before the first.
    pub(super) fn age_ms(&self) -> Option<u64> {
        let at = self.confirmed_ms.load(Ordering::Acquire);
        (at > 0).then(|| self.clock.age_ms().saturating_sub(at))
    }

    /// Whether the settings are not stale.
    pub(super) fn is_fresh(&self) -> bool {
        self.age_ms().is_some_and(|age| age <= self.max_age_ms.load(Ordering::Acquire))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    pub(super) fn settings(&self) -> Option<Arc<SettingsDocument>> {
        self.settings.read_locked().clone()
    }

    /// The stamp of a request; taken before `hello` or `changes` is sent.
    pub(super) fn stamp(&self) -> RequestStamp {
        RequestStamp { at_ms: self.clock.age_ms(), wakeups: self.wakeups.load(Ordering::Acquire) }
    }

    /// Confirms the cached settings, or replaces them by `settings`.
    pub(super) fn confirm(&self, stamp: RequestStamp, settings: Option<SettingsDocument>) {
        let mut known = self.settings.write_locked();
        if let Some(settings) = settings {
            let overtaken = self.wakeups.load(Ordering::Acquire) != stamp.wakeups
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
            self.confirmed_ms.store(stamp.at_ms, Ordering::Release);
        }
        drop(known);
        self.publish();
    }

    /// Applies the switch: off at once, on only where it is not older than the cached settings.
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

    /// Closes the gate until the next confirmation: the addon speaks another contract.
    pub(super) fn invalidate(&self) {
        self.confirmed_ms.store(0, Ordering::Release);
        self.publish();
    }

    /// Notifies subscribers of a changed gate.
    pub(super) fn publish(&self) {
        self.gate.send_if_modified(|known| {
            let now = self.gate();
            std::mem::replace(known, now) != now
        });
    }
}
