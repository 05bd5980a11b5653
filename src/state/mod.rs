//! What must outlive a restart: how much each connection has asked for in this minute and this day.
//!
//! `Counters` is the seam: `Embedded` keeps exact counts in memory and one SQLite file for one process; a
//! store that several replicas share will stand beside it. Knows no clock and no policy: whoever counts says
//! which stretch of the calendar it is and how many fit into it.

mod counters;
mod desk;
mod embedded;
mod file;

pub use counters::{Counters, Pending, Span, Window, Windows};
pub use desk::Receipt;
pub use embedded::Embedded;
pub use file::Error;
