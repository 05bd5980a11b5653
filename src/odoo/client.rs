//! The RPC client: one method for each method of `mcp.gateway`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::Batcher;
use super::contract::{
    Answer, AppendAuditAnswer, AppendAuditRequest, AuthenticateAnswer, AuthenticateRequest, BeginCheckAnswer,
    BeginCheckRequest, Call, CallStatusAnswer, CallStatusRequest, ChangesAnswer, ChangesRequest,
    CheckAuditAnswer, CheckAuditRequest, Fault, FieldsAnswer, HelloAnswer, HelloRequest, ModelsAnswer,
    ReportCheckAnswer, ReportCheckRequest, SchemaRequest, SyncSessionsAnswer, SyncSessionsRequest,
};
use super::deadline::Deadline;
use super::exchange::{ExchangeResources, Exchanger};
use super::failure::Failure;
use super::read::Reader;
use super::write::Writer;
use super::{Error, Options, encode};

/// The client of one Odoo database. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Client {
    pub(super) exchanger: Arc<Exchanger>,
    reader: Arc<Reader>,
    batcher: Arc<Batcher>,
    writer: Arc<Writer>,
    pub(super) options: Options,
}

impl Client {
    /// Makes a client; connects and logs in with the first call.
    pub fn new(options: Options) -> Result<Arc<Self>, Error> {
        let exchanger = Arc::new(Exchanger::new(&options)?);
        let reader = Arc::new(Reader::new(Arc::clone(&exchanger)));
        Ok(Arc::new(Self {
            batcher: Arc::new(Batcher::new(Arc::clone(&reader), options.batch_size, options.threads)),
            writer: Arc::new(Writer::new(Arc::clone(&exchanger), &options)),
            exchanger,
            reader,
            options,
        }))
    }

    /// Registers this replica and answers all settings.
    pub async fn hello(&self, request: &HelloRequest) -> Result<HelloAnswer, Error> {
        let answer: HelloAnswer = self
            .request(ExchangeResources::control(), "hello", request, self.options.control_timeout())
            .await?;
        self.set_workers(answer.workers);
        Ok(answer)
    }

    /// Sets the number of workers that Odoo announced: as many requests keep all of them busy.
    fn set_workers(&self, workers: usize) {
        let workers = if workers == 0 { self.options.threads } else { workers };
        self.exchanger.admission().set_permits(workers);
        self.batcher.set_slots(workers);
    }

    /// Resolves a proof to its live connection and user.
    pub async fn authenticate(&self, request: &AuthenticateRequest) -> Result<AuthenticateAnswer, Error> {
        self.request(ExchangeResources::control(), "authenticate", request, self.options.control_timeout())
            .await
    }

    /// Sends a reading call alone, with a retry where Odoo was busy or the connection broke.
    pub async fn read(&self, call: &Call) -> Result<Answer, Error> {
        self.reader.read(call, Deadline::within(Duration::from_millis(call.deadline_ms))).await
    }

    /// Sends a reading call, in a batch with others where Odoo is busy.
    pub async fn read_batched(&self, call: Call) -> Result<Answer, Error> {
        self.batcher.read(call).await
    }

    /// Sends a batch of reading calls, each within its deadline and all within `max_ms` of work;
    /// one answer or fault for each, in their order.
    pub async fn read_batch(
        &self,
        calls: &[(&Call, Deadline)],
        max_ms: u64,
    ) -> Result<Vec<Result<Answer, Fault>>, Error> {
        self.reader.read_batch(calls, max_ms).await
    }

    /// Sends a writing call, in a task of its own: a client that disconnects does not abort it.
    pub async fn write(&self, call: Call) -> Result<Answer, Error> {
        self.writer.write(call).await
    }

    /// Graceful shutdown: waits until no write is under way; answers how many still are after `limit`.
    /// Called after the last new write.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.writer.drain(limit).await
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

    /// Takes part in a connection check.
    pub async fn begin_check(&self, request: &BeginCheckRequest) -> Result<BeginCheckAnswer, Error> {
        self.request(ExchangeResources::control(), "begin_check", request, self.options.control_timeout())
            .await
    }

    /// Reports what a connection check has found.
    pub async fn report_check(&self, request: &ReportCheckRequest) -> Result<ReportCheckAnswer, Error> {
        self.request(ExchangeResources::control(), "report_check", request, self.options.control_timeout())
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
        text.map_err(Failure::into_read_error)?.parse()
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
        text.map_err(Failure::into_read_error)?.parse()
    }
}
