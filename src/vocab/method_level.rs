//! The level of methods that a connection may call.

use serde::{Deserialize, Serialize};

/// The level of methods of a connection; Odoo enforces it with each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodLevel {
    /// Object buttons that the user could press now, and a list of harmless methods.
    Buttons,
    /// Any public method.
    Any,
    /// No methods; also for a level that this sidecar does not know.
    #[serde(other)]
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_calls_nothing() {
        let read = |text: &str| serde_json::from_str::<MethodLevel>(text).unwrap();
        assert_eq!(read("\"any\""), MethodLevel::Any);
        assert_eq!(read("\"buttons\""), MethodLevel::Buttons);
        assert_eq!(read("\"none\""), MethodLevel::None);
        assert_eq!(read("\"a level of tomorrow\""), MethodLevel::None);
    }
}
