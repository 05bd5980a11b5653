//! One method for each method of `mcp.gateway`.

use super::Error;
use super::gateway::{
    Answer, AuthenticateAnswer, AuthenticateRequest, Call, ChangesAnswer, ChangesRequest, FieldsAnswer,
    HelloAnswer, HelloRequest, ModelsAnswer, SchemaRequest,
};

/// The client of one Odoo database. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Client {}

impl Client {
    pub async fn hello(&self, _request: &HelloRequest) -> Result<HelloAnswer, Error> {
        Err(Error::Unreachable)
    }

    pub async fn authenticate(&self, _request: &AuthenticateRequest) -> Result<AuthenticateAnswer, Error> {
        Err(Error::Unreachable)
    }

    /// Carries out a reading call; retried where Odoo was busy or the connection broke.
    pub async fn read(&self, _call: &Call) -> Result<Answer, Error> {
        Err(Error::Unreachable)
    }

    /// Carries out a writing call in a task of its own, so that a caller who leaves does not break it off.
    /// Never sent twice: a lost answer is asked for by `call_status`.
    pub async fn write(self: &std::sync::Arc<Self>, _call: Call) -> Result<Answer, Error> {
        Err(Error::Unreachable)
    }

    /// The models that the user may reach; `models` of the request must be none.
    pub async fn models(&self, _request: &SchemaRequest) -> Result<ModelsAnswer, Error> {
        Err(Error::Unreachable)
    }

    /// The fields of the named models.
    pub async fn fields(&self, _request: &SchemaRequest) -> Result<FieldsAnswer, Error> {
        Err(Error::Unreachable)
    }

    pub async fn changes(&self, _request: &ChangesRequest) -> Result<ChangesAnswer, Error> {
        Err(Error::Unreachable)
    }
}
