//! Failures of one exchange with Odoo, classified by whether Odoo may have executed the request.

use super::Error;
use super::contract::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// The breaker is open: nothing was sent.
    BreakerOpen,
    /// The deadline passed in the queue: nothing was sent.
    QueueTimeout,
    /// No connection was made: nothing was sent.
    NotConnected,
    /// The connection broke before any byte of an answer: Odoo may have executed the request.
    ConnectionLost,
    /// The deadline passed: Odoo may still execute the request.
    TimedOut,
    /// A proxy, or Odoo, answered that Odoo is unavailable or too busy; the request may have reached Odoo.
    Overloaded,
    /// The server at the address refused with a status that Odoo does not use: nothing was done.
    NotOdoo(u16),
    /// No memory for an answer was free in time: nothing was sent.
    MemoryTimeout,
    /// Odoo has answered, but its answer was dropped unread: no memory was free in time, or (`permanent`) it is
    /// longer than any answer may be.
    AnswerDropped { permanent: bool, answered: AnswerKind },
    /// The answer was cut off, or was no answer of the gateway.
    InvalidAnswer,
    /// Odoo rolled back: a conflict with another transaction, or its database was unavailable.
    Conflict,
    /// The service user's login was refused; nothing was done.
    LoginDenied,
    /// The gateway refused, and rolled back.
    Refused(Fault),
}

/// The kind of a dropped answer, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// A result: the call was executed.
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

    /// Its name in the log, which must not show the data of a fault.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::BreakerOpen => "breaker open",
            Self::QueueTimeout => "queue full",
            Self::NotConnected => "not connected",
            Self::ConnectionLost => "connection broke",
            Self::TimedOut => "timed out",
            Self::Overloaded => "overloaded",
            Self::NotOdoo(_) => "not Odoo",
            Self::MemoryTimeout => "no memory",
            Self::AnswerDropped { .. } => "answer dropped",
            Self::InvalidAnswer => "unusable answer",
            Self::Conflict => "rolled back",
            Self::LoginDenied => "login refused",
            Self::Refused(_) => "refused",
        }
    }

    /// The error of a call that changes nothing.
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

    /// The error of a write where its outcome is certain; else none.
    pub(super) fn into_write_error(self) -> Option<Error> {
        match self {
            Self::AnswerDropped { answered: AnswerKind::Value, .. } => Some(Error::AnswerDropped),
            Self::AnswerDropped { answered: AnswerKind::Unclear, .. } => None,
            Self::ConnectionLost | Self::TimedOut | Self::Overloaded | Self::InvalidAnswer => None,
            certain => Some(certain.into_read_error()),
        }
    }
}
