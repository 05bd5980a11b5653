//! Who stands behind a credential, cached: live ones, refused ones, and how often Odoo may be asked.
//!
//! All keys are proofs; no credential comes in here. An entry is served while it is young, its credential
//! has not expired and nothing about its connection changed since Odoo was asked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::budget::Budget;
use super::lives::{Epoch, Lives};
use super::{Denied, Options};
use crate::odoo::gateway::{AuthenticateAnswer, AuthenticateRequest, Fault, FaultCode};
use crate::odoo::{Client, Error};
use crate::vocab::{AddressRules, Clock, Principal, Proof, RateLimits, User};

/// How long a credential that was once good is asked about outside the budget for unknown ones.
const SEEN_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long an entry that could not be renewed is served before Odoo is asked again.
const AGAIN_MS: u64 = 5000;
/// How often an answer may be overtaken by a change before the caller is told to come back.
const TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Principals {
    client: Arc<Client>,
    clock: Clock,
    lives: Arc<Lives>,
    live: Cache<Proof, Arc<Live>>,
    /// With an address where only that is refused.
    refused: Cache<(Proof, Option<IpAddr>), Arc<Refused>>,
    /// What Odoo said last of a proof that was good.
    seen: Cache<Proof, Arc<Live>>,
    budget: Budget,
    ttl_ms: u64,
    refusal_ttl_ms: u64,
}

#[derive(Debug, Clone)]
struct Live {
    principal: Arc<Principal>,
    asked: Epoch,
    at_ms: u64,
    expires_unix_ms: Option<u64>,
}

#[derive(Debug)]
struct Refused {
    denied: Denied,
    asked: Epoch,
    at_ms: u64,
}

/// What a cached entry is worth now.
enum Worth {
    Good,
    Expired,
    Outdated,
}

impl Principals {
    pub(super) fn new(client: Arc<Client>, options: &Options, clock: Clock, lives: Arc<Lives>) -> Self {
        // The caches' own lifetimes only free memory; what counts is judged by the mirror's clock.
        let cache = |ttl_ms: u64| Duration::from_millis(ttl_ms.clamp(1, 24 * 3_600_000));
        Self {
            client,
            clock,
            lives,
            live: Cache::builder()
                .max_capacity(options.max_connections)
                .time_to_live(cache(options.connection_ttl_ms))
                .build(),
            refused: Cache::builder()
                .max_capacity(options.max_refusals)
                .time_to_live(cache(options.refusal_ttl_ms))
                .build(),
            seen: Cache::builder()
                .max_capacity(options.max_connections.saturating_mul(4))
                .time_to_idle(SEEN_FOR)
                .build(),
            budget: Budget::new(options),
            ttl_ms: options.connection_ttl_ms,
            refusal_ttl_ms: options.refusal_ttl_ms,
        }
    }

