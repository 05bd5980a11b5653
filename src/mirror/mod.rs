//! A cache of Odoo's state: settings, connections, schemas. `feed` keeps it current by polling and wake-ups.
//!
//! May be lost at any time; Odoo stays the authority, and everything here fails closed with age. Knows no
//! MCP and no HTTP server. One concern a file: `settings_gate` the settings and the gate made of them, `epochs`
//! cache invalidation by connection, `principal_cache` credentials and the budget for look-ups of
//! unknown ones, `schema_cache` models and fields, `wakeup` the signatures of wake-ups.

mod epochs;
mod feed;
mod lookup_limiter;
mod principal_cache;
mod schema_cache;
mod settings_gate;
mod wakeup;

pub use feed::ReplicaIdentity;
pub use wakeup::WakeupError;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::mirror::MirrorConfig as Options;
use crate::odoo::contract::{FaultCode, FieldDocument, ModelDocument, SettingsDocument};
use crate::odoo::{Client, Error};
use crate::vocab::{
    Clock, ConnectionId, Credential, CredentialKind, MutexExt, Principal, Proof, RwLockExt, Secret,
};
use epochs::ConnectionEpochs;
use feed::Feed;
use principal_cache::PrincipalCache;
use schema_cache::SchemaCache;
use settings_gate::{RequestStamp, SettingsGate};
use wakeup::WakeupVerifier;

/// Whether MCP requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// The administrator switched the server off.
    Disabled,
    /// Odoo has not confirmed its settings for longer than they count.
    Unknown,
}

/// Why a credential gives no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Unknown, expired or revoked, or its user is gone; `reason` is the contract's name for it.
    #[error("the credential is not valid: {reason}")]
    Invalid { reason: String },
    /// The connection's rules refuse this address; they may allow others.
    #[error("the connection may not be used from {address}")]
    Address { address: IpAddr },
    /// The switch went off meanwhile.
    #[error("the server is disabled")]
    Disabled,
    /// The shared budget for look-ups of unknown credentials is used up.
    #[error("too many unknown credentials")]
    Busy { retry_after: Duration },
    /// Odoo cannot be reached, and no stale entry may be served.
    #[error("Odoo cannot be reached")]
    Unreachable,
}

/// The cache of Odoo's state.
#[derive(Debug)]
pub struct Mirror {
    client: Arc<Client>,
    options: Options,
    settings_gate: SettingsGate,
    epochs: Arc<ConnectionEpochs>,
    session_end_hook: OnceLock<SessionEndHandler>,
    principals: PrincipalCache,
    schema: SchemaCache,
    wakeup_verifier: WakeupVerifier,
    /// Makes the feed poll at once.
    feed_trigger: Notify,
    /// Open streams; while there are any, Odoo is polled more often.
    open_streams: AtomicUsize,
    hello_state: RwLock<Option<Arc<HelloState>>>,
    feed: Mutex<FeedState>,
    check: watch::Sender<Option<PendingCheck>>,
}

/// A connection check that an administrator has started in Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCheck {
    pub id: uuid::Uuid,
    /// By how much Odoo's clock is ahead of ours; none: unknown.
    pub skew_seconds: Option<i64>,
}

/// The answer of `hello` besides the settings.
#[derive(Debug)]
struct HelloState {
    database_uuid: String,
    web_url: Arc<str>,
    odoo_version: Arc<str>,
    public_url_state: Arc<str>,
    shared_key: Option<Secret>,
}

#[derive(Debug, Default)]
struct FeedState {
    cursor: Option<String>,
    error: Option<String>,
}

/// Called at once with an ended session rather than sent through a channel, so that none is lost and the end is in
/// effect before the cursor moves on.
struct SessionEndHandler(Box<dyn Fn(&str) + Send + Sync>);

impl fmt::Debug for SessionEndHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEndHandler(..)")
    }
}

/// Held while a stream is open, so that changes are polled more often.
#[derive(Debug)]
pub struct FastPollGuard(Arc<Mirror>);

impl Drop for FastPollGuard {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Mirror {
    /// An empty mirror; `run_feed` fills it.
    pub fn new(client: Arc<Client>, options: Options) -> Arc<Self> {
        Self::with_clock(client, options, Clock::system())
    }

