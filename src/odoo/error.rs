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
    /// Odoo answered that it is too busy, or no place in its queue came free in time; nothing was done.
    #[error("Odoo is too busy at the moment")]
    Busy,
    /// The deadline of a read passed.
    #[error("Odoo did not answer in time")]
    TimedOut,
    /// The answer of a read broke off or was unusable.
    #[error("the answer of Odoo was lost or unreadable")]
    BadAnswer,
    /// The answer of a write was lost and Odoo could not say what became of it.
    #[error(
        "it is not known whether Odoo carried this out: check the record, or repeat the call with the same idempotency key"
    )]
    Lost,
    /// Odoo knows neither the service user nor its key, or the database.
    #[error("Odoo refused the service account of the sidecar")]
    ServiceLogin,
    /// The address of Odoo in the settings is not a usable URL, or no connection pool can be made of them.
    #[error("the address of Odoo in the settings is not usable")]
    Setup,
}
