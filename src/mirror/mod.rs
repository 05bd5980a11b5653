//! What Odoo says now, cached: settings, connections, schemas. `feed` follows `changes` and wake-ups.
//!
//! May be lost at any time; Odoo stays the authority, and everything here fails closed with age. Knows no
//! MCP and no HTTP server. Each file keeps one thing: `settings_gate` the settings and the gate, `epochs` when a
//! connection last changed, `session_end` who hears of ended sessions, `principals` who stands behind a credential, `lookup_limiter` how often Odoo may be
//! asked about unknown ones, `schema` models and fields, `wake` which messages are believed.

mod epochs;
mod feed;
mod lookup_limiter;
mod principal_cache;
mod schema_cache;
mod session_end;
mod settings_gate;
mod wakeup;

pub use feed::ReplicaIdentity;
pub use wakeup::WakeupError;

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::mirror::MirrorConfig as Options;
use crate::odoo::gateway::{FaultCode, FieldDocument, ModelDocument, SettingsDocument};
use crate::odoo::{Client, Error};
use crate::vocab::{Clock, ConnectionId, Credential, CredentialKind, MutexExt, Principal, RwLockExt};
use epochs::ConnectionEpochs;
use principal_cache::PrincipalCache;
use schema_cache::SchemaCache;
use session_end::SessionEndHook;
use settings_gate::SettingsGate;
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
    /// Unknown, expired or revoked, or its user is gone; `reason` is the contract's word for it.
    #[error("the credential is not valid: {reason}")]
    Invalid { reason: String },
    /// The connection's rules refuse this address; others may be let in.
    #[error("the connection may not be used from {address}")]
    Address { address: IpAddr },
    /// The switch went off meanwhile.
    #[error("the server is disabled")]
    Disabled,
    /// The shared budget for look-ups of unknown credentials is used up.
    #[error("too many unknown credentials")]
    Busy { retry_after: Duration },
    /// Odoo cannot be asked.
    #[error("Odoo cannot be reached")]
    Unreachable,
}

/// The cache of what Odoo says.
#[derive(Debug)]
pub struct Mirror {
    client: Arc<Client>,
    options: Options,
    settings_gate: SettingsGate,
    epochs: Arc<ConnectionEpochs>,
    session_end_hook: SessionEndHook,
    principals: PrincipalCache,
    schema: SchemaCache,
    wakeup_verifier: WakeupVerifier,
    /// Rings where the feed should ask at once.
    feed_trigger: Notify,
    /// Streams that are open: the more often Odoo is asked.
    open_streams: AtomicUsize,
    hello_state: RwLock<Option<Arc<HelloState>>>,
    feed: Mutex<FeedState>,
}

/// What hello says besides the settings.
#[derive(Debug)]
struct HelloState {
    database_uuid: String,
    web_url: Arc<str>,
    odoo_version: Arc<str>,
    public_url_state: Arc<str>,
}

#[derive(Debug, Default)]
struct FeedState {
    cursor: Option<String>,
    error: Option<String>,
}

/// Held while a stream is open, so that changes are asked for more often.
#[derive(Debug)]
pub struct FastPollGuard(Arc<Mirror>);

impl Drop for FastPollGuard {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Mirror {
    /// An empty mirror; `follow` fills it.
    pub fn new(client: Arc<Client>, options: Options) -> Arc<Self> {
        Self::with_clock(client, options, Clock::system())
    }

    /// A mirror that reads its time from `clock`; for tests of ages.
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
            session_end_hook: SessionEndHook::default(),
            wakeup_verifier: WakeupVerifier::new(clock),
            epochs: epochs,
            client,
            options,
            feed_trigger: Notify::new(),
            open_streams: AtomicUsize::new(0),
            hello_state: RwLock::new(None),
            feed: Mutex::default(),
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

