//! The wiring: builds every part once, starts, supervises and stops them in order.
//!
//! Start: both listeners are bound before anything runs, so that a taken port ends the start with one clear
//! sentence; then requests are served at once, and `/readyz` tells when Odoo has answered. Stop: no new
//! connections, streams end, requests in flight finish within a bound, open writes are seen through.

mod audit_sink;
mod error;
mod replica;
mod running;
mod session_sink;
mod signals;
mod tasks;

pub use error::Error;
pub use running::RunningApp;

use std::sync::Arc;

use rmcp::ServerHandler;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::audit::{AuditSink, AuditTrail, ChainMonitor, SpoolSender};
use crate::config::Config;
use crate::guard::{ConcurrencyLimit, FailedAuthLimiter, MasterSwitch, RequestRateLimiter};
use crate::mcp::{Endpoint, Handler, LegacySessionManager};
use crate::mirror::{Mirror, ReplicaIdentity};
use crate::odoo::Client;
use crate::sessions::SessionRegistry;
use crate::state::{CounterStore, EmbeddedStore, KeyValueStore, Spool};
use crate::tools::Toolbox;
use crate::vocab::{Clock, Secret};
use crate::web::{Deps, ServerState, Shutdown};
use tasks::Tasks;

/// The whole sidecar, wired but not started.
pub struct App {
    config: Config,
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    switch: Arc<MasterSwitch>,
    addresses: Arc<FailedAuthLimiter>,
    endpoint: Endpoint,
    clock: Clock,
}

impl App {
    /// Wires the product.
    pub fn build(config: Config) -> Result<Self, Error> {
        Self::build_with(config, |handler| handler)
    }

    /// Lets another clock say which minute and which day it is; for tests of what happens when they end.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Wires the product with another handler round its own. The conformance server adds its fixtures so:
    /// edge, authentication, sessions and dispatch stay the product's code.
    pub fn build_with<H>(config: Config, wrap: impl FnOnce(Handler) -> H) -> Result<Self, Error>
    where
        H: ServerHandler + Clone,
    {
        let client = Client::new(config.odoo.clone()).map_err(Error::Client)?;
        let mirror = Mirror::new(Arc::clone(&client), config.mirror.clone());
        let limits = &config.limits;
        let toolbox = Toolbox::new(Arc::clone(&client), Arc::clone(&mirror), limits.max_answer_chars);
        let slots = ConcurrencyLimit::new(limits.sessions_per_connection, limits.sessions);
        let sessions = Arc::new(LegacySessionManager::new(
            slots,
            SessionRegistry::new(Clock::system(), limits.session_idle),
        ));
        let handler = wrap(Handler::new(Arc::new(toolbox)));
        let endpoint = Endpoint::new(handler, sessions, limits.max_body_bytes);
        let switch = Arc::new(MasterSwitch::new(Arc::clone(&mirror)));
        let addresses = Arc::new(FailedAuthLimiter::new(limits.failed_attempts));
        Ok(Self { config, client, mirror, switch, addresses, endpoint, clock: Clock::system() })
    }

    /// Binds both listeners and starts everything; comes back when requests are served.
    pub async fn start(self) -> Result<RunningApp, Error> {
        let server = &self.config.server;
        let public = bind("listen", server.listen).await?;
        let admin = bind("admin_listen", server.admin_listen).await?;
        let bound = |listener: &TcpListener| listener.local_addr().map_err(Error::Socket);
        let (public_at, admin_at) = (bound(&public)?, bound(&admin)?);
        let replica = replica::load(&server.data_dir)?;
        self.endpoint.registry().set_replica(replica);
        let state = Arc::new(EmbeddedStore::open(&server.data_dir)?);
        let audit = self.build_audit(Arc::clone(&state) as Arc<dyn Spool>);
        let chain = self.build_chain_monitor(replica, Arc::clone(&state) as Arc<dyn KeyValueStore>);
        let identity = ReplicaIdentity {
            replica,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_url: server.public_origin().to_owned(),
            wake_url: Some(server.wake_target(admin_at)),
            wake_secret: Some(wake_secret()),
        };
        let life = Shutdown::default();
        let mut tasks = Tasks::default();
        self.spawn_core(&mut tasks, identity);
        self.spawn_session_sync(&mut tasks, replica);
        let books = audit_sink::OdooAuditSink { client: Arc::clone(&self.client), replica };
        spawn_audit(&mut tasks, &audit, &chain, Arc::new(books));
        let deps = Deps {
            mirror: self.mirror,
            master_switch: self.switch,
            failed_auth: self.addresses,
            rate_limiter: RequestRateLimiter::new(Arc::clone(&state) as Arc<dyn CounterStore>, self.clock),
            audit: Arc::clone(&audit),
            chain,
            endpoint: self.endpoint.clone(),
            shutdown: life.clone(),
        };
        let edge = ServerState::new(server, &self.config.limits, deps);
        let running = RunningApp {
            public_at,
            admin_at,
            shutdown: life,
            tasks,
            endpoint: self.endpoint,
            client: self.client,
            audit,
            state,
            drain_timeout: server.drain_timeout,
            listeners: running::listen(&edge, &self.config.limits, public, admin),
        };
        if server.likely_behind_untrusted_proxy() {
            tracing::warn!(
                "no proxy is in trusted_proxies: behind one, all clients count as its one address for IP restrictions, \
                 failed keys and the audit log"
            );
        }
        tracing::info!(public = %public_at, admin = %admin_at, %replica, "serving");
        Ok(running)
    }

