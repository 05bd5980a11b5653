//! Request context: the caller, carried through rmcp.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::model::Extensions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::audit::RequestEntry;
use crate::guard::ConcurrencyPermit;
use crate::odoo::memory_budget::MemoryAccount;
use crate::sessions::TrackedSession;
use crate::vocab::{MutexExt, Principal};

tokio::task_local! {
    static REQUEST_SCOPE: RequestScope;
}

/// The context of a request, in the extensions of its `http::request::Parts`.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Arc<Principal>,
    pub peer: IpAddr,
    pub request_id: Uuid,
    /// Cancelled when the connection is revoked, changed or deleted.
    pub lifetime: CancellationToken,
    /// The session that the request belongs to or is about to open; none if it names one that does not exist.
    pub session: Option<Arc<TrackedSession>>,
    /// The audit entry of the request; none if it cannot call a tool.
    pub audit: Option<Arc<RequestEntry>>,
    /// Released when the handler is done with the request, which can be after the client has disconnected.
    pub permit: Option<Arc<ConcurrencyPermit>>,
    /// Where the memory of the request and its answer is reserved.
    pub account: Arc<MemoryAccount>,
    /// What is wrong with the arguments of a tool call that goes on without them.
    pub unreadable: Option<Arc<str>>,
    /// A note that is added to the answer to the model.
    pub notice: Option<Arc<str>>,
}

impl Caller {
    /// The caller of a request that rmcp hands to a handler.
    pub fn from_extensions(extensions: &Extensions) -> Result<&Self, ErrorData> {
        extensions
            .get::<Parts>()
            .and_then(|parts| parts.extensions.get::<Self>())
            .ok_or_else(|| ErrorData::internal_error("the request has no caller", None))
    }

    /// The caller of the request that this task passes to rmcp, for rmcp's synchronous callbacks.
    pub fn current() -> Option<Self> {
        REQUEST_SCOPE.try_with(|scope| scope.caller.clone()).ok()
    }
}

/// Task-local context of the code that rmcp calls back in the caller's own task.
pub(super) struct RequestScope {
    caller: Caller,
    reservation: Mutex<Option<ConcurrencyPermit>>,
}

impl RequestScope {
    pub(super) fn new(caller: Caller, reservation: Option<ConcurrencyPermit>) -> Self {
        Self { caller, reservation: Mutex::new(reservation) }
    }

    /// Runs a future inside this scope.
    pub(super) async fn run<F: Future>(self, future: F) -> F::Output {
        REQUEST_SCOPE.scope(self, future).await
    }

    /// The caller and the slot reserved for the session that is being made.
    pub(super) fn take_reservation() -> Option<(Caller, ConcurrencyPermit)> {
        let claim = |scope: &Self| {
            let slot = scope.reservation.locked().take();
            slot.map(|slot| (scope.caller.clone(), slot))
        };
        REQUEST_SCOPE.try_with(claim).ok().flatten()
    }
}
