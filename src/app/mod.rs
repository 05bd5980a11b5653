//! The wiring: builds every part once, starts, supervises and stops them in order.
//!
//! Start: both listeners are bound before anything runs, so that a taken port ends the start with one clear
//! sentence; then requests are served at once, and `/readyz` tells when Odoo has answered. Stop: no new
//! connections, streams end, requests in flight finish within a bound, open writes are seen through.

mod books;
mod error;
mod replica;
mod running;
mod sessions;
mod signals;
mod tasks;

pub use error::Error;
pub use running::Running;

use std::sync::Arc;

use rmcp::ServerHandler;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::audit::{Audit, ChainWatch, Sink};
use crate::config::Config;
use crate::guard::{Addresses, Rate, Slots, Switch};
use crate::mcp::{Endpoint, Handler, Ledger, Sessions};
use crate::mirror::{Identity, Mirror};
use crate::odoo::Client;
use crate::state::{Counters, Embedded, Notes, Spool};
use crate::tools::Toolbox;
use crate::vocab::{Clock, Secret};
use crate::web::{Edge, Life, Parts};
use tasks::Tasks;

/// The whole sidecar, wired but not started.
pub struct App {
    config: Config,
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    switch: Arc<Switch>,
    addresses: Arc<Addresses>,
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
        let slots = Slots::new(limits.sessions_per_connection, limits.sessions);
        let sessions = Arc::new(Sessions::new(slots, Ledger::new(Clock::system(), limits.session_idle)));
        let handler = wrap(Handler::new(Arc::new(toolbox)));
        let endpoint = Endpoint::new(handler, sessions, limits.max_body_bytes);
        let switch = Arc::new(Switch::new(Arc::clone(&mirror)));
        let addresses = Arc::new(Addresses::new(limits.failed_attempts));
        Ok(Self { config, client, mirror, switch, addresses, endpoint, clock: Clock::system() })
    }

    /// Binds both listeners and starts everything; comes back when requests are served.
    pub async fn start(self) -> Result<Running, Error> {
        let server = &self.config.server;
        let public = bind("listen", server.listen).await?;
        let admin = bind("admin_listen", server.admin_listen).await?;
        let bound = |listener: &TcpListener| listener.local_addr().map_err(Error::Socket);
        let (public_at, admin_at) = (bound(&public)?, bound(&admin)?);
        let replica = replica::load(&server.data_dir)?;
        self.endpoint.ledger().belong_to(replica);
        let state = Arc::new(Embedded::open(&server.data_dir)?);
        let audit = self.audit(Arc::clone(&state) as Arc<dyn Spool>);
        let chain = self.chain(replica, Arc::clone(&state) as Arc<dyn Notes>);
        let identity = Identity {
            replica,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_url: server.public_origin().to_owned(),
            wake_url: Some(server.wake_target(admin_at)),
            wake_secret: Some(wake_secret()),
        };
        let life = Life::default();
        let mut tasks = Tasks::default();
        self.follow(&mut tasks, identity);
        self.tell(&mut tasks, replica);
        let books = books::Books { client: Arc::clone(&self.client), replica };
        account(&mut tasks, &audit, &chain, Arc::new(books));
        let parts = Parts {
            mirror: self.mirror,
            switch: self.switch,
            addresses: self.addresses,
            rate: Rate::new(Arc::clone(&state) as Arc<dyn Counters>, self.clock),
            audit: Arc::clone(&audit),
            chain,
            endpoint: self.endpoint.clone(),
            life: life.clone(),
        };
        let edge = Edge::new(server, &self.config.limits, parts);
        let running = Running {
            public_at,
            admin_at,
            life,
            tasks,
            endpoint: self.endpoint,
            client: self.client,
            audit,
            state,
            drain: server.drain_timeout,
            listeners: running::listen(&edge, &self.config.limits, public, admin),
        };
        if server.hides_clients() {
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

    fn audit(&self, spool: Arc<dyn Spool>) -> Arc<Audit> {
        let mirror = Arc::clone(&self.mirror);
        let payloads = move || mirror.settings().is_some_and(|settings| settings.log_payloads);
        Audit::new(spool, self.config.audit.spool_max_bytes, self.clock.clone(), Box::new(payloads))
    }

    fn chain(&self, replica: Uuid, notes: Arc<dyn Notes>) -> Arc<ChainWatch> {
        let mirror = Arc::clone(&self.mirror);
        let retention = move || mirror.settings().map(|settings| settings.audit_retention_days);
        ChainWatch::new(replica, notes, self.clock.clone(), Box::new(retention))
    }

    fn follow(&self, tasks: &mut Tasks, identity: Identity) {
        let mirror = Arc::clone(&self.mirror);
        tasks.keep("mirror", move |cancel| Arc::clone(&mirror).follow(cancel, identity.clone()));
        let switch = Arc::clone(&self.switch);
        tasks.keep("switch", move |cancel| Arc::clone(&switch).follow(cancel));
        let sessions = Arc::clone(self.endpoint.sessions());
        tasks.keep("sessions", move |cancel| Arc::clone(&sessions).keep(cancel));
        let addresses = Arc::clone(&self.addresses);
        tasks.keep("addresses", move |cancel| Arc::clone(&addresses).keep(cancel));
    }

    /// Odoo hears of the sessions, and says which of them to end.
    fn tell(&self, tasks: &mut Tasks, replica: Uuid) {
        let (ledger, mirror) = (Arc::clone(self.endpoint.ledger()), Arc::clone(&self.mirror));
        let ender = Arc::clone(&ledger);
        mirror.on_session_end(move |session| ender.end(session));
        let client = Arc::clone(&self.client);
        tasks.keep("register", move |cancel| {
            sessions::tell(Arc::clone(&ledger), Arc::clone(&mirror), Arc::clone(&client), replica, cancel)
        });
    }
}

fn account(tasks: &mut Tasks, audit: &Arc<Audit>, chain: &Arc<ChainWatch>, sink: Arc<dyn Sink>) {
    let summing = Arc::clone(audit);
    tasks.keep("audit_sums", move |cancel| Arc::clone(&summing).sum_up(cancel));
    let (sending, watch, to) = (Arc::clone(audit), Arc::clone(chain), Arc::clone(&sink));
    tasks.keep("audit_sender", move |cancel| {
        Arc::clone(&sending).hand_on(Arc::clone(&to), Arc::clone(&watch), cancel)
    });
    let watch = Arc::clone(chain);
    tasks.keep("audit_chain", move |cancel| Arc::clone(&watch).follow(Arc::clone(&sink), cancel));
}

async fn bind(key: &'static str, address: std::net::SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Bind { key, address, error })
}

/// What Odoo signs its wake-ups with; made anew at each start.
fn wake_secret() -> Secret {
    Secret::new(hex::encode(rand::random::<[u8; 32]>()))
}
