//! Sessions that an administrator has ended, handed on to whoever keeps them: the mirror itself has none.

use std::fmt;
use std::sync::OnceLock;

type SessionEndHandler = Box<dyn Fn(&str) + Send + Sync>;

/// What is done with an ended session. Called at once rather than told through a channel, so that none can
/// be lost and the end is in effect when the cursor moves on.
#[derive(Default)]
pub(super) struct SessionEndHook(OnceLock<SessionEndHandler>);

impl SessionEndHook {
    pub(super) fn set(&self, act: SessionEndHandler) {
        let _ = self.0.set(act);
    }

    pub(super) fn call(&self, session: &str) {
        if let Some(act) = self.0.get() {
            act(session);
        }
    }
}

impl fmt::Debug for SessionEndHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEndHook(..)")
    }
}
