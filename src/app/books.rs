//! The audit trail's way to Odoo.

use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::audit::{
    Acknowledged, ChainState, CheckAnswer, CheckQuestion, Incident, IncidentKind, Inspection, Link, Sink,
    Taken, Untaken,
};
use crate::odoo::audit::{
    AlarmDocument, AppendAuditRequest, ChainDocument, CheckAuditAnswer, CheckAuditRequest, LinkDocument,
};
use crate::odoo::gateway::FaultCode;
use crate::odoo::{Client, Error};
use crate::state::{Kept, Pending};

/// Odoo's audit log.
pub struct Books {
    pub client: Arc<Client>,
    pub replica: Uuid,
}

impl Sink for Books {
    fn append<'a>(&'a self, entries: &'a [Kept], seen: Option<u64>) -> Pending<'a, Result<Taken, Untaken>> {
        Box::pin(async move {
            let raw = |entry: &Kept| RawValue::from_string(entry.body.clone());
            let entries = entries.iter().map(raw).collect::<Result<Vec<_>, _>>();
            let entries = entries.map_err(|_| Untaken::Malformed("it is no JSON".to_owned()))?;
            let request = AppendAuditRequest { replica: self.replica, entries, seen };
            match self.client.append_audit(&request).await {
                Ok(answer) => Ok(Taken { pending: answer.pending, chain: answer.chain.map(state) }),
                Err(error) => Err(untaken(&error)),
            }
        })
    }

    fn check<'a>(&'a self, question: &'a CheckQuestion) -> Pending<'a, Result<CheckAnswer, Untaken>> {
        Box::pin(async move {
            let CheckQuestion { seen, after, incidents } = question;
            let alarms = incidents.iter().map(alarm).collect();
            let request = CheckAuditRequest { replica: self.replica, seen: *seen, after: *after, alarms };
            self.client.check_audit(&request).await.map(checked).map_err(|error| untaken(&error))
        })
    }
}

fn alarm(incident: &Incident) -> AlarmDocument {
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

fn checked(answer: CheckAuditAnswer) -> CheckAnswer {
    let CheckAuditAnswer { chain, gap, window, acknowledged } = answer;
    let acknowledged = acknowledged.into_iter();
    CheckAnswer {
        state: state(chain),
        inspection: Inspection { gap: gap.map(|gap| (gap.sequence, gap.missing)), changed: window.changed },
        next: window.next,
        acknowledged: acknowledged
            .map(|one| Acknowledged { id: one.id, by: one.by, note: one.note })
            .collect(),
    }
}

fn state(chain: ChainDocument) -> ChainState {
    let link = |LinkDocument { sequence, hash }| Link { sequence, hash };
    let ChainDocument { start, tip, newest, seen } = chain;
    ChainState { start: link(start), tip: link(tip), newest: link(newest), seen }
}

fn untaken(error: &Error) -> Untaken {
    match error {
        Error::Fault(fault) => match fault.code {
            FaultCode::BadRequest => {
                let at = fault.data.get("at").and_then(serde_json::Value::as_str);
                Untaken::Malformed(at.unwrap_or("its form").to_owned())
            }
            FaultCode::Contract | FaultCode::NotService | FaultCode::Disabled => Untaken::Away,
            _ => Untaken::Failed,
        },
        Error::TimedOut => Untaken::Slow,
        _ => Untaken::Away,
    }
}
