//! What must outlive a restart: how much each connection has asked for in this minute and this day, and what is
//! still to be handed on to Odoo.
//!
//! `Counters`, `Spool` and `Notes` are the seams: `Embedded` keeps exact counts in memory and both in one SQLite file for
//! one process; a store that several replicas share will stand beside it. Knows no clock and no policy: whoever
//! counts says which stretch of the calendar it is and how many fit into it, and what an entry says is not read.

mod counters;
mod desk;
mod embedded;
mod file;
mod notes;
mod pen;
mod room;
mod rows;
mod spool;

pub use counters::{Counters, Pending, Span, Taken, Window, Windows};
pub use desk::Receipt;
pub use embedded::Embedded;
pub use file::Error;
pub use notes::Notes;
pub use spool::{Handled, Kept, Spool, Stage, Trouble};
