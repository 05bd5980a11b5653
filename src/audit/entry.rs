//! The entry of one request, from its first byte to its end.
//!
//! Held by the road of the request and by the handler of its call, since either may outlive the other. Whoever
//! ends it first decides how it is told of; where nobody does, it was abandoned.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use ipnet::IpNet;
use tokio::sync::Notify;
use uuid::Uuid;

use super::document::{Document, Status, instant};
use super::row::{Deed, Row};
use super::sums::Key;
use super::{Audit, mask};
use crate::state::{Receipt, Stage};
use crate::vocab::{ConnectionId, UserId};

/// Names that clients make up are cut at this.
const MOST_NAME: usize = 128;

/// What strangers are summed by: the networks that one of them can have for himself.
const PREFIX_V4: u8 = 24;
const PREFIX_V6: u8 = 64;

/// What a client that left is told of.
const LEFT: &str = "The client left before it was answered.";

/// The session that a request belongs to.
pub trait Session: std::fmt::Debug + Send + Sync {
    /// None while it is only being opened.
    fn id(&self) -> Option<&str>;

    /// Name and version of the client, as far as it told them.
    fn client(&self) -> Option<&str>;
}

/// What is asked, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub method: Option<String>,
    pub tool: Option<String>,
    pub session: Option<Arc<dyn Session>>,
    /// It is a request: not a notification and the like, of which only refusals are told.
    pub counts: bool,
}

/// How a request ended that has no row of its own.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    pub status: Status,
    pub reason: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// The entry of one request.
#[derive(Debug)]
pub struct Entry {
    pub(super) audit: Arc<Audit>,
    id: Uuid,
    peer: IpAddr,
    begun: Instant,
    begun_ms: u64,
    caller: OnceLock<(ConnectionId, UserId)>,
    asked: OnceLock<Asked>,
    /// It has a row, or was summed.
    over: AtomicBool,
    /// Of the row's end.
    receipt: Mutex<Option<Receipt>>,
    /// Notified when the row is kept.
    under_way: Notify,
}

impl Verdict<'static> {
    pub const SUCCESS: Self = Self { status: Status::Success, reason: None, error: None };
}

impl<'a> Verdict<'a> {
    pub fn refused(reason: &'a str, error: &'a str) -> Self {
        Self { status: Status::Refused, reason: Some(reason), error: Some(error) }
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(audit: Arc<Audit>, id: Uuid, peer: IpAddr, begun: Instant) -> Self {
        let begun_ms = audit.clock.unix_ms();
        Self {
            audit,
            id,
            peer,
            begun,
            begun_ms,
            caller: OnceLock::new(),
            asked: OnceLock::new(),
            over: AtomicBool::new(false),
            receipt: Mutex::default(),
            under_way: Notify::new(),
        }
    }

    /// The caller is known.
    pub fn identify(&self, connection: ConnectionId, user: UserId) {
        let _ = self.caller.set((connection, user));
    }

    /// The message is known.
    pub fn asks(&self, asked: Asked) {
        let _ = self.asked.set(Asked { method: bounded(asked.method), tool: bounded(asked.tool), ..asked });
    }

    /// Whether payloads are wanted.
    pub fn wants_payloads(&self) -> bool {
        (self.audit.payloads)()
    }

    /// Whether it was told how it ended, or will be.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The request ended. Without effect where it has a row, or ended before.
    pub fn end(&self, verdict: Verdict<'_>) {
        let silent = verdict.status != Status::Refused && self.asked.get().is_some_and(|asked| !asked.counts);
        if !self.over.swap(true, Ordering::AcqRel) && !silent {
            self.count(verdict);
        }
    }

    /// Gives the request a row of its own; to be called before the call that it is about is made. None where
    /// it ended already.
    pub fn row(self: &Arc<Self>, deed: Deed) -> Option<Row> {
        (!self.over.swap(true, Ordering::AcqRel)).then(|| Row::new(Arc::clone(self), deed))
    }

    /// Comes back when the end of the row is kept: before that, the answer must not leave.
    pub async fn kept(&self) {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receipt) = receipt {
            // What is done is done: the client gets its answer, and the writer tries on.
            receipt.kept().await;
        }
    }

    /// Comes back when the row is kept, so that the call can be made: from then on it is not refused for want of
    /// an account. For one waiter; never comes back where there is no row.
    pub async fn under_way(&self) {
        self.under_way.notified().await;
    }

    // === for the row ===

    pub(super) fn go(&self) {
        self.under_way.notify_one();
    }

    /// A row that came to nothing: the request is to end otherwise.
    pub(super) fn reopen(&self) {
        self.audit.spool.withdraw(self.id);
        self.over.store(false, Ordering::Release);
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn keep_receipt(&self, receipt: Receipt) {
        *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
    }

    pub(super) fn keep(&self, document: &Document, stage: Stage) -> Receipt {
        self.audit.keep(document, stage)
    }

    /// All that is known of the request, with nothing said of its end.
    pub(super) fn document(&self) -> Document {
        let (connection, user) = self.caller.get().copied().unzip();
        let Asked { method, tool, session, .. } = self.asked.get().cloned().unwrap_or_default();
        let session = session.as_deref();
        Document {
            id: self.id,
            time: instant(self.begun_ms),
            method,
            tool,
            model: None,
            res_ids: Vec::new(),
            connection,
            user,
            session: session.and_then(Session::id).map(str::to_owned),
            client: session.and_then(Session::client).map(mask::name),
            ip: Some(self.peer.to_canonical().to_string()),
            status: Status::Abandoned,
            reason: None,
            error: None,
            duration_ms: None,
            count: 1,
            call_id: None,
            request: None,
            response: None,
        }
    }

    fn count(&self, verdict: Verdict<'_>) {
        let Verdict { status, reason, error } = verdict;
        let (peer, error) = (self.peer.to_canonical(), || error.map(mask::sentence));
        let new = match self.caller.get() {
            Some(&(connection, user)) => {
                let asked = self.asked.get();
                let session = asked.and_then(|asked| asked.session.as_deref());
                let key = Key {
                    connection: Some(connection),
                    user: Some(user),
                    session: session.and_then(Session::id),
                    client: session.and_then(Session::client),
                    ip: Some(IpNet::from(peer)),
                    method: asked.and_then(|asked| asked.method.as_deref()),
                    tool: asked.and_then(|asked| asked.tool.as_deref()),
                    status,
                    reason,
                };
                self.audit.callers.add(key, self.begun_ms, Some(self.elapsed_ms()), error)
            }
            None => {
                let prefix = if peer.is_ipv4() { PREFIX_V4 } else { PREFIX_V6 };
                let ip = IpNet::new(peer, prefix).ok().map(|network| network.trunc());
                let key = Key { ip, ..Key::of(status, reason) };
                self.audit.strangers.add(key, self.begun_ms, None, error)
            }
        };
        if new {
            self.audit.counted.notify_one();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let left = Verdict { status: Status::Abandoned, reason: Some("client_left"), error: Some(LEFT) };
        self.end(left);
    }
}

fn bounded(name: Option<String>) -> Option<String> {
    // Almost always as it came.
    name.map(|name| if name.len() > MOST_NAME { super::document::cut(&name, MOST_NAME) } else { name })
}
