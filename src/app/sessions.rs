//! Tells Odoo of the sessions: the ledger's words put into the contract's.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::mcp::{Era, Ledger, Register, Row, Unheard};
use crate::mirror::{Gate, Mirror};
use crate::odoo::Client;
use crate::odoo::sessions::{SessionDocument, SyncSessionsRequest};

/// Odoo's list of sessions.
struct Odoo {
    client: Arc<Client>,
    replica: Uuid,
}

/// Tells Odoo of the sessions until `cancel`, and then that they have ended.
pub async fn tell(
    ledger: Arc<Ledger>,
    mirror: Arc<Mirror>,
    client: Arc<Client>,
    replica: Uuid,
    cancel: CancellationToken,
) {
    // Odoo knows the replica from its hello on.
    let mut gate = mirror.watch_gate();
    let greeted = gate.wait_for(|gate| *gate != Gate::Unknown);
    if cancel.run_until_cancelled(greeted).await.is_some() {
        ledger.tell(Arc::new(Odoo { client, replica }), cancel).await;
    }
}

impl Register for Odoo {
    fn tell<'a>(&'a self, complete: bool, rows: &'a [Row]) -> BoxFuture<'a, Result<Vec<String>, Unheard>> {
        let sessions = rows.iter().map(document).collect();
        let request = SyncSessionsRequest { replica: self.replica, complete, sessions };
        async move {
            let answer = self.client.sync_sessions(&request).await;
            answer.map(|answer| answer.ended).map_err(|error| Unheard(error.to_string()))
        }
        .boxed()
    }
}

fn document(row: &Row) -> SessionDocument {
    let activity = &row.activity;
    SessionDocument {
        session: row.id.as_ref().to_owned(),
        connection: activity.connection(),
        user: activity.user(),
        client: activity.client().map(str::to_owned),
        ip: Some(row.state.peer.to_canonical().to_string()),
        era: match activity.era() {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        },
        created: instant(activity.created_unix_ms()),
        last_activity: instant(row.state.seen_unix_ms),
        requests: row.state.requests,
        live: row.state.live,
    }
}

/// With milliseconds: a client that comes back in the second in which an administrator ended it has to be told
/// apart from one that did not.
fn instant(unix_ms: u64) -> String {
    let millis = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.3}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds() {
        assert_eq!(instant(1_795_440_600_999), "2026-11-23T13:30:00.999Z");
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert!(!instant(u64::MAX).is_empty());
    }
}
