//! Authentication: from the headers of a request to its principal, and the address rules of the connection.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::credential::{self, PresentedCredential};
use super::http_fault::HttpFault;
use super::server_state::ServerState;
use crate::audit::RequestEntry;
use crate::guard;
use crate::mirror::Denied;
use crate::vocab::{Credential, Principal};

/// Reads the credential, applies the limiter of failed attempts and resolves the principal.
pub(super) async fn authenticate(
    state: &ServerState,
    headers: &HeaderMap,
    peer: IpAddr,
    entry: &RequestEntry,
) -> Result<Arc<Principal>, HttpFault> {
    let presented = credential::read(headers);
    let limited = state
        .deps
        .failed_auth
        .check(peer)
        .map_err(|wait| HttpFault::LimitReached { limit: "failed_attempts", retry_after: wait });
    match presented {
        PresentedCredential::Credential(credential) => {
            // The limiter refuses what was refused already, not a key that works or may work.
            if limited.is_err() && state.deps.mirror.has_refused(&credential).await {
                limited?;
            }
            resolve_credential(state, &credential, peer, entry).await
        }
        PresentedCredential::Malformed(fault) => {
            limited?;
            state.deps.failed_auth.record_failure(peer);
            Err(fault)
        }
        // A client that probes whether a credential is needed has not failed at anything.
        PresentedCredential::Missing => Err(credential::missing()),
    }
}

async fn resolve_credential(
    state: &ServerState,
    credential: &Credential,
    peer: IpAddr,
    entry: &RequestEntry,
) -> Result<Arc<Principal>, HttpFault> {
    match state.deps.mirror.principal(credential, peer).await {
        Ok(principal) => {
            entry.identify(principal.connection, principal.user.id);
            Ok(principal)
        }
        Err(Denied::Invalid { reason }) => {
            state.deps.failed_auth.record_failure(peer);
            Err(credential::refused(&reason))
        }
        Err(Denied::Address { .. }) => Err(HttpFault::AddressRefused),
        Err(Denied::Disabled) => Err(HttpFault::Disabled),
        Err(Denied::Busy { retry_after }) => {
            Err(HttpFault::LimitReached { limit: "unknown_credentials", retry_after })
        }
        Err(Denied::Unreachable) => Err(HttpFault::Unreachable),
    }
}

/// Applies the allow and block lists of the connection. The credential is good, so a refusal is no failed attempt.
pub(super) fn check_address_rules(principal: &Principal, peer: IpAddr) -> Result<(), HttpFault> {
    if guard::allows_address(&principal.addresses, peer) { Ok(()) } else { Err(HttpFault::AddressRefused) }
}