    /// What an administrator says of the public URL that this sidecar announces; empty before the first hello.
    pub fn public_url_state(&self) -> Arc<str> {
        self.hello_state().map_or_else(|| "".into(), |known| Arc::clone(&known.public_url_state))
    }

    /// The state of the master switch, now; fails closed with age.
    pub fn gate(&self) -> Gate {
        self.settings_gate.gate()
    }

    /// Changes of the gate, for streams that must end with it.
    pub fn watch_gate(&self) -> watch::Receiver<Gate> {
        self.settings_gate.subscribe()
    }

    /// Whether hello succeeded and the gate is known.
    pub fn is_ready(&self) -> bool {
        self.gate() != Gate::Unknown
    }

    /// Whether Odoo has confirmed its settings lately enough for them to count; also where the switch is off.
    pub fn has_current_settings(&self) -> bool {
        self.settings_gate.is_fresh()
    }

    /// For how long Odoo has not confirmed its settings; none before the first hello.
    pub fn settings_age_ms(&self) -> Option<u64> {
        self.settings_gate.age_ms()
    }

    /// Why Odoo cannot be followed at the moment, in one sentence for administrators.
    pub fn feed_error(&self) -> Option<String> {
        self.feed_state().error.clone()
    }

    /// Resolves a credential, from the cache or by asking Odoo once for all who wait.
    pub async fn principal(&self, credential: &Credential, peer: IpAddr) -> Result<Arc<Principal>, Denied> {
        // The other kinds are for the OAuth endpoints; none of them opens MCP.
        if !matches!(credential.kind, CredentialKind::ApiKey | CredentialKind::AccessToken) {
            return Err(Denied::Invalid { reason: "unknown".to_owned() });
        }
        let principal = self.principals.get(&credential.proof, peer).await;
        if matches!(principal, Err(Denied::Disabled)) {
            self.feed_trigger.notify_one();
        }
        principal
    }

    /// Whether Odoo refused this credential a short while ago; from the cache alone.
    pub async fn has_refused(&self, credential: &Credential) -> bool {
        self.principals.has_refused(&credential.proof).await
    }

    /// Cancelled when the connection is revoked, changed or deleted: streams and sessions of it end.
    /// To be asked for after `principal`; one that ended in between is answered already cancelled.
    pub fn lifetime(&self, connection: ConnectionId) -> CancellationToken {
        self.epochs.token(connection)
    }

    /// What is to be done with each session that an administrator has ended; said once, before `follow`.
    pub fn on_session_end(&self, act: impl Fn(&str) + Send + Sync + 'static) {
        self.session_end_hook.set(Box::new(act));
    }

    /// Tells the mirror what Odoo said of a call, so that a refused connection is looked at again at once.
    pub fn on_call_error(&self, principal: &Principal, error: &Error) {
        match error {
            // Of an address that was let in, Odoo says so only where the rules have changed.
            Error::Fault(fault)
                if matches!(fault.code, FaultCode::Unauthenticated | FaultCode::AddressDenied) =>
            {
                self.epochs.invalidate(principal.connection);
            }
            Error::Fault(fault) if fault.code == FaultCode::Disabled => self.feed_trigger.notify_one(),
            _ => {}
        }
    }

    /// To be held while a stream is open.
    pub fn poll_fast(self: &Arc<Self>) -> FastPollGuard {
        if self.open_streams.fetch_add(1, Ordering::AcqRel) == 0 {
            self.feed_trigger.notify_one();
        }
        FastPollGuard(Arc::clone(self))
    }

    /// Takes a wake-up of Odoo: "off" and "revoked" act before this returns, the rest is asked for.
    /// A repeated message is taken without effect.
    pub fn receive_wakeup(&self, body: &[u8], signature: &str) -> Result<(), WakeupError> {
        if let Some(wake) = self.wakeup_verifier.verify(body, signature)? {
            self.apply_wakeup(&wake);
        }
        Ok(())
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

    fn set_feed_error(&self, trouble: Option<String>) {
        self.feed_state().error = trouble;
    }
}
