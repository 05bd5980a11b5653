//! The call entry: the audit entry of a single call that reached Odoo, or was about to.

use std::sync::Arc;

use super::document::{EntryDocument, Status, bounded_sentence};
use super::redact;
use super::request_entry::RequestEntry;
use crate::state::{CommitTicket, Stage};
use crate::vocab::CallId;

/// The error sentences of calls whose answer this process did not see.
const STOPPED_ERROR: &str = "The sidecar was stopped before Odoo answered.";
const CLIENT_LEFT_ERROR: &str = "The client left before Odoo answered.";

/// The error sentence of a call that panicked.
const PANIC_ERROR: &str = "An internal error of the sidecar ended the call.";

/// The most record ids of an entry.
const MAX_IDS: usize = 100;

/// A call that is about to be made.
#[derive(Debug, Clone, Default)]
pub struct CallInfo {
    pub tool: &'static str,
    pub model: Option<String>,
    pub ids: Vec<i64>,
    /// Set for a write: the addon can look up its outcome by it.
    pub call_id: Option<CallId>,
    /// The arguments as JSON text, if payloads are logged.
    pub request: Option<String>,
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOutcome<'a> {
    /// The records that it created.
    pub created_ids: &'a [i64],
    /// The machine-readable reason of a failure.
    pub reason: Option<&'a str>,
    /// Whether it was refused by a check, rather than tried and failed.
    pub refused: bool,
    /// Whether the outcome of a write is unknown.
    pub unknown: bool,
    /// The text of the answer to the client.
    pub text: &'a str,
}

/// An open call entry. Dropped without `close`, it is recorded as abandoned.
#[derive(Debug)]
pub struct CallEntry {
    entry: Arc<RequestEntry>,
    document: EntryDocument,
    opened: Option<CommitTicket>,
    closed: bool,
}

impl CallEntry {
    /// Opens the call entry of a request, before the call is made. None if the request has ended.
    pub fn open(entry: &Arc<RequestEntry>, info: CallInfo) -> Option<Self> {
        entry.claim_end().then(|| Self::new(Arc::clone(entry), info))
    }

    /// Spools an open entry, in the form that is delivered if this process crashes before it is closed.
    fn new(entry: Arc<RequestEntry>, info: CallInfo) -> Self {
        let CallInfo { tool, model, ids, call_id, request } = info;
        let mut document = entry.document();
        document.tool = Some(tool.to_owned());
        document.model = model;
        add_ids(&mut document.res_ids, &ids);
        document.call_id = call_id;
        document.request = request.map(|request| redact::request(&request));
        document.reason = Some("unknown".to_owned());
        document.error = Some(STOPPED_ERROR.to_owned());
        let opened = entry.spool(&document, Stage::Open);
        Self { entry, document, opened: Some(opened), closed: false }
    }

    /// Waits until a kill can no longer lose the entry. None if it could not be written: then the call must
    /// not be made, and the request ends otherwise.
    pub async fn committed(mut self) -> Option<Self> {
        let committed = match self.opened.take() {
            Some(opened) => opened.committed().await,
            None => true,
        };
        if committed {
            self.entry.notify_call_recorded();
            return Some(self);
        }
        self.closed = true;
        self.entry.reopen();
        None
    }

    /// Closes the entry; `RequestEntry::committed` waits for its commit.
    pub fn close(mut self, outcome: CallOutcome<'_>) {
        self.closed = true;
        let failed = outcome.reason.is_some();
        let payloads = self.document.request.is_some();
        let document = &mut self.document;
        add_ids(&mut document.res_ids, outcome.created_ids);
        document.status = match outcome.refused {
            _ if !failed => Status::Success,
            true => Status::Refused,
            false => Status::Error,
        };
        document.reason = outcome.reason.map(str::to_owned);
        document.error = failed.then(|| redact::sentence(outcome.text));
        document.response = payloads.then(|| redact::response(outcome.text));
        document.duration_ms = Some(self.entry.elapsed_ms());
        if !outcome.unknown {
            document.call_id = None;
        }
        let ticket = self.entry.spool(&self.document, Stage::Ready);
        self.entry.set_ticket(ticket);
    }
}

impl Drop for CallEntry {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // The addon knows the outcome of a write; a read without a client is over.
        if std::thread::panicking() {
            self.document.status = Status::Error;
            self.document.reason = Some("internal_error".to_owned());
            self.document.error = Some(bounded_sentence(PANIC_ERROR));
            self.document.duration_ms = Some(self.entry.elapsed_ms());
        } else if self.document.call_id.is_none() {
            self.document.reason = Some("client_left".to_owned());
            self.document.error = Some(bounded_sentence(CLIENT_LEFT_ERROR));
            self.document.duration_ms = Some(self.entry.elapsed_ms());
        }
        let ticket = self.entry.spool(&self.document, Stage::Ready);
        self.entry.set_ticket(ticket);
    }
}

fn add_ids(known: &mut Vec<i64>, ids: &[i64]) {
    for id in ids {
        if known.len() < MAX_IDS && !known.contains(id) {
            known.push(*id);
        }
    }
}
