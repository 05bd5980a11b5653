//! Serialization of answers and the sentences of errors and hints, in words that a model can act on.

pub(super) mod answer;
pub(super) mod bounded;
pub(super) mod error_text;
pub(super) mod hints;
pub(super) mod paths;
pub(super) mod selection;
pub(super) mod suggest;
