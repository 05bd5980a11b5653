//! Sessions that an administrator has ended, handed on to whoever keeps them: the mirror itself has none.

use std::fmt;
use std::sync::OnceLock;

type Act = Box<dyn Fn(&str) + Send + Sync>;

/// What is done with an ended session. Called at once rather than told through a channel, so that none can
/// be lost and the end is in effect when the cursor moves on.
#[derive(Default)]
pub(super) struct Endings(OnceLock<Act>);

impl Endings {
    pub(super) fn heed_with(&self, act: Act) {
        let _ = self.0.set(act);
    }

    pub(super) fn tell(&self, session: &str) {
        if let Some(act) = self.0.get() {
            act(session);
        }
    }
}

impl fmt::Debug for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endings(..)")
    }
}
