//! The audit entry of one request, from its first byte to its end.
//!
//! Shared by the HTTP pipeline and the tool handler, either of which may outlive the other. The first to end
//! it sets the outcome; if neither does, `Drop` records it as abandoned.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use ipnet::IpNet;
use tokio::sync::Notify;
use uuid::Uuid;

use super::aggregate::AggregateKey;
use super::document::{EntryDocument, Status};
use super::{AuditTrail, redact};
use crate::state::{CommitTicket, Stage};
use crate::vocab::{ConnectionId, MutexExt, UserId, rfc3339_millis};

/// The bound of names that clients choose.
const MAX_NAME_CHARS: usize = 128;

/// The networks by which anonymous requests are aggregated: the ones that a single client can own.
const ANONYMOUS_PREFIX_V4_BITS: u8 = 24;
const ANONYMOUS_PREFIX_V6_BITS: u8 = 64;

/// The error sentence of an abandoned request.
const CLIENT_LEFT_ERROR: &str = "The client left before it was answered.";

/// The session that a request belongs to.
pub trait SessionInfo: std::fmt::Debug + Send + Sync {
    /// None while the session is being opened.
    fn id(&self) -> Option<&str>;

    /// Name and version of the client, if it sent them.
    fn client(&self) -> Option<&str>;
}

/// The content of a request, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    pub method: Option<String>,
    pub tool: Option<String>,
    pub session: Option<Arc<dyn SessionInfo>>,
    /// Whether it is a request; of notifications and responses only refusals are recorded.
    pub is_request: bool,
}

/// The outcome of a request without a call entry.
#[derive(Debug, Clone, Copy)]
pub struct RequestOutcome<'a> {
    pub status: Status,
    pub reason: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// The entry of one request.
#[derive(Debug)]
pub struct RequestEntry {
    pub(super) audit: Arc<AuditTrail>,
    id: Uuid,
    peer: IpAddr,
    started: Instant,
    started_ms: u64,
    caller: OnceLock<(ConnectionId, UserId)>,
    info: OnceLock<RequestInfo>,
    /// It has a call entry or was aggregated.
    ended: AtomicBool,
    /// The commit ticket of the closed call entry.
    ticket: Mutex<Option<CommitTicket>>,
    /// Notified when the open call entry is committed.
    call_recorded: Notify,
}

impl RequestOutcome<'static> {
    pub const SUCCESS: Self = Self { status: Status::Success, reason: None, error: None };
}

impl<'a> RequestOutcome<'a> {
    pub fn refused(reason: &'a str, error: &'a str) -> Self {
        Self { status: Status::Refused, reason: Some(reason), error: Some(error) }
    }
}

// === impl RequestEntry ===

impl RequestEntry {
    pub(super) fn new(audit: Arc<AuditTrail>, id: Uuid, peer: IpAddr, started: Instant) -> Self {
        let started_ms = audit.clock.unix_ms();
        Self {
            audit,
            id,
            peer,
            started,
            started_ms,
            caller: OnceLock::new(),
            info: OnceLock::new(),
            ended: AtomicBool::new(false),
            ticket: Mutex::default(),
            call_recorded: Notify::new(),
        }
    }

    /// Sets the caller, once authenticated.
    pub fn identify(&self, connection: ConnectionId, user: UserId) {
        let _ = self.caller.set((connection, user));
    }

    /// Sets the content, once the message is read.
    pub fn describe(&self, info: RequestInfo) {
        let _ = self.info.set(RequestInfo {
            method: bounded_name(info.method),
            tool: bounded_name(info.tool),
            ..info
        });
    }

    /// Whether payloads are logged.
    pub fn wants_payloads(&self) -> bool {
        (self.audit.payload_policy)()
    }

    /// Whether its outcome is recorded, or will be by its call entry.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends the request and aggregates it. No effect if it has a call entry or has ended before.
    pub fn end(&self, outcome: RequestOutcome<'_>) {
        let silent =
            outcome.status != Status::Refused && self.info.get().is_some_and(|info| !info.is_request);
        if self.claim_end() && !silent {
            self.aggregate(outcome);
        }
    }

