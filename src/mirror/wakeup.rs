//! Verification of wake-ups: small signed messages (HMAC) by which Odoo makes "off" and "revoked" act at once.
//!
//! The secret is made by this process and sent in `hello`. A message is accepted for 30 seconds, and once (replay
//! protection).

use std::collections::VecDeque;
use std::sync::Mutex;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::odoo::contract::WakeUp;
use crate::vocab::{Clock, MutexExt, Secret};

/// The most by which the time of a message may differ from this clock.
const MAX_CLOCK_SKEW_MS: f64 = 30_000.0;
/// The most signatures that are remembered: more than Odoo sends within the window.
const MAX_SEEN_SIGNATURES: usize = 4096;

/// Why a wake-up is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WakeupError {
    #[error("no wake-ups are expected")]
    Unexpected,
    #[error("the signature is wrong")]
    Signature,
    #[error("the body is not a wake-up")]
    Malformed,
    #[error("the time is too far away")]
    Time,
}

#[derive(Debug)]
pub(super) struct WakeupVerifier {
    clock: Clock,
    secret: Mutex<Option<Secret>>,
    /// Signatures of accepted messages with the age at which they expire.
    seen: Mutex<VecDeque<(u64, [u8; 32])>>,
}

impl WakeupVerifier {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, secret: Mutex::new(None), seen: Mutex::new(VecDeque::new()) }
    }

    pub(super) fn set_secret(&self, secret: Option<Secret>) {
        *self.secret.locked() = secret;
    }

    /// Verifies a message; none where it is a repetition.
    pub(super) fn verify(&self, body: &[u8], signature: &str) -> Result<Option<WakeUp>, WakeupError> {
        let secret = self.secret.locked().clone();
        let secret = secret.ok_or(WakeupError::Unexpected)?;
        let mut sent = [0; 32];
        let hex = signature.strip_prefix("sha256=").ok_or(WakeupError::Signature)?;
        hex::decode_to_slice(hex, &mut sent).map_err(|_| WakeupError::Signature)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .map_err(|_| WakeupError::Unexpected)?;
        mac.update(body);
        // Compares in constant time.
        mac.verify_slice(&sent).map_err(|_| WakeupError::Signature)?;
        let wake: WakeUp = serde_json::from_slice(body).map_err(|_| WakeupError::Malformed)?;
        let distance = wake.time.mul_add(1000.0, -(self.clock.unix_ms() as f64)).abs();
        // Written so that NaN is refused.
        if !matches!(
            distance.partial_cmp(&MAX_CLOCK_SKEW_MS),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
        ) {
            return Err(WakeupError::Time);
        }
        Ok(self.is_new(sent).then_some(wake))
    }

    fn is_new(&self, signature: [u8; 32]) -> bool {
        let now = self.clock.age_ms();
        let mut seen = self.seen.locked();
        while seen.front().is_some_and(|(until, _)| *until < now) || seen.len() >= MAX_SEEN_SIGNATURES {
            seen.pop_front();
        }
        if seen.iter().any(|(_, known)| *known == signature) {
            return false;
        }
        seen.push_back((now + 2 * MAX_CLOCK_SKEW_MS as u64, signature));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SAMPLE: &str = include_str!("../../tests/wire/contract/wake.json");

    fn sample() -> (WakeupVerifier, Clock, String, String) {
        let sample: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
        let text = |name: &str| sample[name].as_str().unwrap().to_owned();
        let clock = Clock::manual_at(1_795_440_600_250 - 30_000);
        let verifier = WakeupVerifier::new(clock.clone());
        verifier.set_secret(Some(Secret::new(text("wake_secret"))));
        (verifier, clock, text("body"), text("signature"))
    }

    #[test]
    fn the_shared_sample_is_accepted_once() {
        let (verifier, _, body, signature) = sample();
        let wake = verifier.verify(body.as_bytes(), &signature).unwrap().unwrap();
        assert_eq!((wake.seq, wake.enabled, wake.settings_version, wake.revoked.len()), (12, false, 8, 1));
        assert!(verifier.verify(body.as_bytes(), &signature).unwrap().is_none());
    }

    #[test]
    fn a_message_counts_for_thirty_seconds_each_way() {
        let (verifier, clock, body, signature) = sample();
        clock.advance(Duration::from_millis(60_000));
        assert!(verifier.verify(body.as_bytes(), &signature).unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        assert_eq!(verifier.verify(body.as_bytes(), &signature).unwrap_err(), WakeupError::Time);
    }

    #[test]
    fn a_future_message_is_refused() {
        let (_, _, body, signature) = sample();
        let sample: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
        let verifier = WakeupVerifier::new(Clock::manual_at(1_795_440_600_250 - 30_001));
        verifier.set_secret(sample["wake_secret"].as_str().map(Secret::new));
        assert_eq!(verifier.verify(body.as_bytes(), &signature).unwrap_err(), WakeupError::Time);
    }

    #[test]
    fn other_signatures_are_refused() {
        let (verifier, _, body, signature) = sample();
        let upper = signature.to_uppercase();
        let short = &signature[..signature.len() - 2];
        let other = format!("{}00", short);
        for wrong in
            ["", "sha256=", "sha256=zz", short, &other, &upper, signature.trim_start_matches("sha256=")]
        {
            assert_eq!(
                verifier.verify(body.as_bytes(), wrong).unwrap_err(),
                WakeupError::Signature,
                "{wrong}"
            );
        }
        assert_eq!(verifier.verify(b"{}", &signature).unwrap_err(), WakeupError::Signature);
        verifier.set_secret(None);
        assert_eq!(verifier.verify(body.as_bytes(), &signature).unwrap_err(), WakeupError::Unexpected);
    }
}
