//! What keeps the server from being overrun: the master switch, the gate for addresses, permits, the rules
//! and limits that Odoo sets for each connection.
//!
//! `web` asks here before a request costs anything more. Knows no HTTP and no MCP.

mod address;
mod rate;
mod rules;
mod slots;
mod switch;

pub use address::{Addresses, Prefix};
pub use rate::{Counted, Rate, Reached, Scarce};
pub use rules::admits;
pub use slots::{Full, Slot, Slots};
pub use switch::{Closed, Switch};