    /// A mirror with a clock of its own; for tests of ages.
    pub fn with_clock(client: Arc<Client>, options: Options, clock: Clock) -> Arc<Self> {
        let epochs = Arc::new(ConnectionEpochs::new(clock.clone(), options.connection_ttl_ms));
        Arc::new(Self {
            principals: PrincipalCache::new(
                Arc::clone(&client),
                &options,
                clock.clone(),
                Arc::clone(&epochs),
            ),
            schema: SchemaCache::new(Arc::clone(&client), &options),
            settings_gate: SettingsGate::new(clock.clone()),
            session_end_hook: OnceLock::new(),
            wakeup_verifier: WakeupVerifier::new(clock),
            epochs,
            client,
            options,
            feed_trigger: Notify::new(),
            open_streams: AtomicUsize::new(0),
            hello_state: RwLock::new(None),
            feed: Mutex::default(),
            check: watch::channel(None).0,
        })
    }

    /// The latest settings; none before the first hello.
    pub fn settings(&self) -> Option<Arc<SettingsDocument>> {
        self.settings_gate.settings()
    }

    /// Where people open Odoo, for links; empty before the first hello.
    pub fn web_url(&self) -> Arc<str> {
        self.hello_state().map_or_else(|| "".into(), |known| Arc::clone(&known.web_url))
    }

    /// The version of Odoo, such as `19.0`; empty before the first hello.
    pub fn odoo_version(&self) -> Arc<str> {
        self.hello_state().map_or_else(|| "".into(), |known| Arc::clone(&known.odoo_version))
    }

    /// The state of the public URL that this sidecar announces, as an administrator set it; empty before the first hello.
    pub fn public_url_state(&self) -> Arc<str> {
        self.hello_state().map_or_else(|| "".into(), |known| Arc::clone(&known.public_url_state))
    }

    /// The key that all replicas derive codes and tokens with, as hex digits; none before the first hello, and of an
    /// addon of before.
    pub fn shared_key(&self) -> Option<Secret> {
        self.hello_state()?.shared_key.clone()
    }

    /// The state of the master switch, now; fails closed with age.
    pub fn gate(&self) -> Gate {
        self.settings_gate.gate()
    }

    /// Changes of the gate, for streams that must end with it.
    pub fn watch_gate(&self) -> watch::Receiver<Gate> {
        self.settings_gate.subscribe()
    }

    /// The newest connection check, each once.
    pub fn watch_check(&self) -> watch::Receiver<Option<PendingCheck>> {
        self.check.subscribe()
    }

    /// Whether hello succeeded and the gate is known.
    pub fn is_ready(&self) -> bool {
        self.gate() != Gate::Unknown
    }

    /// Whether the settings are fresh: confirmed by Odoo lately enough to count; also where the switch is off.
    pub fn has_current_settings(&self) -> bool {
        self.settings_gate.is_fresh()
    }

    /// The age of the settings since Odoo last confirmed them; none before the first hello.
    pub fn settings_age_ms(&self) -> Option<u64> {
        self.settings_gate.age_ms()
    }

    /// The last error of the feed during an outage, in one sentence for administrators.
    pub fn feed_error(&self) -> Option<String> {
        self.feed_state().error.clone()
    }

    /// Resolves a credential, from the cache or by one request to Odoo for all that wait (single flight).
    pub async fn principal(&self, credential: &Credential, peer: IpAddr) -> Result<Arc<Principal>, Denied> {
        // The other kinds are for the OAuth endpoints; none of them opens MCP.
        if !matches!(credential.kind, CredentialKind::ApiKey | CredentialKind::AccessToken) {
            return Err(Denied::Invalid { reason: "unknown".to_owned() });
        }
        let principal = self.principals.get(credential, peer).await;
        if matches!(principal, Err(Denied::Disabled)) {
            self.feed_trigger.notify_one();
        }
        principal
    }

    /// Whether a refusal of this credential is cached; sends no request.
    pub async fn has_refused(&self, credential: &Credential) -> bool {
        self.principals.has_refused(&credential.proof).await
    }

    /// Notes that an access token was issued through this replica: its first use is not held up by the rate limit of
    /// unknown credentials.
    pub async fn token_issued(&self, proof: &Proof) {
        self.principals.token_issued(proof).await;
    }

    /// Invalidates what is cached of a connection, as a revocation that Odoo reports does: some of its tokens were
    /// revoked through this replica.
    pub fn tokens_revoked(&self, connection: ConnectionId) {
        self.epochs.invalidate(connection);
    }

    /// Cancelled when the connection is revoked, changed or deleted: streams and sessions of it end.
    /// Get it after `principal`: the token of a connection that ended in between is already cancelled.
    pub fn lifetime(&self, connection: ConnectionId) -> CancellationToken {
        self.epochs.token(connection)
    }

