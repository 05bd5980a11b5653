//! What can go wrong between the sidecar and Odoo, as far as a caller would treat it differently.

use super::gateway::Fault;

/// A failed call to the gateway. No variant carries a traceback, a proof or a row of data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The gateway refused, with its reason.
    #[error("{}", .0.message)]
    Fault(Fault),
    /// Odoo could not be reached, or the breaker is open; nothing was done.
    #[error("Odoo cannot be reached")]
    Unreachable,
    /// The deadline passed. A write may have been done: its state is unknown.
    #[error("Odoo did not answer in time")]
    TimedOut,
    /// The connection broke after the request was sent, or the answer was unusable.
    #[error("the answer of Odoo was lost or unreadable")]
    BadAnswer,
    /// Odoo knows neither the service user nor its key, or the database.
    #[error("Odoo refused the service account of the sidecar")]
    ServiceLogin,
}
