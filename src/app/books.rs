//! The audit trail's way to Odoo.

use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::audit::{Sink, Taken, Untaken};
use crate::odoo::audit::AppendAuditRequest;
use crate::odoo::gateway::FaultCode;
use crate::odoo::{Client, Error};
use crate::state::{Kept, Pending};

/// Odoo's audit log.
pub struct Books {
    pub client: Arc<Client>,
    pub replica: Uuid,
}

impl Sink for Books {
    fn append<'a>(&'a self, entries: &'a [Kept]) -> Pending<'a, Result<Taken, Untaken>> {
        Box::pin(async move {
            let raw = |entry: &Kept| RawValue::from_string(entry.body.clone());
            let entries = entries.iter().map(raw).collect::<Result<Vec<_>, _>>();
            let entries = entries.map_err(|_| Untaken::Malformed("it is no JSON".to_owned()))?;
            let request = AppendAuditRequest { replica: self.replica, entries };
            match self.client.append_audit(&request).await {
                Ok(answer) => Ok(Taken { pending: answer.pending }),
                Err(error) => Err(untaken(&error)),
            }
        })
    }
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