    /// Sets the handler of sessions that an administrator has ended; once, before `run_feed`.
    pub fn on_session_end(&self, handler: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.session_end_hook.set(SessionEndHandler(Box::new(handler)));
    }

    /// Invalidates the cache by the error of a call, so that a refused connection is looked up again at once.
    pub fn on_call_error(&self, principal: &Principal, error: &Error) {
        match error {
            // For an address that was allowed, Odoo answers this only after a change of the rules.
            Error::Fault(fault)
                if matches!(fault.code, FaultCode::Unauthenticated | FaultCode::AddressDenied) =>
            {
                self.epochs.invalidate(principal.connection);
            }
            Error::Fault(fault) if fault.code == FaultCode::Disabled => self.feed_trigger.notify_one(),
            _ => {}
        }
    }

    /// Polls more often as long as the guard is held: while a stream is open.
    pub fn poll_fast(self: &Arc<Self>) -> FastPollGuard {
        if self.open_streams.fetch_add(1, Ordering::AcqRel) == 0 {
            self.feed_trigger.notify_one();
        }
        FastPollGuard(Arc::clone(self))
    }

    /// Applies a wake-up of Odoo: "off" and "revoked" act before this returns, the rest is polled at once.
    /// A repeated message is accepted without effect.
    pub fn receive_wakeup(&self, body: &[u8], signature: &str) -> Result<(), WakeupError> {
        if let Some(wake) = self.wakeup_verifier.verify(body, signature)? {
            for connection in &wake.revoked {
                self.epochs.invalidate(*connection);
            }
            self.settings_gate.apply_wakeup(&wake);
            self.feed_trigger.notify_one();
        }
        Ok(())
    }

    /// Polls Odoo and keeps the mirror current until `cancel`. Runs once, in a task of its own.
    pub async fn run_feed(self: Arc<Self>, cancel: CancellationToken, identity: ReplicaIdentity) {
        Feed::new(self, identity).run(cancel).await;
    }

    /// The models that this principal may reach, with labels in `lang` (none: the user's own).
    pub async fn models(
        &self,
        principal: &Principal,
        lang: Option<&str>,
    ) -> Result<Arc<[ModelDocument]>, Error> {
        self.schema.models(principal, lang).await
    }

    /// The fields of a model that this principal may read, the most relevant first.
    pub async fn fields(
        &self,
        principal: &Principal,
        model: &str,
        lang: Option<&str>,
    ) -> Result<Arc<[FieldDocument]>, Error> {
        self.schema.fields(principal, model, lang).await
    }

    // === for the feed ===

    /// Confirms or replaces the settings. Connections that signed in by OAuth end with it.
    fn confirm_settings(&self, stamp: RequestStamp, settings: Option<SettingsDocument>) {
        let offers_oauth = |mirror: &Self| mirror.settings().is_some_and(|settings| settings.enable_oauth);
        let before = offers_oauth(self);
        self.settings_gate.confirm(stamp, settings);
        if before && !offers_oauth(self) {
            self.principals.invalidate_oauth();
        }
    }

    /// Odoo names a check as long as it is pending.
    fn publish_check(&self, pending: PendingCheck) {
        self.check.send_if_modified(|known| {
            let is_new = known.as_ref().is_none_or(|known| known.id != pending.id);
            if is_new {
                *known = Some(pending);
            }
            is_new
        });
    }

    fn end_session(&self, session: &str) {
        if let Some(SessionEndHandler(handler)) = self.session_end_hook.get() {
            handler(session);
        }
    }

    fn invalidate_all(&self) {
        self.epochs.invalidate_all();
        self.schema.invalidate();
    }

    fn hello_state(&self) -> Option<Arc<HelloState>> {
        self.hello_state.read_locked().clone()
    }

    fn set_hello_state(&self, known: HelloState) {
        *self.hello_state.write_locked() = Some(Arc::new(known));
    }

    fn feed_state(&self) -> std::sync::MutexGuard<'_, FeedState> {
        self.feed.locked()
    }

    fn cursor(&self) -> Option<String> {
        self.feed_state().cursor.clone()
    }

    fn set_cursor(&self, cursor: Option<String>) {
        self.feed_state().cursor = cursor;
    }

    fn set_feed_error(&self, error: Option<String>) {
        self.feed_state().error = error;
    }
}
