//! How one exchange with Odoo failed, told by what Odoo may have done meanwhile.

use super::Error;
use super::contract::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// The breaker is open: nothing was sent.
    BreakerOpen,
    /// No place in the queue came free before the deadline: nothing was sent.
    QueueTimeout,
    /// No connection was made: nothing was sent.
    NotConnected,
    /// The connection broke before any byte of an answer: Odoo may have carried out the request.
    ConnectionLost,
    /// The deadline passed: Odoo may still be at it.
    TimedOut,
    /// A proxy, or Odoo, answered that Odoo is away or too busy; the request may have reached Odoo.
    Overloaded,
    /// What answers at the address refused with this status, as Odoo would not: nothing was done.
    NotOdoo(u16),
    /// There was no room for an answer in time: nothing was sent.
    MemoryTimeout,
    /// Odoo has answered, but there was no room for it in time, or would not be `ever`.
    AnswerDropped { permanent: bool, answered: AnswerKind },
    /// The answer broke off, or was no answer of the gateway.
    InvalidAnswer,
    /// Odoo rolled back since another transaction was in the way, or its database was.
    Conflict,
    /// The service user's login was refused; nothing was done.
    LoginDenied,
    /// The gateway refused, and rolled back.
    Refused(Fault),
}

/// What an answer that was not read began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// A result: the call was carried out.
    Value,
    /// A fault: the call was rolled back.
    Fault,
    Unclear,
}

impl Failure {
    /// Whether the connection, not the call, failed: what the breaker counts.
    pub(super) fn is_connection_failure(&self) -> bool {
        matches!(self, Self::NotConnected | Self::ConnectionLost)
    }

    /// Its name in the log, which must not show what a fault holds.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::BreakerOpen => "breaker open",
            Self::QueueTimeout => "queue full",
            Self::NotConnected => "not connected",
            Self::ConnectionLost => "connection broke",
            Self::TimedOut => "timed out",
            Self::Overloaded => "overloaded",
            Self::NotOdoo(_) => "not Odoo",
            Self::MemoryTimeout => "no room",
            Self::AnswerDropped { .. } => "no room for the answer",
            Self::InvalidAnswer => "unusable answer",
            Self::Conflict => "rolled back",
            Self::LoginDenied => "login refused",
            Self::Refused(_) => "refused",
        }
    }

    /// What a caller is told of a call that changes nothing.
    pub(super) fn into_read_error(self) -> Error {
        match self {
            Self::BreakerOpen | Self::NotConnected => Error::Unreachable,
            Self::QueueTimeout | Self::Overloaded | Self::Conflict => Error::Busy,
            Self::MemoryTimeout | Self::AnswerDropped { permanent: false, .. } => Error::MemoryFull,
            Self::AnswerDropped { permanent: true, .. } => Error::AnswerTooLong,
            Self::TimedOut => Error::TimedOut,
            Self::ConnectionLost | Self::InvalidAnswer => Error::InvalidAnswer,
            Self::NotOdoo(status) => Error::NotOdoo(status),
            Self::LoginDenied => Error::ServiceLoginRefused,
            Self::Refused(fault) => Error::Fault(fault),
        }
    }

    /// What is certain of a write; none where nothing is.
    pub(super) fn into_write_error(self) -> Option<Error> {
        match self {
            Self::AnswerDropped { answered: AnswerKind::Value, .. } => Some(Error::AnswerDropped),
            Self::AnswerDropped { answered: AnswerKind::Unclear, .. } => None,
            Self::ConnectionLost | Self::TimedOut | Self::Overloaded | Self::InvalidAnswer => None,
            certain => Some(certain.into_read_error()),
        }
    }
}
