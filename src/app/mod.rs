//! The wiring: builds every component once, then starts, supervises and stops them in order.
//!
//! Start: both listeners are bound before any task runs, so that a port in use fails the start with one clear
//! sentence; then requests are served at once, and `/readyz` reports when Odoo has answered. Graceful
//! shutdown: no new connections, streams end, requests in flight drain within a timeout, open writes are
//! awaited.

mod audit_sink;
mod connection_check;
mod error;
mod oauth_store;
mod replica;
mod running;
mod session_sink;
mod signals;
mod tasks;

pub use error::Error;
pub use running::RunningApp;

use std::net::SocketAddr;
use std::sync::Arc;

use rmcp::ServerHandler;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::audit::{AuditSink, AuditTrail, ChainMonitor, SpoolSender};
use crate::config::{Config, Server};
use crate::guard::{ConcurrencyLimit, FailedAuthLimiter, MasterSwitch, RequestRateLimiter};
use crate::mcp::{Endpoint, Handler, LegacySessionManager};
use crate::mirror::{Mirror, ReplicaIdentity};
use crate::oauth::fetch_guard::Fetcher;
use crate::oauth::{AuthorizationServer, Budgets, ClientDocuments};
use crate::odoo::Client;
use crate::sessions::SessionRegistry;
use crate::state::{CounterStore, EmbeddedStore, KeyValueStore, Spool};
use crate::tools::Toolbox;
use crate::vocab::{Clock, Secret};
use crate::web::{Deps, ServerState, Shutdown};
use connection_check::ConnectionChecks;
use tasks::Tasks;

/// The whole sidecar, wired but not started.
pub struct App {
    config: Config,
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    master_switch: Arc<MasterSwitch>,
    failed_auth: Arc<FailedAuthLimiter>,
    endpoint: Endpoint,
    clock: Clock,
    fetcher: Arc<Fetcher>,
}

impl App {
    /// Wires the components.
    pub fn build(config: Config) -> Result<Self, Error> {
        Self::build_with(config, |handler| handler)
    }

    /// Replaces the clock of rate limit windows and audit entries, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Replaces what fetches metadata documents of clients, for tests, whose servers have loopback addresses.
    #[must_use]
    pub fn with_fetcher(self, fetcher: Fetcher) -> Self {
        Self { fetcher: Arc::new(fetcher), ..self }
    }