    /// Waits until the closed call entry is committed: before that, the answer must not leave.
    pub async fn committed(&self) {
        let ticket = self.ticket.locked().take();
        if let Some(ticket) = ticket {
            // On a failed write the client gets its answer all the same, and the writer retries.
            ticket.committed().await;
        }
    }

    /// Waits until the open call entry is committed: from then on the call is not refused for an unavailable
    /// audit log. For one waiter; pending forever if there is no call entry.
    pub async fn call_recorded(&self) {
        self.call_recorded.notified().await;
    }

    // === for the call entry ===

    /// Claims the right to record the outcome; true once.
    pub(super) fn claim_end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    pub(super) fn notify_call_recorded(&self) {
        self.call_recorded.notify_one();
    }

    /// Removes a call entry that could not be committed, so that the request can end otherwise.
    pub(super) fn reopen(&self) {
        self.audit.spool.remove(self.id);
        self.ended.store(false, Ordering::Release);
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn set_ticket(&self, ticket: CommitTicket) {
        *self.ticket.locked() = Some(ticket);
    }

    pub(super) fn spool(&self, document: &EntryDocument, stage: Stage) -> CommitTicket {
        self.audit.put(document, stage)
    }

    /// The document of the request so far, without an outcome.
    pub(super) fn document(&self) -> EntryDocument {
        let (connection, user) = self.caller.get().copied().unzip();
        let RequestInfo { method, tool, session, .. } = self.info.get().cloned().unwrap_or_default();
        let session = session.as_deref();
        EntryDocument {
            id: self.id,
            time: rfc3339_millis(self.started_ms),
            method,
            tool,
            model: None,
            res_ids: Vec::new(),
            connection,
            user,
            session: session.and_then(SessionInfo::id).map(str::to_owned),
            client: session.and_then(SessionInfo::client).map(redact::name),
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

    fn aggregate(&self, outcome: RequestOutcome<'_>) {
        let RequestOutcome { status, reason, error } = outcome;
        let (peer, error) = (self.peer.to_canonical(), || error.map(redact::sentence));
        let info = self.info.get();
        let session = info.and_then(|info| info.session.as_deref());
        let client = session.and_then(SessionInfo::client);
        let caller = self.caller.get();
        // A client can be known before there is a connection: when it registers, and until its user has consented.
        let new = if caller.is_some() || client.is_some() {
            let key = AggregateKey {
                connection: caller.map(|(connection, _)| *connection),
                user: caller.map(|(_, user)| *user),
                session: session.and_then(SessionInfo::id),
                client,
                ip: Some(IpNet::from(peer)),
                method: info.and_then(|info| info.method.as_deref()),
                tool: info.and_then(|info| info.tool.as_deref()),
                status,
                reason,
            };
            self.audit.identified.add(key, self.started_ms, Some(self.elapsed_ms()), error)
        } else {
            let prefix = if peer.is_ipv4() { ANONYMOUS_PREFIX_V4_BITS } else { ANONYMOUS_PREFIX_V6_BITS };
            let ip = IpNet::new(peer, prefix).ok().map(|network| network.trunc());
            let key = AggregateKey { ip, ..AggregateKey::of_outcome(status, reason) };
            self.audit.anonymous.add(key, self.started_ms, None, error)
        };
        if new {
            self.audit.aggregated.notify_one();
        }
    }
}

impl Drop for RequestEntry {
    fn drop(&mut self) {
        let abandoned = RequestOutcome {
            status: Status::Abandoned,
            reason: Some("client_left"),
            error: Some(CLIENT_LEFT_ERROR),
        };
        self.end(abandoned);
    }
}

fn bounded_name(name: Option<String>) -> Option<String> {
    // Almost always short enough.
    name.map(|name| {
        if name.len() > MAX_NAME_CHARS {
            super::document::truncate_chars(&name, MAX_NAME_CHARS)
        } else {
            name
        }
    })
}
