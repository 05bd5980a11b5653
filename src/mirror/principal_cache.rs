//! Cache of authenticated and refused credentials, with single flight, a rate limit and stale-while-error.
//!
//! All keys are proofs; no credential is passed in here. An entry is served while it is fresh: within its TTL, its
//! credential not expired, and its connection unchanged since the request to Odoo.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::epochs::{ConnectionEpochs, Epoch};
use super::lookup_limiter::LookupLimiter;
use super::{Denied, Options};
use crate::odoo::contract::{AuthenticateAnswer, AuthenticateRequest, Fault, FaultCode};
use crate::odoo::{Client, Error};
use crate::vocab::{
    AddressRules, Clock, ConnectionKind, Credential, CredentialKind, Principal, Proof, RateLimits, User,
};

/// How long a credential that was once good is looked up outside the rate limit of unknown ones.
const KNOWN_GOOD_IDLE_TTL: Duration = Duration::from_secs(24 * 3600);
/// How long a token that was issued here is looked up outside that limit before it was used: clients use it at once.
const ISSUED_TTL: Duration = Duration::from_secs(600);
/// How long a stale entry is served during an outage before Odoo is retried.
const STALE_RETRY_MS: u64 = 5000;
/// How often an answer may be overtaken by a change before the request is refused as busy.
const MAX_LOOKUP_ATTEMPTS: u32 = 3;

#[derive(Debug)]
pub(super) struct PrincipalCache {
    client: Arc<Client>,
    clock: Clock,
    epochs: Arc<ConnectionEpochs>,
    live: Cache<Proof, Arc<CachedPrincipal>>,
    /// The key has an address where only that is refused.
    refused: Cache<(Proof, Option<IpAddr>), Arc<CachedRefusal>>,
    /// The last good answer for a proof.
    known_good: Cache<Proof, Arc<CachedPrincipal>>,
    /// Access tokens that were issued through this replica: as good as known.
    issued: Cache<Proof, ()>,
    lookup_limiter: LookupLimiter,
    ttl_ms: u64,
    refusal_ttl_ms: u64,
}

#[derive(Debug, Clone)]
struct CachedPrincipal {
    principal: Arc<Principal>,
    epoch: Epoch,
    at_ms: u64,
    expires_unix_ms: Option<u64>,
}

#[derive(Debug)]
struct CachedRefusal {
    denied: Denied,
    epoch: Epoch,
    at_ms: u64,
}

/// The freshness of a cached entry.
enum Freshness {
    Fresh,
    Expired,
    Stale,
}

impl PrincipalCache {
    pub(super) fn new(
        client: Arc<Client>,
        options: &Options,
        clock: Clock,
        epochs: Arc<ConnectionEpochs>,
    ) -> Self {
        // The TTLs of the caches only free memory; freshness is judged by the mirror's clock.
        let cache = |ttl_ms: u64| Duration::from_millis(ttl_ms.clamp(1, 24 * 3_600_000));
        Self {
            client,
            clock,
            epochs,
            live: Cache::builder()
                .max_capacity(options.max_connections)
                .time_to_live(cache(options.connection_ttl_ms))
                .build(),
            refused: Cache::builder()
                .max_capacity(options.max_refusals)
                .time_to_live(cache(options.refusal_ttl_ms))
                .build(),
            known_good: Cache::builder()
                .max_capacity(options.max_connections.saturating_mul(4))
                .time_to_idle(KNOWN_GOOD_IDLE_TTL)
                .build(),
            issued: Cache::builder()
                .max_capacity(options.max_connections.saturating_mul(4))
                .time_to_live(ISSUED_TTL)
                .build(),
            lookup_limiter: LookupLimiter::new(options),
            ttl_ms: options.connection_ttl_ms,
            refusal_ttl_ms: options.refusal_ttl_ms,
        }
    }