    /// Wires the components with a handler that wraps the product's. The conformance server adds its fixtures
    /// that way: request path, authentication, sessions and dispatch stay the product's code.
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
        let master_switch = Arc::new(MasterSwitch::new(Arc::clone(&mirror)));
        let failed_auth = Arc::new(FailedAuthLimiter::new(limits.failed_attempts));
        Ok(Self {
            config,
            client,
            mirror,
            master_switch,
            failed_auth,
            endpoint,
            clock: Clock::system(),
            fetcher: Arc::default(),
        })
    }

    /// Binds both listeners and starts all tasks; returns once requests are served.
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
        let shutdown = Shutdown::default();
        let mut tasks = Tasks::default();
        self.spawn_core(&mut tasks, identity(server, replica, admin_at));
        self.spawn_session_sync(&mut tasks, replica);
        let sink = audit_sink::OdooAuditSink { client: Arc::clone(&self.client), replica };
        spawn_audit(&mut tasks, &audit, &chain, Arc::new(sink));
        let oauth = self.build_authorization_server(&mut tasks);
        let deps = Deps {
            oauth,
            mirror: self.mirror,
            master_switch: self.master_switch,
            failed_auth: self.failed_auth,
            rate_limiter: RequestRateLimiter::new(Arc::clone(&state) as Arc<dyn CounterStore>, self.clock),
            audit: Arc::clone(&audit),
            chain,
            endpoint: self.endpoint.clone(),
            shutdown: shutdown.clone(),
        };
        let mirror = Arc::clone(&deps.mirror);
        let server_state = ServerState::new(server, &self.config.limits, deps);
        let checks = Arc::new(ConnectionChecks {
            mirror,
            client: Arc::clone(&self.client),
            replica,
            origin: server.public_origin().to_owned(),
            has_untrusted_proxy: untrusted_proxy(server, &server_state),
        });
        tasks.supervise("connection_check", move |cancel| Arc::clone(&checks).run(cancel));
        let running = RunningApp {
            public_at,
            admin_at,
            shutdown,
            tasks,
            endpoint: self.endpoint,
            client: self.client,
            audit,
            state,
            drain_timeout: server.drain_timeout,
            listeners: running::listen(&server_state, &self.config.limits, public, admin),
        };
        warn_of_untrusted_proxy(server);
        tracing::info!(public = %public_at, admin = %admin_at, %replica, "serving");
        Ok(running)
    }

    /// Serves until a signal ends the process; a second signal ends it without draining.
    pub async fn run(self) -> Result<(), Error> {
        let mut signals = signals::Signals::new().map_err(Error::Signals)?;
        let running = self.start().await?;
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        tokio::select! {
            () = running.stop() => tracing::info!("stopped"),
            signal = signals.next() => tracing::warn!(signal, "second signal: exiting without draining"),
        }
        Ok(())
    }

    fn build_authorization_server(&self, tasks: &mut Tasks) -> AuthorizationServer {
        let budgets = spawn_budgets(tasks);
        let (client, mirror) = (Arc::clone(&self.client), Arc::clone(&self.mirror));
        AuthorizationServer::new(
            self.config.server.public_origin(),
            Arc::new(oauth_store::OdooAuthorizationStore { client, mirror }),
            self.build_client_documents(tasks, Arc::clone(&budgets)),
            budgets,
            oauth_store::policy_source(Arc::clone(&self.mirror)),
        )
    }

    fn build_audit(&self, spool: Arc<dyn Spool>) -> Arc<AuditTrail> {
        let mirror = Arc::clone(&self.mirror);
        let payloads = move || mirror.settings().is_some_and(|settings| settings.log_payloads);
        AuditTrail::new(spool, self.config.audit.spool_max_bytes, self.clock.clone(), Box::new(payloads))
    }

    /// The documents of clients, and the probe of whether they can be fetched.
    fn build_client_documents(&self, tasks: &mut Tasks, budgets: Arc<Budgets>) -> Arc<ClientDocuments> {
        let (mode, fetcher) = (self.config.oauth.client_documents, Arc::clone(&self.fetcher));
        let documents = Arc::new(ClientDocuments::new(mode, fetcher, budgets, self.clock.clone()));
        let own = format!("{}/.well-known/oauth-protected-resource", self.config.server.public_origin());
        let prober = Arc::clone(&documents);
        tasks.supervise("client_documents", move |cancel| Arc::clone(&prober).run_probe(own.clone(), cancel));
        documents
    }

    fn build_chain_monitor(&self, replica: Uuid, store: Arc<dyn KeyValueStore>) -> Arc<ChainMonitor> {
        let mirror = Arc::clone(&self.mirror);
        let retention = move || mirror.settings().map(|settings| settings.audit_retention_days);
        ChainMonitor::new(replica, store, self.clock.clone(), Box::new(retention))
    }

    fn spawn_core(&self, tasks: &mut Tasks, identity: ReplicaIdentity) {
        let mirror = Arc::clone(&self.mirror);
        tasks.supervise("mirror", move |cancel| Arc::clone(&mirror).run_feed(cancel, identity.clone()));
        let master_switch = Arc::clone(&self.master_switch);
        tasks.supervise("switch", move |cancel| Arc::clone(&master_switch).watch_gate(cancel));
        let sessions = Arc::clone(self.endpoint.sessions());
        tasks.supervise("sessions", move |cancel| Arc::clone(&sessions).run_reaper(cancel));
        let failed_auth = Arc::clone(&self.failed_auth);
        tasks.supervise("addresses", move |cancel| Arc::clone(&failed_auth).run_cleanup(cancel));
    }

    /// Session sync with Odoo, and the sessions that Odoo ends.
    fn spawn_session_sync(&self, tasks: &mut Tasks, replica: Uuid) {
        let (registry, mirror) = (Arc::clone(self.endpoint.registry()), Arc::clone(&self.mirror));
        let ending = Arc::clone(&registry);
        mirror.on_session_end(move |session| ending.end(session));
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

/// How this replica introduces itself to Odoo.
fn identity(server: &Server, replica: Uuid, admin_at: SocketAddr) -> ReplicaIdentity {
    ReplicaIdentity {
        replica,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public_url: server.public_origin().to_owned(),
        wake_url: Some(server.wake_target(admin_at)),
        wake_secret: Some(wake_secret()),
    }
}

fn warn_of_untrusted_proxy(server: &Server) {
    if server.likely_behind_untrusted_proxy() {
        tracing::warn!(
            "no proxy is in trusted_proxies: behind one, all clients count as its one address for IP restrictions, \
             failed keys and the audit log"
        );
    }
}

/// Whether a proxy in front is not trusted: one was detected, or there must be one that ends TLS and none is listed.
fn untrusted_proxy(server: &Server, state: &Arc<ServerState>) -> Box<dyn Fn() -> bool + Send + Sync> {
    let is_tls = server.public_origin().starts_with("https://");
    let none_listed = is_tls && server.trusted_proxies.is_empty();
    let state = Arc::clone(state);
    Box::new(move || none_listed || state.trusted_proxies.untrusted_proxy().is_some())
}

/// The budgets of the authorization server, and their cleanup.
fn spawn_budgets(tasks: &mut Tasks) -> Arc<Budgets> {
    let budgets = Arc::new(Budgets::new());
    let cleaned = Arc::clone(&budgets);
    tasks.supervise("oauth_budgets", move |cancel| Arc::clone(&cleaned).run_cleanup(cancel));
    budgets
}

fn spawn_audit(
    tasks: &mut Tasks,
    audit: &Arc<AuditTrail>,
    chain: &Arc<ChainMonitor>,
    sink: Arc<dyn AuditSink>,
) {
    let trail = Arc::clone(audit);
    tasks.supervise("audit_sums", move |cancel| Arc::clone(&trail).run_aggregation(cancel));
    let (trail, monitor, receiver) = (Arc::clone(audit), Arc::clone(chain), Arc::clone(&sink));
    tasks.supervise("audit_sender", move |cancel| {
        SpoolSender::run(Arc::clone(&trail), Arc::clone(&receiver), Arc::clone(&monitor), cancel)
    });
    let monitor = Arc::clone(chain);
    tasks.supervise("audit_chain", move |cancel| Arc::clone(&monitor).run_checks(Arc::clone(&sink), cancel));
}

async fn bind(key: &'static str, address: std::net::SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Bind { key, address, error })
}

/// The secret with which Odoo signs its wake-ups; new at each start.
fn wake_secret() -> Secret {
    Secret::new(hex::encode(rand::random::<[u8; 32]>()))
}
