//! The session sink: sends session syncs to Odoo in the form of the contract.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::mirror::{Gate, Mirror};
use crate::odoo::Client;
use crate::odoo::contract::{SessionDocument, SyncSessionsRequest};
use crate::sessions::{Era, SessionRegistry, SessionSink, SessionSnapshot, SessionSync, SyncError};
use crate::vocab::rfc3339_millis;

/// The list of sessions in Odoo.
struct OdooSessionSink {
    client: Arc<Client>,
    replica: Uuid,
}

/// Runs the session sync until `cancel`, from the first hello on: before that, Odoo does not know the
/// replica.
pub(super) async fn run_session_sync(
    registry: Arc<SessionRegistry>,
    mirror: Arc<Mirror>,
    client: Arc<Client>,
    replica: Uuid,
    cancel: CancellationToken,
) {
    let mut gate = mirror.watch_gate();
    let greeted = gate.wait_for(|gate| *gate != Gate::Unknown);
    if cancel.run_until_cancelled(greeted).await.is_some() {
        SessionSync::run(registry, Arc::new(OdooSessionSink { client, replica }), cancel).await;
    }
}

impl SessionSink for OdooSessionSink {
    fn sync<'a>(
        &'a self,
        complete: bool,
        snapshots: &'a [SessionSnapshot],
    ) -> BoxFuture<'a, Result<Vec<String>, SyncError>> {
        let sessions = snapshots.iter().map(session_document).collect();
        let request = SyncSessionsRequest { replica: self.replica, complete, sessions };
        async move {
            let answer = self.client.sync_sessions(&request).await;
            answer.map(|answer| answer.ended).map_err(|error| SyncError(error.to_string()))
        }
        .boxed()
    }
}

fn session_document(snapshot: &SessionSnapshot) -> SessionDocument {
    let session = &snapshot.session;
    SessionDocument {
        session: snapshot.id.as_ref().to_owned(),
        connection: session.connection(),
        user: session.user(),
        client: session.client().map(str::to_owned),
        ip: Some(snapshot.state.peer.to_canonical().to_string()),
        era: match session.era() {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        },
        created: rfc3339_millis(session.created_unix_ms()),
        last_activity: rfc3339_millis(snapshot.state.last_request_unix_ms),
        requests: snapshot.state.requests,
        live: snapshot.state.live,
    }
}