    /// Serves until the process is told to end.
    pub async fn run(self) -> Result<(), Error> {
        let mut signals = signals::Signals::new().map_err(Error::Signals)?;
        let running = self.start().await?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        tokio::select! {
            () = running.stop() => tracing::info!("stopped"),
            signal = signals.next() => tracing::warn!(signal, "told twice: ending at once"),
        }
        Ok(())
    }

    fn build_audit(&self, spool: Arc<dyn Spool>) -> Arc<AuditTrail> {
        let mirror = Arc::clone(&self.mirror);
        let payloads = move || mirror.settings().is_some_and(|settings| settings.log_payloads);
        AuditTrail::new(spool, self.config.audit.spool_max_bytes, self.clock.clone(), Box::new(payloads))
    }

    fn build_chain_monitor(&self, replica: Uuid, notes: Arc<dyn KeyValueStore>) -> Arc<ChainMonitor> {
        let mirror = Arc::clone(&self.mirror);
        let retention = move || mirror.settings().map(|settings| settings.audit_retention_days);
        ChainMonitor::new(replica, notes, self.clock.clone(), Box::new(retention))
    }

    fn spawn_core(&self, tasks: &mut Tasks, identity: ReplicaIdentity) {
        let mirror = Arc::clone(&self.mirror);
        tasks.supervise("mirror", move |cancel| Arc::clone(&mirror).run_feed(cancel, identity.clone()));
        let switch = Arc::clone(&self.switch);
        tasks.supervise("switch", move |cancel| Arc::clone(&switch).watch_gate(cancel));
        let sessions = Arc::clone(self.endpoint.sessions());
        tasks.supervise("sessions", move |cancel| Arc::clone(&sessions).run_reaper(cancel));
        let addresses = Arc::clone(&self.addresses);
        tasks.supervise("addresses", move |cancel| Arc::clone(&addresses).run_cleanup(cancel));
    }

    /// Odoo hears of the sessions, and says which of them to end.
    fn spawn_session_sync(&self, tasks: &mut Tasks, replica: Uuid) {
        let (registry, mirror) = (Arc::clone(self.endpoint.registry()), Arc::clone(&self.mirror));
        let ender = Arc::clone(&registry);
        mirror.on_session_end(move |session| ender.end(session));
        let client = Arc::clone(&self.client);
        tasks.supervise("register", move |cancel| {
            session_sink::run_session_sync(
                Arc::clone(&registry),
                Arc::clone(&mirror),
                Arc::clone(&client),
                replica,
                cancel,
            )
        });
    }
}

fn spawn_audit(
    tasks: &mut Tasks,
    audit: &Arc<AuditTrail>,
    chain: &Arc<ChainMonitor>,
    sink: Arc<dyn AuditSink>,
) {
    let summing = Arc::clone(audit);
    tasks.supervise("audit_sums", move |cancel| Arc::clone(&summing).run_aggregation(cancel));
    let (sending, watch, to) = (Arc::clone(audit), Arc::clone(chain), Arc::clone(&sink));
    tasks.supervise("audit_sender", move |cancel| {
        SpoolSender::run(Arc::clone(&sending), Arc::clone(&to), Arc::clone(&watch), cancel)
    });
    let watch = Arc::clone(chain);
    tasks.supervise("audit_chain", move |cancel| Arc::clone(&watch).run_checks(Arc::clone(&sink), cancel));
}

async fn bind(key: &'static str, address: std::net::SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Bind { key, address, error })
}

/// What Odoo signs its wake-ups with; made anew at each start.
fn wake_secret() -> Secret {
    Secret::new(hex::encode(rand::random::<[u8; 32]>()))
}
