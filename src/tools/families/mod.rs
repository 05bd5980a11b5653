//! One file a tool family: each implements `plan::Tool` for its tools. `registry` lists them.

pub(super) mod batch;
pub(super) mod describe;
pub(super) mod execute;
pub(super) mod group;
pub(super) mod models;
pub(super) mod read;
pub(super) mod search;
pub(super) mod session;
pub(super) mod traverse;
pub(super) mod write;
