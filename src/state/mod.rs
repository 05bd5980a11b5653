//! What must outlive a restart: how much each connection has asked for in this minute and this day, and what is
//! still to be handed on to Odoo.
//!
//! `CounterStore`, `Spool` and `KeyValueStore` are the seams: `EmbeddedStore` keeps exact counts in memory and both in one SQLite file for
//! one process; a store that several replicas share will stand beside it. Knows no clock and no policy: whoever
//! counts says which stretch of the calendar it is and how many fit into it, and what an entry says is not read.

mod counter_map;
mod counters;
mod disk_reserve;
mod embedded;
mod key_value;
mod spool;
mod sql;
mod sqlite_file;
mod write_queue;
mod writer;

pub use counters::{CountedRequest, CounterStore, LimitPeriod, Window, Windows};
pub use embedded::EmbeddedStore;
pub use key_value::KeyValueStore;
pub use spool::{DeliveryReport, Spool, SpoolEntry, Stage, StorageFault};
pub use sqlite_file::Error;
pub use write_queue::CommitTicket;
