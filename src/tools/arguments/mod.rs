//! Validation and coercion of arguments: schemas, near misses read as what they mean, bounds.

pub(super) mod aggregate;
pub(super) mod bounds;
pub(super) mod coerce;
pub(super) mod domain;
pub(super) mod lenient;
pub(super) mod literal;
pub(super) mod order;
pub(super) mod schema;
pub(super) mod validate;
