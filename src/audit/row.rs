//! A row of its own: a call that reached Odoo, or was about to.

use std::sync::Arc;

use super::document::{Document, Status, sentence};
use super::entry::Entry;
use super::mask;
use crate::state::{Receipt, Stage};
use crate::vocab::CallId;

/// What is told of a call whose end this process did not see.
const STOPPED: &str = "The sidecar was stopped before Odoo answered.";
const LEFT: &str = "The client left before Odoo answered.";

/// The most records that are named.
const MOST_IDS: usize = 100;

/// What a call is about to do.
#[derive(Debug, Clone, Default)]
pub struct Deed {
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
pub struct Outcome<'a> {
    /// Records that it made.
    pub made: &'a [i64],
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
pub struct Row {
    entry: Arc<Entry>,
    document: Document,
    opened: Option<Receipt>,
    closed: bool,
}

impl Row {
    /// Opens a row. What is kept now is what will be told should this process not live to close it.
    pub(super) fn new(entry: Arc<Entry>, deed: Deed) -> Self {
        let Deed { tool, model, ids, call_id, request } = deed;
        let mut document = entry.document();
        document.tool = Some(tool.to_owned());
        document.model = model;
        name(&mut document.res_ids, &ids);
        document.call_id = call_id;
        document.request = request.map(|request| mask::request(&request));
        document.reason = Some("unknown".to_owned());
        document.error = Some(STOPPED.to_owned());
        let opened = entry.keep(&document, Stage::Open);
        Self { entry, document, opened: Some(opened), closed: false }
    }

    /// Comes back when a kill could not lose the row any more. None where it cannot be kept: then the call must
    /// not be made, and the request may end otherwise.
    pub async fn kept(mut self) -> Option<Self> {
        let kept = match self.opened.take() {
            Some(opened) => opened.kept().await,
            None => true,
        };
        if kept {
            self.entry.go();
            return Some(self);
        }
        self.closed = true;
        self.entry.reopen();
        None
    }

    /// Closes the row; `Entry::kept` tells when that is kept.
    pub fn close(mut self, outcome: Outcome<'_>) {
        self.closed = true;
        let failed = outcome.reason.is_some();
        let payloads = self.document.request.is_some();
        let document = &mut self.document;
        name(&mut document.res_ids, outcome.made);
        document.status = match outcome.refused {
            _ if !failed => Status::Success,
            true => Status::Refused,
            false => Status::Error,
        };
        document.reason = outcome.reason.map(str::to_owned);
        document.error = failed.then(|| mask::sentence(outcome.text));
        document.response = payloads.then(|| mask::response(outcome.text));
        document.duration_ms = Some(self.entry.elapsed_ms());
        if !outcome.unknown {
            document.call_id = None;
        }
        let receipt = self.entry.keep(&self.document, Stage::Ready);
        self.entry.keep_receipt(receipt);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // What became of a change, the addon knows; a read that nobody waits for is over.
        if self.document.call_id.is_none() {
            self.document.reason = Some("client_left".to_owned());
            self.document.error = Some(sentence(LEFT));
            self.document.duration_ms = Some(self.entry.elapsed_ms());
        }
        self.entry.keep(&self.document, Stage::Ready);
    }
}

fn name(known: &mut Vec<i64>, ids: &[i64]) {
    for id in ids {
        if known.len() < MOST_IDS && !known.contains(id) {
            known.push(*id);
        }
    }
}
