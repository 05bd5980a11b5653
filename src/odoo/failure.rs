//! How one exchange with Odoo failed, told by what Odoo may have done meanwhile.

use super::Error;
use super::gateway::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// The breaker is open: nothing was sent.
    Away,
    /// No place in the queue came free before the deadline: nothing was sent.
    Crowded,
    /// No connection was made: nothing was sent.
    Unsent,
    /// The connection broke before any byte of an answer: Odoo may have carried out the request.
    Broken,
    /// The deadline passed: Odoo may still be at it.
    TimedOut,
    /// A proxy, or Odoo, answered that Odoo is away or too busy; the request may have reached Odoo.
    Overloaded,
    /// What answers at the address refused with this status, as Odoo would not: nothing was done.
    NotOdoo(u16),
    /// There was no room for an answer in time: nothing was sent.
    NoRoom,
    /// Odoo has answered, but there was no room for it in time, or would not be `ever`.
    Unheld { ever: bool, answered: Answered },
    /// The answer broke off, or was no answer of the gateway.
    Unusable,
    /// Odoo rolled back since another transaction was in the way, or its database was.
    Contended,
    /// The service user's login was refused; nothing was done.
    LoginDenied,
    /// The gateway refused, and rolled back.
    Refused(Fault),
}

/// What an answer that was not read began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// A result: the call was carried out.
    Value,
    /// A fault: the call was rolled back.
    Fault,
    Unclear,
}

impl Failure {
    /// Whether the connection, not the call, failed: what the breaker counts.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Unsent | Self::Broken)
    }

    /// Its name in the log, which must not show what a fault holds.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Away => "breaker open",
            Self::Crowded => "queue full",
            Self::Unsent => "not connected",
            Self::Broken => "connection broke",
            Self::TimedOut => "timed out",
            Self::Overloaded => "overloaded",
            Self::NotOdoo(_) => "not Odoo",
            Self::NoRoom => "no room",
            Self::Unheld { .. } => "no room for the answer",
            Self::Unusable => "unusable answer",
            Self::Contended => "rolled back",
            Self::LoginDenied => "login refused",
            Self::Refused(_) => "refused",
        }
    }

    /// What a caller is told of a call that changes nothing.
    pub(super) fn of_read(self) -> Error {
        match self {
            Self::Away | Self::Unsent => Error::Unreachable,
            Self::Crowded | Self::Overloaded | Self::Contended => Error::Busy,
            Self::NoRoom | Self::Unheld { ever: false, .. } => Error::Full,
            Self::Unheld { ever: true, .. } => Error::TooLong,
            Self::TimedOut => Error::TimedOut,
            Self::Broken | Self::Unusable => Error::BadAnswer,
            Self::NotOdoo(status) => Error::NotOdoo(status),
            Self::LoginDenied => Error::ServiceLogin,
            Self::Refused(fault) => Error::Fault(fault),
        }
    }

    /// What is certain of a write; none where nothing is.
    pub(super) fn of_write(self) -> Option<Error> {
        match self {
            Self::Unheld { answered: Answered::Value, .. } => Some(Error::Unread),
            Self::Unheld { answered: Answered::Unclear, .. } => None,
            Self::Broken | Self::TimedOut | Self::Overloaded | Self::Unusable => None,
            certain => Some(certain.of_read()),
        }
    }
}
