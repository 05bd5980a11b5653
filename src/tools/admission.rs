//! Authorization of tools: which ones a connection may call, and why not the others.

use super::{Category, ToolSpec};
use crate::vocab::{MethodLevel, Principal, Scope, quoted};

/// Why there is no tool of this name for a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTool {
    #[error("Unknown tool: {}", quoted(.0))]
    Unknown(String),
    #[error("The tool {tool} is not allowed for this connection: {}", why.sentence())]
    Barred { tool: &'static str, why: Barred },
}

/// Why a connection may not call a tool that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The connection may only read.
    Scope,
    /// The sign-in may only read, and the person can widen it by signing in again.
    StepUp,
    /// The connection has a list of tools, and this one is not in it.
    List,
    /// The connection may call no methods.
    SwitchedOff,
}

impl NoTool {
    /// `data.reason` of the answer.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_tool",
            Self::Barred { why: Barred::Scope, .. } => "scope",
            Self::Barred { why: Barred::StepUp, .. } => "insufficient_scope",
            Self::Barred { why: Barred::List, .. } => "list",
            Self::Barred { why: Barred::SwitchedOff, .. } => "switched_off",
        }
    }

    /// The reason in the audit log.
    pub fn audited(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_tool",
            Self::Barred { why: Barred::StepUp, .. } => "insufficient_scope",
            Self::Barred { .. } => "tool_denied",
        }
    }

    /// Whether signing in again for a wider scope brings the tool.
    pub fn is_step_up(&self) -> bool {
        matches!(self, Self::Barred { why: Barred::StepUp, .. })
    }
}

impl Barred {
    fn sentence(self) -> &'static str {
        match self {
            Self::Scope => {
                "its scope is read-only, so only tools that read can be called. An administrator changes the scope of \
                 the connection in Odoo."
            }
            Self::StepUp => {
                "this sign-in may only read, and the tool changes data. Sign in again and allow full access."
            }
            Self::List => {
                "its list of allowed tools does not hold it; get_session or tools/list shows those that it holds. An \
                 administrator changes the list in Odoo."
            }
            Self::SwitchedOff => {
                "methods are switched off for it (its Method Level is None). Its other tools read, create, change and \
                 delete records; an administrator changes the Method Level of the connection in Odoo."
            }
        }
    }
}

/// Why this principal may not call the tool; `None` if it may. The broader rule comes first: a tool that
/// writes stays barred by the scope even if the list holds it. A wider scope is offered only for what it would bring;
/// the level of methods is `none` with every scope that only reads, so it says nothing about the wider one.
pub(super) fn barred(spec: &ToolSpec, principal: &Principal) -> Option<Barred> {
    let exceeds_scope = principal.scope != Scope::Full && !spec.annotations.read_only;
    if exceeds_scope && !principal.upgradable {
        Some(Barred::Scope)
    } else if !principal.allows_tool(spec.name) {
        Some(Barred::List)
    } else if exceeds_scope {
        Some(Barred::StepUp)
    } else if principal.method_level == MethodLevel::None && spec.category == Category::Execute {
        Some(Barred::SwitchedOff)
    } else {
        None
    }
}
