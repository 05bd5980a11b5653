//! What keeps the server from being overrun: the master switch, the gate for addresses, permits.
//!
//! `web` asks here before a request costs anything more. Knows no HTTP and no MCP. The limits that Odoo sets
//! for each connection (per minute, per day) need exact counters and will stand beside `Slots`.

mod address;
mod slots;
mod switch;

pub use address::{Addresses, Prefix};
pub use slots::{Full, Slot, Slots};
pub use switch::{Closed, Switch};
