//! `call_status`: the outcome of a write whose answer was lost.

use serde::{Deserialize, Serialize};

use super::execute::Answer;
use crate::vocab::{CallId, Proof};

#[derive(Debug, Clone, Serialize)]
pub struct CallStatusRequest {
    pub proof: Proof,
    pub call_id: CallId,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CallStatusAnswer {
    pub state: CallState,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Done,
    Running,
    Unknown,
}
