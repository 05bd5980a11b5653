//! Errors between the sidecar and Odoo, one variant for each way in which a caller would react.

use super::contract::{Fault, FaultCode};

/// A failed call to the gateway. No variant carries a traceback, a proof or a row of data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The gateway refused, with its reason.
    #[error("{}", .0.message)]
    Fault(Fault),
    /// Odoo could not be reached, or the breaker is open; nothing was done.
    #[error("Odoo cannot be reached")]
    Unreachable,
    /// Odoo answered that it is too busy, or the deadline passed in the queue; nothing was done.
    #[error("Odoo is too busy at the moment")]
    Busy,
    /// Answers that were not fetched yet use up the memory for answers; nothing was done.
    #[error("too many long answers are on their way at the moment")]
    MemoryFull,
    /// The answer is longer than any that is passed on; nothing was changed.
    #[error("the answer of Odoo is too long to be passed on")]
    AnswerTooLong,
    /// Odoo has executed a write, but there was no memory for its answer.
    #[error("Odoo carried this out, but its answer is too long to be passed on")]
    AnswerDropped,
    /// The deadline of a read passed.
    #[error("Odoo did not answer in time")]
    TimedOut,
    /// The answer of a read was cut off or unusable.
    #[error("the answer of Odoo was lost or unreadable")]
    InvalidAnswer,
    /// The answer of a write was lost, and so was its outcome.
    #[error(
        "it is not known whether Odoo carried this out: check the record, or repeat the call with the same idempotency key"
    )]
    OutcomeUnknown,
    /// Odoo knows neither the service user nor its key, or the database.
    #[error("Odoo refused the service account of the sidecar")]
    ServiceLoginRefused,
    /// The server at the address of Odoo is another one.
    #[error("the address of Odoo in the settings answers with HTTP status {0}, as Odoo would not")]
    NotOdoo(u16),
    /// The address of Odoo in the settings is not a usable URL, or no connection pool can be made of them.
    #[error("the address of Odoo in the settings is not usable")]
    InvalidSetup,
}

impl Error {
    /// The machine-readable reason, as the contract names it.
    pub fn reason(&self) -> String {
        match self {
            Self::Fault(fault) => fault.code.name(),
            Self::Unreachable => "odoo_unreachable".to_owned(),
            Self::Busy => "odoo_busy".to_owned(),
            Self::MemoryFull => "memory".to_owned(),
            Self::AnswerTooLong => "answer_too_long".to_owned(),
            Self::AnswerDropped => "answer_not_passed_on".to_owned(),
            Self::TimedOut => "odoo_timeout".to_owned(),
            Self::InvalidAnswer => "bad_answer".to_owned(),
            Self::OutcomeUnknown => "unknown".to_owned(),
            Self::ServiceLoginRefused => "service_login".to_owned(),
            Self::NotOdoo(_) => "not_odoo".to_owned(),
            Self::InvalidSetup => "setup".to_owned(),
        }
    }

    /// Whether Odoo may have executed the call.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown | Self::TimedOut | Self::InvalidAnswer)
    }

    /// Whether Odoo denied the call, rather than failed to execute it.
    pub fn is_refusal(&self) -> bool {
        use FaultCode as Code;
        match self {
            // Lists the codes that are no denial: one that the contract gets later is more likely a denial.
            Self::Fault(fault) => !matches!(
                fault.code,
                Code::NotFound
                    | Code::UnknownModel
                    | Code::UnknownField
                    | Code::InvalidDomain
                    | Code::InvalidValue
                    | Code::InvalidCommand
                    | Code::InvalidContext
                    | Code::Invalid
                    | Code::BadRequest
                    | Code::Deadline
                    | Code::Unavailable
                    | Code::IdempotencyConflict
                    | Code::DryRun
                    | Code::Contract
                    | Code::NotService
                    | Code::Internal
            ),
            _ => false,
        }
    }
}

impl FaultCode {
    /// As the contract writes it.
    fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_the_names_of_the_contract() {
        let fault =
            |code| Error::Fault(Fault { code, message: String::new(), data: serde_json::Value::Null });
        assert_eq!(fault(FaultCode::AccessDenied).reason(), "access_denied");
        assert_eq!(fault(FaultCode::Internal).reason(), "internal");
        assert!(fault(FaultCode::ReadOnly).is_refusal() && fault(FaultCode::Disabled).is_refusal());
        assert!(!fault(FaultCode::Unavailable).is_refusal());
        assert!(!fault(FaultCode::NotFound).is_refusal() && !Error::Unreachable.is_refusal());
    }
}
