//! The running sidecar, and the order in which it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::tasks::Tasks;
use crate::audit::AuditTrail;
use crate::config::Limits;
use crate::mcp::Endpoint;
use crate::odoo::Client;
use crate::state::{CounterStore, EmbeddedStore};
use crate::web::{self, ListenerLimits, ServerState, Shutdown};

/// How long what is left may take after everything was told to end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// A sidecar that serves.
pub struct RunningApp {
    pub(super) public_at: SocketAddr,
    pub(super) admin_at: SocketAddr,
    pub(super) shutdown: Shutdown,
    pub(super) tasks: Tasks,
    pub(super) endpoint: Endpoint,
    pub(super) client: Arc<Client>,
    pub(super) audit: Arc<AuditTrail>,
    pub(super) state: Arc<EmbeddedStore>,
    pub(super) drain_timeout: Duration,
    pub(super) listeners: Listeners,
}

/// Both accept loops. The admin one goes on while the public one drains: `/readyz` has to say so.
pub(super) struct Listeners {
    public: JoinSet<()>,
    admin: JoinSet<()>,
    admin_shutdown: Shutdown,
}

/// Starts both accept loops.
pub(super) fn listen(
    edge: &Arc<ServerState>,
    limits: &Limits,
    public: TcpListener,
    admin: TcpListener,
) -> Listeners {
    let admin_life = Shutdown { kill: edge.deps.shutdown.kill.clone(), ..Shutdown::default() };
    let mut listeners =
        Listeners { public: JoinSet::new(), admin: JoinSet::new(), admin_shutdown: admin_life };
    let bounds = ListenerLimits::from(limits);
    // Health must be answered when the public side is full.
    let few = ListenerLimits { max_connections: 64, ..bounds.clone() };
    listeners.public.spawn(web::serve(
        public,
        web::public(Arc::clone(edge)),
        bounds,
        edge.deps.shutdown.clone(),
    ));
    let life = listeners.admin_shutdown.clone();
    listeners.admin.spawn(web::serve(admin, web::admin(Arc::clone(edge)), few, life));
    listeners
}

impl RunningApp {
    /// Where tools connect.
    pub fn public_addr(&self) -> SocketAddr {
        self.public_at
    }

    /// Where health is asked.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_at
    }

    /// Stops in order: accepting and streams, requests, sessions, writes, tasks, state.
    pub async fn stop(self) {
        self.shutdown.stop.cancel();
        let Listeners { mut public, mut admin, admin_shutdown: admin_life } = self.listeners;
        if timeout(self.drain_timeout, join_all(&mut public)).await.is_err() {
            tracing::warn!("requests were still running when the time to drain was over");
        }
        self.endpoint.close();
        // A write whose client has left is still seen through, so that Odoo's answer is not lost.
        let open = self.client.drain(self.drain_timeout).await;
        if open > 0 {
            tracing::warn!(open, "writes were still open when the time to drain was over");
        }
        admin_life.stop.cancel();
        self.shutdown.kill.cancel();
        let _ = timeout(SHUTDOWN_GRACE, async { tokio::join!(join_all(&mut public), join_all(&mut admin)) })
            .await;
        self.tasks.shut_down(SHUTDOWN_GRACE).await;
        // Last, since everything above may still count. It writes a file, which is not for the runtime.
        self.audit.close();
        let state = self.state;
        let _ = tokio::task::spawn_blocking(move || state.close()).await;
    }
}

async fn join_all(set: &mut JoinSet<()>) {
    while set.join_next().await.is_some() {}
}
