//! Startup errors.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sidecar could not start, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address} ({key}): {error}")]
    Bind { key: &'static str, address: SocketAddr, error: io::Error },
    #[error("a listening socket has no address: {0}")]
    Socket(io::Error),
    #[error("the data directory {path} cannot be used: {error}")]
    Data { path: PathBuf, error: io::Error },
    #[error("the data directory cannot be used: {0}")]
    State(#[from] crate::state::Error),
    #[error("the client of Odoo cannot be built: {0}")]
    Client(crate::odoo::Error),
    #[error("signal handlers cannot be installed: {0}")]
    Signals(io::Error),
}