    /// The live principal of a proof, from the cache or by asking Odoo once for all who wait.
    pub(super) async fn get(&self, proof: &Proof, peer: IpAddr) -> Result<Arc<Principal>, Denied> {
        for _ in 0..TRIES {
            let live = match self.live.get(proof).await {
                Some(live) => live,
                None => self.ask(proof, peer).await?,
            };
            match self.worth(&live) {
                Worth::Good => return Ok(Arc::clone(&live.principal)),
                Worth::Expired => return Err(Denied::Invalid { reason: "expired".to_owned() }),
                Worth::Outdated => self.drop_entry(proof, &live).await,
            }
        }
        // Its connection changes faster than Odoo answers.
        Err(Denied::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Whether a refusal is cached that still counts.
    pub(super) async fn has_refused(&self, proof: &Proof) -> bool {
        let refused = self.refused.get(&(proof.clone(), None)).await;
        refused.is_some_and(|refused| self.still_refused(&refused))
    }

    async fn ask(&self, proof: &Proof, peer: IpAddr) -> Result<Arc<Live>, Denied> {
        let peer = peer.to_canonical();
        for address in [None, Some(peer)] {
            if let Some(refused) = self.refused.get(&(proof.clone(), address)).await
                && self.still_refused(&refused)
            {
                return Err(refused.denied.clone());
            }
        }
        for _ in 0..TRIES {
            let live = self.live.try_get_with_by_ref(proof, self.load(proof, peer)).await;
            match live.map_err(|denied| Denied::clone(&denied)) {
                // Those who wait share one answer, and this one was for another address.
                Err(Denied::Address { address }) if address != peer => {}
                live => return live,
            }
        }
        Err(Denied::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Frees what is not used any more.
    pub(super) fn tidy(&self) {
        self.budget.tidy();
    }

    fn worth(&self, live: &Live) -> Worth {
        if !self.lives.holds(live.principal.connection, live.asked)
            || self.clock.age_ms().saturating_sub(live.at_ms) >= self.ttl_ms
        {
            Worth::Outdated
        } else if live.expires_unix_ms.is_some_and(|end| end <= self.clock.unix_ms()) {
            Worth::Expired
        } else {
            Worth::Good
        }
    }

    /// A refusal ends with any change of any connection: it is not known whose the credential was.
    fn still_refused(&self, refused: &Refused) -> bool {
        refused.asked == self.lives.epoch()
            && self.clock.age_ms().saturating_sub(refused.at_ms) < self.refusal_ttl_ms
    }

    /// Drops the entry, unless another has taken its place.
    async fn drop_entry(&self, proof: &Proof, entry: &Arc<Live>) {
        if self.live.get(proof).await.is_some_and(|held| Arc::ptr_eq(&held, entry)) {
            self.live.invalidate(proof).await;
        }
    }

    async fn load(&self, proof: &Proof, peer: IpAddr) -> Result<Arc<Live>, Denied> {
        if !self.seen.contains_key(proof) {
            self.budget.spend(peer).map_err(|retry_after| Denied::Busy { retry_after })?;
        }
        let (asked, at_ms) = (self.lives.epoch(), self.clock.age_ms());
        let request = AuthenticateRequest { proof: proof.clone(), ip: peer.to_canonical().to_string() };
        match self.client.authenticate(&request).await {
            Ok(answer) => {
                let live = live(answer, proof, asked, at_ms).ok_or(Denied::Unreachable)?;
                let live = Arc::new(live);
                self.seen.insert(proof.clone(), Arc::clone(&live)).await;
                self.lives.vouch(live.principal.connection, asked);
                Ok(live)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::Unauthenticated => {
                Err(self.refuse(proof, &fault, asked, at_ms).await)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::AddressDenied => {
                let denied = Denied::Address { address: peer };
                let refused = Refused { denied: denied.clone(), asked, at_ms };
                self.refused.insert((proof.clone(), Some(peer)), Arc::new(refused)).await;
                Err(denied)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::Disabled => Err(Denied::Disabled),
            Err(error) => self.meanwhile(proof).await.ok_or(match error {
                Error::Busy => Denied::Busy { retry_after: Duration::from_secs(1) },
                _ => Denied::Unreachable,
            }),
        }
    }

    /// What Odoo said last, a little longer, where it cannot be asked. How long that can go on is bounded by
    /// the age of the settings, after which the gate closes; and no call is made without Odoo's own look.
    async fn meanwhile(&self, proof: &Proof) -> Option<Arc<Live>> {
        let last = self.seen.get(proof).await?;
        let at_ms = self.clock.age_ms().saturating_sub(self.ttl_ms.saturating_sub(AGAIN_MS));
        let live = Live { at_ms, ..Live::clone(&last) };
        matches!(self.worth(&live), Worth::Good).then(|| Arc::new(live))
    }

    async fn refuse(&self, proof: &Proof, fault: &Fault, asked: Epoch, at_ms: u64) -> Denied {
        let reason = fault.data.get("reason").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        let was = self.seen.remove(proof).await;
        // An expired token says nothing of its connection, which lives on with the next one.
        let asked = match was {
            Some(last) if matches!(reason, "revoked" | "user") => self.lives.end(last.principal.connection),
            _ => asked,
        };
        let denied = Denied::Invalid { reason: reason.to_owned() };
        let refused = Refused { denied: denied.clone(), asked, at_ms };
        self.refused.insert((proof.clone(), None), Arc::new(refused)).await;
        denied
    }
}

/// A cache entry; none where the end of the credential cannot be read, which must not mean "no end".
fn live(answer: AuthenticateAnswer, proof: &Proof, asked: Epoch, at_ms: u64) -> Option<Live> {
    let expires_unix_ms = match &answer.expires_at {
        None => None,
        Some(text) => {
            let end: jiff::Timestamp = text.parse().ok()?;
            Some(u64::try_from(end.as_millisecond()).unwrap_or(0))
        }
    };
    let AuthenticateAnswer { connection, user, schema_key, .. } = answer;
    let method_level = connection.methods();
    let principal = Principal {
        connection: connection.id,
        connection_name: connection.name,
        kind: connection.kind,
        scope: connection.scope,
        user: User { id: user.id, login: user.login, name: user.name, lang: user.lang, tz: user.tz },
        allowed_tools: connection.allowed_tools,
        allowed_models: connection.allowed_models,
        method_level,
        limits: RateLimits { minute: connection.rate_limit_minute, day: connection.rate_limit_day },
        addresses: AddressRules { allowed: connection.allowed_ips, blocked: connection.blocked_ips },
        schema_key,
        proof: proof.clone(),
    };
    Some(Live { principal: Arc::new(principal), asked, at_ms, expires_unix_ms })
}
