//! Maps exceptions of Odoo to faults of the contract. Tracebacks end here.

use serde_json::{Map, Value};

use super::contract::{Fault, FaultCode};
use super::failure::Failure;

/// XML-RPC fault code of a `UserError`.
const USER_ERROR: i64 = 2;
/// XML-RPC fault code of an `AccessDenied`: the login, not the rights, was refused.
const ACCESS_DENIED: i64 = 3;

/// Texts in the traceback of a transient failure: a conflict of transactions, or a database that is shutting down,
/// restarting, out of connections, memory or disk.
const TRANSIENT_MARKERS: [&str; 20] = [
    "could not serialize access",
    "deadlock detected",
    "could not obtain lock",
    "canceling statement due to",
    "terminating connection due to",
    "psycopg2.OperationalError",
    "psycopg2.InterfaceError",
    "psycopg2.DatabaseError",
    "psycopg2.pool.PoolError",
    "psycopg2.errors.AdminShutdown",
    "psycopg2.errors.CrashShutdown",
    "psycopg2.errors.CannotConnectNow",
    "psycopg2.errors.Connection",
    "psycopg2.errors.TooManyConnections",
    "psycopg2.errors.InsufficientResources",
    "psycopg2.errors.DiskFull",
    "psycopg2.errors.OutOfMemory",
    "psycopg2.errors.IoError",
    "psycopg2.errors.Idle",
    "ConcurrencyError",
];

/// The frame of a traceback in which a transaction is committed.
const COMMITTING: &str = ", in commit\n";

/// The message of Odoo where the addon is not installed.
const GATEWAY_MISSING: &str = "Object mcp.gateway doesn't exist";

/// Maps a raised fault. All but the gateway's own becomes `internal`, its text dropped.
pub(super) fn map_fault(code: i64, text: &str) -> Failure {
    if code == USER_ERROR
        && let Ok(fault) = serde_json::from_str::<Fault>(text)
    {
        // Raised before any commit.
        return if fault.code == FaultCode::Unavailable {
            Failure::Conflict
        } else {
            Failure::Refused(fault)
        };
    }
    // The length alone is logged: a traceback can hold rows, arguments and secrets.
    tracing::debug!(code, length = text.len(), "Odoo raised outside the contract");
    match code {
        USER_ERROR if text == GATEWAY_MISSING => Failure::Refused(addon_missing()),
        USER_ERROR => Failure::Refused(internal()),
        ACCESS_DENIED => Failure::LoginDenied,
        // A commit whose connection broke may have been carried out.
        _ if is_transient(text) && text.contains(COMMITTING) => Failure::Overloaded,
        _ if is_transient(text) => Failure::Conflict,
        _ => Failure::Refused(internal()),
    }
}

fn is_transient(text: &str) -> bool {
    TRANSIENT_MARKERS.iter().any(|marker| text.contains(marker))
}

/// Maps a fault of the login: but for transient failures, the account or the database does not exist.
pub(super) fn map_login_fault(code: i64, text: &str) -> Failure {
    match map_fault(code, text) {
        Failure::Conflict if !text.contains("does not exist") => Failure::Conflict,
        _ => Failure::LoginDenied,
    }
}

fn internal() -> Fault {
    Fault {
        code: FaultCode::Internal,
        message: "Odoo failed to carry out the call.".to_owned(),
        data: Value::Object(Map::new()),
    }
}

fn addon_missing() -> Fault {
    Fault {
        code: FaultCode::Contract,
        message: "The addon mcp_sidecar is not installed in this database.".to_owned(),
        data: Value::Object(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, text: &str) -> Fault {
        let Failure::Refused(fault) = map_fault(code, text) else { panic!("no fault") };
        fault
    }

    #[test]
    fn a_fault_of_the_gateway_is_read() {
        let text = r#"{"code":"unknown_field","message":"The model has no field x.","data":{"field":"x"}}"#;
        let fault = refused(2, text);
        assert_eq!((fault.code, fault.data["field"].as_str()), (FaultCode::UnknownField, Some("x")));
    }

    #[test]
    fn a_code_of_a_newer_addon_counts_as_internal() {
        let fault = refused(2, r#"{"code":"brand_new","message":"Hello."}"#);
        assert_eq!((fault.code, fault.message.as_str()), (FaultCode::Internal, "Hello."));
    }

    #[test]
    fn other_texts_never_come_through() {
        let texts = [(1, "Traceback: key=hunter2"), (2, "hunter2"), (4, "hunter2"), (2, "{\"hunter2\":1}")];
        for (code, text) in texts {
            let fault = refused(code, text);
            assert_eq!(fault.code, FaultCode::Internal);
            assert!(!format!("{fault:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_transaction_conflict_may_be_retried() {
        let text = "Traceback ...\npsycopg2.errors.SerializationFailure: could not serialize access";
        assert_eq!(map_fault(1, text), Failure::Conflict);
        // The message of a `UserError` must not count as one.
        assert_eq!(refused(2, "could not serialize access").code, FaultCode::Internal);
    }

    #[test]
    fn an_unavailable_database_is_transient() {
        for raised in [
            "psycopg2.OperationalError: connection to server failed: FATAL:  the database system is shutting down",
            "psycopg2.errors.AdminShutdown: terminating connection due to administrator command",
            "psycopg2.errors.CannotConnectNow: the database system is starting up",
            "psycopg2.errors.TooManyConnections: sorry, too many clients already",
            "psycopg2.errors.DiskFull: could not extend file",
            "psycopg2.errors.QueryCanceled: canceling statement due to user request",
            "psycopg2.InterfaceError: connection already closed",
            "psycopg2.DatabaseError: server closed the connection unexpectedly",
        ] {
            assert_eq!(map_fault(1, &format!("Traceback ...\n{raised}")), Failure::Conflict, "{raised}");
            let commit = format!("Traceback ...\n  File \"sql_db.py\", line 1, in commit\n    x\n{raised}");
            assert!(map_fault(1, &commit).into_write_error().is_none(), "{raised}");
        }
        let fault = r#"{"code":"unavailable","message":"Odoo's database is not available now.","data":{}}"#;
        assert_eq!(map_fault(2, fault), Failure::Conflict);
        // A mistake in a query is permanent.
        for raised in
            ["psycopg2.errors.UndefinedColumn: no", "psycopg2.ProgrammingError: no", "KeyError: 'x'"]
        {
            assert_eq!(refused(1, &format!("Traceback ...\n{raised}")).code, FaultCode::Internal);
        }
    }

    #[test]
    fn a_missing_addon_is_reported() {
        assert_eq!(refused(2, "Object mcp.gateway doesn't exist").code, FaultCode::Contract);
    }

    #[test]
    fn a_missing_database_is_a_refused_login() {
        let text = "psycopg2.OperationalError: connection failed: FATAL:  database \"nodb\" does not exist";
        assert_eq!(map_login_fault(1, text), Failure::LoginDenied);
        assert_eq!(
            map_login_fault(1, "psycopg2.OperationalError: the server is starting up"),
            Failure::Conflict
        );
    }

    #[test]
    fn a_refused_login_is_distinguished_from_refused_rights() {
        assert_eq!(map_fault(3, "Access Denied"), Failure::LoginDenied);
        assert_eq!(refused(4, "You are not allowed").code, FaultCode::Internal);
    }
}
