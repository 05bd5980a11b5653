//! The audit sink: appends batches to the audit log in Odoo, and requests its checks.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::audit::{
    Accepted, Acknowledgement, AuditSink, ChainLink, ChainState, CheckAnswer, CheckRequest, Incident,
    IncidentKind, Inspection, SinkError,
};
use crate::odoo::contract::{
    AlarmDocument, AppendAuditRequest, ChainDocument, CheckAuditAnswer, CheckAuditRequest, FaultCode,
    LinkDocument,
};
use crate::odoo::{Client, Error};
use crate::state::SpoolEntry;

/// The audit log in Odoo.
pub(super) struct OdooAuditSink {
    pub client: Arc<Client>,
    pub replica: Uuid,
}

impl AuditSink for OdooAuditSink {
    fn append<'a>(
        &'a self,
        entries: &'a [SpoolEntry],
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Accepted, SinkError>> {
        Box::pin(async move {
            let raw = |entry: &SpoolEntry| RawValue::from_string(entry.body.clone());
            let entries = entries.iter().map(raw).collect::<Result<Vec<_>, _>>();
            let entries = entries.map_err(|_| SinkError::Rejected("it is no JSON".to_owned()))?;
            let request = AppendAuditRequest { replica: self.replica, entries, seen };
            match self.client.append_audit(&request).await {
                Ok(answer) => Ok(Accepted { pending: answer.pending, chain: answer.chain.map(chain_state) }),
                Err(error) => Err(sink_error(&error)),
            }
        })
    }

    fn check<'a>(&'a self, request: &'a CheckRequest) -> BoxFuture<'a, Result<CheckAnswer, SinkError>> {
        Box::pin(async move {
            let CheckRequest { seen, after, incidents } = request;
            let alarms = incidents.iter().map(alarm_document).collect();
            let request = CheckAuditRequest { replica: self.replica, seen: *seen, after: *after, alarms };
            self.client.check_audit(&request).await.map(check_answer).map_err(|error| sink_error(&error))
        })
    }
}

fn alarm_document(incident: &Incident) -> AlarmDocument {
    AlarmDocument {
        id: incident.id.clone(),
        kind: match incident.kind {
            IncidentKind::Lowered => "lowered",
            IncidentKind::Changed => "changed",
            IncidentKind::Missing => "missing",
            IncidentKind::Deleted => "deleted",
        },
        sequence: incident.sequence,
        missing: incident.missing,
        time: incident.time.clone(),
    }
}

fn check_answer(answer: CheckAuditAnswer) -> CheckAnswer {
    let CheckAuditAnswer { chain, gap, window, acknowledged } = answer;
    let acknowledged = acknowledged.into_iter();
    CheckAnswer {
        state: chain_state(chain),
        inspection: Inspection { gap: gap.map(|gap| (gap.sequence, gap.missing)), changed: window.changed },
        next: window.next,
        acknowledged: acknowledged
            .map(|one| Acknowledgement { id: one.id, by: one.by, note: one.note })
            .collect(),
    }
}

fn chain_state(chain: ChainDocument) -> ChainState {
    let link = |LinkDocument { sequence, hash }| ChainLink { sequence, hash };
    let ChainDocument { start, tip, newest, seen } = chain;
    ChainState { start: link(start), tip: link(tip), newest: link(newest), seen }
}

fn sink_error(error: &Error) -> SinkError {
    match error {
        Error::Fault(fault) => match fault.code {
            FaultCode::BadRequest => {
                let at = fault.data.get("at").and_then(serde_json::Value::as_str);
                SinkError::Rejected(at.unwrap_or("its form").to_owned())
            }
            FaultCode::Contract | FaultCode::NotService | FaultCode::Disabled => SinkError::Unavailable,
            _ => SinkError::Failed,
        },
        Error::TimedOut => SinkError::TimedOut,
        _ => SinkError::Unavailable,
    }
}
