//! The running sidecar, and its graceful shutdown.

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

/// The timeout of each step after everything was cancelled.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// A started sidecar.
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

/// Both accept loops. The admin one continues while the public one drains, since `/readyz` reports that.
pub(super) struct Listeners {
    public: JoinSet<()>,
    admin: JoinSet<()>,
    admin_shutdown: Shutdown,
}

/// Starts both accept loops.
pub(super) fn listen(
    state: &Arc<ServerState>,
    limits: &Limits,
    public: TcpListener,
    admin: TcpListener,
) -> Listeners {
    let admin_shutdown = Shutdown { kill: state.deps.shutdown.kill.clone(), ..Shutdown::default() };
    let mut listeners = Listeners { public: JoinSet::new(), admin: JoinSet::new(), admin_shutdown };
    let public_limits = ListenerLimits::from(limits);
    // Connections of its own, so that health is served when the public listener is full.
    let admin_limits = ListenerLimits { max_connections: 64, ..public_limits.clone() };
    listeners.public.spawn(web::serve(
        public,
        web::public(Arc::clone(state)),
        public_limits,
        state.deps.shutdown.clone(),
    ));
    let admin_shutdown = listeners.admin_shutdown.clone();
    listeners.admin.spawn(web::serve(admin, web::admin(Arc::clone(state)), admin_limits, admin_shutdown));
    listeners
}

impl RunningApp {
    /// The address of the MCP endpoint.
    pub fn public_addr(&self) -> SocketAddr {
        self.public_at
    }

    /// The address of the health endpoints.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_at
    }

    /// Graceful shutdown, in order: accept loops and streams, requests, sessions, writes, tasks, state.
    pub async fn stop(self) {
        self.shutdown.stop.cancel();
        let Listeners { mut public, mut admin, admin_shutdown } = self.listeners;
        if timeout(self.drain_timeout, join_all(&mut public)).await.is_err() {
            tracing::warn!("the drain timeout expired with requests in flight");
        }
        self.endpoint.close();
        // A write whose client has left is still awaited, so that Odoo's answer is not lost.
        let open = self.client.drain(self.drain_timeout).await;
        if open > 0 {
            tracing::warn!(open, "the drain timeout expired with open writes");
        }
        admin_shutdown.stop.cancel();
        self.shutdown.kill.cancel();
        let _ = timeout(SHUTDOWN_GRACE, async { tokio::join!(join_all(&mut public), join_all(&mut admin)) })
            .await;
        self.tasks.shut_down(SHUTDOWN_GRACE).await;
        // Last, since every step above may still count. Blocking file I/O, hence not on the runtime.
        self.audit.close();
        let state = self.state;
        let _ = tokio::task::spawn_blocking(move || state.close()).await;
    }
}

async fn join_all(set: &mut JoinSet<()>) {
    while set.join_next().await.is_some() {}
}
