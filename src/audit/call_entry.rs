//! A row of its own: a call that reached Odoo, or was about to.

use std::sync::Arc;

use super::document::{EntryDocument, Status, bounded_sentence};
use super::redact;
use super::request_entry::RequestEntry;
use crate::state::{CommitTicket, Stage};
use crate::vocab::CallId;

/// What is told of a call whose end this process did not see.
const STOPPED_ERROR: &str = "The sidecar was stopped before Odoo answered.";
const CLIENT_LEFT_ERROR: &str = "The client left before Odoo answered.";

/// The error of a call that panicked.
const PANIC_ERROR: &str = "An internal error of the sidecar ended the call.";

/// The most records that are named.
const MAX_IDS: usize = 100;

/// What a call is about to do.
#[derive(Debug, Clone, Default)]
pub struct CallInfo {
    pub tool: &'static str,
    pub model: Option<String>,
    pub ids: Vec<i64>,
    /// Of a call that changes something: the addon can tell what became of it.
    pub call_id: Option<CallId>,
    /// The arguments as JSON text, where payloads are wanted.
    pub request: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOutcome<'a> {
    /// Records that it made.
    pub created_ids: &'a [i64],
    /// Why it failed: the machine's word.
    pub reason: Option<&'a str>,
    /// It was not let through, rather than tried in vain.
    pub refused: bool,
    /// What became of a change is not known.
    pub unknown: bool,
    /// What the client is told.
    pub text: &'a str,
}

/// A row that is open. Dropped, it was abandoned.
#[derive(Debug)]
pub struct CallEntry {
    entry: Arc<RequestEntry>,
    document: EntryDocument,
    opened: Option<CommitTicket>,
    closed: bool,
}

impl CallEntry {
    /// Opens a row. What is kept now is what will be told should this process not live to close it.
    pub(super) fn new(entry: Arc<RequestEntry>, info: CallInfo) -> Self {
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

    /// Comes back when a kill could not lose the row any more. None where it cannot be kept: then the call must
    /// not be made, and the request may end otherwise.
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

    /// Closes the row; `RequestEntry::committed` tells when that is kept.
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
        // What became of a change, the addon knows; a read that no client waits for is over.
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
