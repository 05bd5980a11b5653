//! The scopes of OAuth: `mcp:read` within `mcp:write`. Names that are not known are ignored, never refused.

use crate::vocab::Scope;

pub const READ: &str = "mcp:read";
pub const WRITE: &str = "mcp:write";

/// The names that a scope stands for, the smaller one included.
pub fn names(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::ReadOnly => &[READ],
        Scope::Full => &[READ, WRITE],
    }
}

/// The scope that a space-separated list asks for; none: no known one.
pub fn requested(text: &str) -> Option<Scope> {
    let asks = |name: &str| text.split_ascii_whitespace().any(|word| word == name);
    if asks(WRITE) { Some(Scope::Full) } else { asks(READ).then_some(Scope::ReadOnly) }
}

/// As the store takes it.
pub fn to_list(scope: Scope) -> Vec<String> {
    names(scope).iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_ignored_and_write_includes_read() {
        for (text, expected) in [
            ("", None),
            ("openid profile offline_access", None),
            ("mcp:readwrite MCP:READ mcp:read,mcp:write", None),
            ("mcp:read", Some(Scope::ReadOnly)),
            ("openid mcp:read offline_access", Some(Scope::ReadOnly)),
            ("mcp:write", Some(Scope::Full)),
            ("mcp:read  mcp:write", Some(Scope::Full)),
        ] {
            assert_eq!(requested(text), expected, "{text}");
        }
        assert_eq!(to_list(Scope::Full), ["mcp:read", "mcp:write"]);
        assert_eq!(to_list(Scope::ReadOnly), ["mcp:read"]);
    }
}
