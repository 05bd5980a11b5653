//! The RPC client: one method for each method of `mcp.gateway`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::task::TaskTracker;

use super::batch::Batcher;
use super::contract::{
    Answer, AppendAuditAnswer, AppendAuditRequest, AuthenticateAnswer, AuthenticateRequest, BatchAnswer,
    BatchItem, BatchRequest, Call, CallStatusAnswer, CallStatusRequest, ChangesAnswer, ChangesRequest,
    CheckAuditAnswer, CheckAuditRequest, Fault, FieldsAnswer, HelloAnswer, HelloRequest, ModelsAnswer,
    SchemaRequest, SyncSessionsAnswer, SyncSessionsRequest, WireCall,
};
use super::deadline::Deadline;
use super::exchange::{ExchangeResources, Exchanger};
use super::failure::Failure;
use super::transport::AnswerText;
use super::{Error, Options, encode};
use crate::vocab::offload_text_scan;

/// The client of one Odoo database. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Client {
    pub(super) exchanger: Exchanger,
    pub(super) batcher: Batcher,
    pub(super) writes: TaskTracker,
    pub(super) options: Options,
}

impl Client {
    /// Makes a client; connects and logs in with the first call.
    pub fn new(options: Options) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            exchanger: Exchanger::new(&options)?,
            batcher: Batcher::new(options.batch_size, options.threads),
            writes: TaskTracker::new(),
            options,
        }))
    }

    /// Registers this replica and answers all settings.
    pub async fn hello(self: &Arc<Self>, request: &HelloRequest) -> Result<HelloAnswer, Error> {
        let answer: HelloAnswer = self
            .request(ExchangeResources::control(), "hello", request, self.options.control_timeout())
            .await?;
        self.set_workers(answer.workers);
        Ok(answer)
    }

    /// Resolves a proof to its live connection and user.
    pub async fn authenticate(&self, request: &AuthenticateRequest) -> Result<AuthenticateAnswer, Error> {
        self.request(ExchangeResources::control(), "authenticate", request, self.options.control_timeout())
            .await
    }

    /// Sends a reading call alone, with a retry where Odoo was busy or the connection broke.
    pub async fn read(&self, call: &Call) -> Result<Answer, Error> {
        self.read_within(call, Deadline::within(Duration::from_millis(call.deadline_ms))).await
    }

    pub(super) async fn read_within(&self, call: &Call, deadline: Deadline) -> Result<Answer, Error> {
        let json = || encode::json(&WireCall::new(call, deadline.remaining_ms()));
        let text = self
            .exchanger
            .send_with_retry(&ExchangeResources::for_call(call), "execute", json, deadline)
            .await
            .map_err(Failure::into_read_error)?;
        let answer: Answer = parse_answer(&text)?;
        if answer.call_id == call.call_id { Ok(answer) } else { Err(Error::InvalidAnswer) }
    }

    /// Sends a batch of reading calls, each within its deadline and all within `max_ms` of work;
    /// one answer or fault for each, in their order.
    pub async fn read_batch(
        &self,
        calls: &[(&Call, Deadline)],
        max_ms: u64,
    ) -> Result<Vec<Result<Answer, Fault>>, Error> {
        let latest = calls.iter().map(|(_, deadline)| *deadline).max_by_key(|deadline| deadline.odoo);
        let latest = latest.unwrap_or_else(|| Deadline::within(Duration::ZERO));
        let json = || {
            let calls =
                calls.iter().map(|(call, deadline)| WireCall::new(call, deadline.remaining_ms().min(max_ms)));
            encode::json(&BatchRequest { calls: calls.collect() })
        };
        let route = ExchangeResources::for_batch(calls.iter().map(|(call, _)| *call));
        let text = self
            .exchanger
            .send_with_retry(&route, "execute_batch", json, latest)
            .await
            .map_err(Failure::into_read_error)?;
        let answers = parse_answer::<BatchAnswer>(&text)?.answers;
        let ids = answers.iter().map(BatchItem::call_id);
        if !ids.eq(calls.iter().map(|(call, _)| call.call_id)) {
            return Err(Error::InvalidAnswer);
        }
        Ok(answers.into_iter().map(BatchItem::into_result).collect())
    }

    /// The outcome of a write whose answer was lost.
    pub async fn call_status(&self, request: &CallStatusRequest) -> Result<CallStatusAnswer, Error> {
        self.request(ExchangeResources::control(), "call_status", request, self.options.control_timeout())
            .await
    }

    /// The models that the user may reach; `models` of the request must be none.
    pub async fn models(&self, request: &SchemaRequest) -> Result<ModelsAnswer, Error> {
        self.request(ExchangeResources::shared(), "schema", request, self.options.schema_timeout()).await
    }

    /// The fields of the named models.
    pub async fn fields(&self, request: &SchemaRequest) -> Result<FieldsAnswer, Error> {
        self.request(ExchangeResources::shared(), "schema", request, self.options.schema_timeout()).await
    }

    /// The changes after a cursor.
    pub async fn changes(&self, request: &ChangesRequest) -> Result<ChangesAnswer, Error> {
        self.request(ExchangeResources::control(), "changes", request, self.options.control_timeout()).await
    }

    /// Session sync: sends the sessions, answers those that an administrator has ended.
    pub async fn sync_sessions(&self, request: &SyncSessionsRequest) -> Result<SyncSessionsAnswer, Error> {
        self.request(ExchangeResources::control(), "sync_sessions", request, self.options.control_timeout())
            .await
    }

    /// Appends entries to the audit log in Odoo, without a retry: the sender of `audit` retries, and its failures
    /// must not open the breaker for calls of people.
    pub async fn append_audit(&self, request: &AppendAuditRequest) -> Result<AppendAuditAnswer, Error> {
        self.request_uncounted("append_audit", request).await
    }

    /// Compares the hash chain with the one in Odoo and reports incidents; the breaker as above.
    pub async fn check_audit(&self, request: &CheckAuditRequest) -> Result<CheckAuditAnswer, Error> {
        self.request_uncounted("check_audit", request).await
    }

    async fn request_uncounted<Q, A>(&self, method: &'static str, request: &Q) -> Result<A, Error>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        let deadline = Deadline::within(self.options.control_timeout());
        let text = self.exchanger.send_uncounted(method, || encode::json(request), deadline).await;
        parse_answer(&text.map_err(Failure::into_read_error)?)
    }

    pub(super) async fn request<Q, A>(
        &self,
        route: ExchangeResources,
        method: &'static str,
        request: &Q,
        timeout: Duration,
    ) -> Result<A, Error>
    where
        Q: Serialize,
        A: DeserializeOwned,
    {
        let json = || encode::json(request);
        let text = self.exchanger.send_with_retry(&route, method, json, Deadline::within(timeout)).await;
        parse_answer(&text.map_err(Failure::into_read_error)?)
    }
}

pub(super) fn parse_answer<A: DeserializeOwned>(text: &AnswerText) -> Result<A, Error> {
    let text = text.as_str();
    offload_text_scan(text.len(), || serde_json::from_str(text)).map_err(|error| {
        // The position alone: the message of a parse error can quote data.
        tracing::debug!(line = error.line(), column = error.column(), "an answer does not fit the contract");
        Error::InvalidAnswer
    })
}