    /// The live principal of a proof, from the cache or by one request for all that wait (single flight).
    pub(super) async fn get(&self, credential: &Credential, peer: IpAddr) -> Result<Arc<Principal>, Denied> {
        let proof = &credential.proof;
        for _ in 0..MAX_LOOKUP_ATTEMPTS {
            let live = match self.live.get(proof).await {
                Some(live) => live,
                None => self.lookup(credential, peer).await?,
            };
            match self.freshness(&live) {
                Freshness::Fresh => return Ok(Arc::clone(&live.principal)),
                Freshness::Expired => return Err(Denied::Invalid { reason: "expired".to_owned() }),
                Freshness::Stale => self.drop_entry(proof, &live).await,
            }
        }
        // Its connection changes faster than Odoo answers.
        Err(Denied::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Whether a fresh refusal is cached.
    pub(super) async fn has_refused(&self, proof: &Proof) -> bool {
        let refused = self.refused.get(&(proof.clone(), None)).await;
        refused.is_some_and(|refused| self.is_refusal_current(&refused))
    }

    pub(super) async fn token_issued(&self, proof: &Proof) {
        self.issued.insert(proof.clone(), ()).await;
    }

    /// Invalidates each connection that signed in by OAuth.
    pub(super) fn invalidate_oauth(&self) {
        let known = self.known_good.iter().map(|(_, known)| known);
        for known in known.filter(|known| known.principal.kind == ConnectionKind::Oauth) {
            self.epochs.invalidate(known.principal.connection);
        }
    }

    async fn lookup(&self, credential: &Credential, peer: IpAddr) -> Result<Arc<CachedPrincipal>, Denied> {
        let (proof, peer) = (&credential.proof, peer.to_canonical());
        for address in [None, Some(peer)] {
            if let Some(refused) = self.refused.get(&(proof.clone(), address)).await
                && self.is_refusal_current(&refused)
            {
                return Err(refused.denied.clone());
            }
        }
        for _ in 0..MAX_LOOKUP_ATTEMPTS {
            let live = self.live.try_get_with_by_ref(proof, self.load(credential, peer)).await;
            match live.map_err(|denied| Denied::clone(&denied)) {
                // The waiting requests share one answer, and this one was for another address.
                Err(Denied::Address { address }) if address != peer => {}
                live => return live,
            }
        }
        Err(Denied::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Removes idle budgets.
    pub(super) fn remove_idle(&self) {
        self.lookup_limiter.remove_idle();
    }

    fn freshness(&self, live: &CachedPrincipal) -> Freshness {
        if !self.epochs.is_current(live.principal.connection, live.epoch)
            || self.clock.age_ms().saturating_sub(live.at_ms) >= self.ttl_ms
        {
            Freshness::Stale
        } else if live.expires_unix_ms.is_some_and(|end| end <= self.clock.unix_ms()) {
            Freshness::Expired
        } else {
            Freshness::Fresh
        }
    }

    /// Whether a refusal is fresh: any change of any connection ends it, since its connection is unknown.
    fn is_refusal_current(&self, refused: &CachedRefusal) -> bool {
        refused.epoch == self.epochs.epoch()
            && self.clock.age_ms().saturating_sub(refused.at_ms) < self.refusal_ttl_ms
    }

    /// Drops the entry, unless another has replaced it.
    async fn drop_entry(&self, proof: &Proof, entry: &Arc<CachedPrincipal>) {
        if self.live.get(proof).await.is_some_and(|cached| Arc::ptr_eq(&cached, entry)) {
            self.live.invalidate(proof).await;
        }
    }

    async fn load(&self, credential: &Credential, peer: IpAddr) -> Result<Arc<CachedPrincipal>, Denied> {
        let proof = &credential.proof;
        if !self.known_good.contains_key(proof) && !self.issued.contains_key(proof) {
            self.lookup_limiter.acquire(peer).map_err(|retry_after| Denied::Busy { retry_after })?;
        }
        let (epoch, at_ms) = (self.epochs.epoch(), self.clock.age_ms());
        let request = AuthenticateRequest { proof: proof.clone(), ip: peer.to_canonical().to_string() };
        match self.client.authenticate(&request).await {
            Ok(answer) => {
                let live = cached_principal(answer, proof, epoch, at_ms).ok_or(Denied::Unreachable)?;
                let live = Arc::new(live);
                self.known_good.insert(proof.clone(), Arc::clone(&live)).await;
                self.lookup_limiter.trust(peer).await;
                self.epochs.revalidate(live.principal.connection, epoch);
                Ok(live)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::Unauthenticated => {
                Err(self.refuse(credential, &fault, epoch, at_ms).await)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::AddressDenied => {
                let denied = Denied::Address { address: peer };
                let refused = CachedRefusal { denied: denied.clone(), epoch, at_ms };
                self.refused.insert((proof.clone(), Some(peer)), Arc::new(refused)).await;
                Err(denied)
            }
            Err(Error::Fault(fault)) if fault.code == FaultCode::Disabled => Err(Denied::Disabled),
            Err(error) => self.stale_while_error(proof).await.ok_or(match error {
                Error::Busy => Denied::Busy { retry_after: Duration::from_secs(1) },
                _ => Denied::Unreachable,
            }),
        }
    }

    /// Stale-while-error: serves the last good answer a little longer while Odoo is unreachable. Bounded by the age of
    /// the settings, after which the gate closes; and Odoo authenticates each call itself.
    async fn stale_while_error(&self, proof: &Proof) -> Option<Arc<CachedPrincipal>> {
        let last = self.known_good.get(proof).await?;
        let at_ms = self.clock.age_ms().saturating_sub(self.ttl_ms.saturating_sub(STALE_RETRY_MS));
        let live = CachedPrincipal { at_ms, ..CachedPrincipal::clone(&last) };
        matches!(self.freshness(&live), Freshness::Fresh).then(|| Arc::new(live))
    }

    async fn refuse(&self, credential: &Credential, fault: &Fault, epoch: Epoch, at_ms: u64) -> Denied {
        let proof = &credential.proof;
        let reason = fault.data.get("reason").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        let last_good = self.known_good.remove(proof).await;
        // An expired token does not end its connection, which goes on with the next one.
        let epoch = match last_good {
            Some(last) if matches!(reason, "revoked" | "user") => {
                self.epochs.invalidate(last.principal.connection)
            }
            _ => epoch,
        };
        let denied = Denied::Invalid { reason: reason.to_owned() };
        // An access token that is not known may be issued at any time, and must then work at once on each replica.
        if credential.kind == CredentialKind::AccessToken && reason == "unknown" {
            return denied;
        }
        let refused = CachedRefusal { denied: denied.clone(), epoch, at_ms };
        self.refused.insert((proof.clone(), None), Arc::new(refused)).await;
        denied
    }
}

/// A cache entry; none where the expiry of the credential cannot be parsed, which must not mean "never".
fn cached_principal(
    answer: AuthenticateAnswer,
    proof: &Proof,
    epoch: Epoch,
    at_ms: u64,
) -> Option<CachedPrincipal> {
    let expires_unix_ms = match &answer.expires_at {
        None => None,
        Some(text) => {
            let end: jiff::Timestamp = text.parse().ok()?;
            Some(u64::try_from(end.as_millisecond()).unwrap_or(0))
        }
    };
    let AuthenticateAnswer { connection, user, schema_key, audience, .. } = answer;
    let method_level = connection.effective_method_level();
    let principal = Principal {
        connection: connection.id,
        connection_name: connection.name,
        kind: connection.kind,
        scope: connection.scope,
        upgradable: connection.upgradable,
        audience: audience.map(String::into_boxed_str),
        user: User { id: user.id, login: user.login, name: user.name, lang: user.lang, tz: user.tz },
        allowed_tools: connection.allowed_tools,
        allowed_models: connection.allowed_models,
        method_level,
        limits: RateLimits { minute: connection.rate_limit_minute, day: connection.rate_limit_day },
        addresses: AddressRules { allowed: connection.allowed_ips, blocked: connection.blocked_ips },
        schema_key,
        proof: proof.clone(),
    };
    Some(CachedPrincipal { principal: Arc::new(principal), epoch, at_ms, expires_unix_ms })
}
