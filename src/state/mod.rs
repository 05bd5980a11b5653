//! Durable state: the request counters of each connection, the spool of audit entries that Odoo has not taken
//! yet, and a few values by key.
//!
//! `CounterStore`, `Spool` and `KeyValueStore` are the seams. `EmbeddedStore` implements all three for one
//! process: exact counters in memory, one SQLite file on disk; a store shared by several replicas will stand
//! beside it. This module knows no clock and no policy: callers pass the windows and their limits, and the
//! body of an entry is opaque.

mod counter_map;
mod counters;
mod disk_reserve;
mod embedded;
mod health;
mod key_value;
mod pending_ops;
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
