//! The scope and kind of a connection.

use serde::{Deserialize, Serialize};

/// The scope of a connection, enforced in Odoo and, for speed, here as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Full,
    ReadOnly,
}

/// How a connection authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    ApiKey,
    Oauth,
}
