//! Session tracking: the registry of the sessions of both eras, and the session sync that reports them to
//! Odoo.
//!
//! `SessionRegistry` holds the live sessions and queues the ended ones; `SessionSync` sends changes in
//! batches to a `SessionSink` and ends the sessions that the answer names. Nothing here knows rmcp or HTTP.

mod registry;
mod session;
mod sync;

pub use registry::SessionRegistry;
pub use session::{ActivityGuard, Era, SessionOwner, TrackedSession, client_text};
pub use sync::{SessionSink, SessionSnapshot, SessionState, SessionSync, SyncError};
