//! Which methods a connection may call.

use serde::{Deserialize, Serialize};

/// The level of methods of a connection; Odoo enforces it with each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodLevel {
    /// Object buttons that the user could press now, and a list of harmless methods.
    Buttons,
    /// Any public method.
    Any,
    /// No methods; also what an addon means by a level that this sidecar does not know.
    #[serde(other)]
    None,
}
