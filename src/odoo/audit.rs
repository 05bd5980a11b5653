//! Entries of the audit log on their way to the addon.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::{Client, Deadline, parse};
use super::{Error, encode};

/// Entries as JSON text, as they were kept, oldest first.
#[derive(Debug, Clone, Serialize)]
pub struct AppendAuditRequest {
    pub replica: Uuid,
    pub entries: Vec<Box<RawValue>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AppendAuditAnswer {
    /// How many were new.
    pub stored: u64,
    /// Those to send again later.
    pub pending: Vec<Uuid>,
}

impl Client {
    /// Hands entries on, once. Whoever calls tries again by himself, and calls of people must not fail because
    /// this did: so the breaker is heeded, but hears nothing of it.
    pub async fn append_audit(&self, request: &AppendAuditRequest) -> Result<AppendAuditAnswer, Error> {
        let deadline = Deadline::within(self.options.control_timeout());
        let json = || encode::json(request);
        let text = self.aside("append_audit", json, deadline).await.map_err(|failure| failure.of_read())?;
        parse(&text)
    }
}
