//! The HTTP connection pool: one POST to Odoo, its answer read up to a bound, its failure classified.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::failure::{AnswerKind, Failure};
use super::memory_budget::{ANSWER_COPIES, MemoryClaim, ReserveError};
use super::{Error, Options};

/// Names the database to Odoo's HTTP layer. Without it each request makes Odoo list all databases, for which
/// it opens and closes a PostgreSQL connection, unless it was started with database names and no filter.
const DATABASE_HEADER: HeaderName = HeaderName::from_static("x-odoo-database");

/// How long an answer waits for memory, unread: Odoo's worker may have to wait with it.
const MEMORY_WAIT: Duration = Duration::from_secs(1);
/// The first reservation for an answer of unknown length.
const UNKNOWN_LENGTH_BYTES: usize = 16 * 1024;
/// The bytes that hold the first tags of an answer.
const ANSWER_HEAD_BYTES: usize = 128;

/// Which connection a request takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Connection {
    /// One that may be idle since an earlier request.
    Pooled,
    /// A new one.
    Fresh,
}

/// The connections to Odoo.
#[derive(Debug)]
pub(super) struct HttpPool {
    /// Keeps connections; Odoo may close one at any moment, so only requests that may be sent twice use it.
    pooled: reqwest::Client,
    /// A new connection for each request: a request that fails to connect was never sent, and there is no idle
    /// connection that Odoo closes just as a write is sent on it.
    fresh: reqwest::Client,
    max_answer_bytes: usize,
}

impl HttpPool {
    pub(super) fn new(options: &Options, encrypted: bool) -> Result<Self, Error> {
        // Reasons: the prefork server speaks HTTP/1.0; an answer within a network needs no compression; a
        // redirect would carry the key elsewhere.
        let headers = headers(&options.database);
        let builder = || {
            let builder = reqwest::Client::builder().default_headers(headers.clone());
            // The system's certificates take long to load: not for a server that is reached without TLS.
            let builder = if encrypted { builder } else { builder.tls_certs_only([]) };
            builder
                .http1_only()
                .no_gzip()
                .no_proxy()
                .tcp_nodelay(true)
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_millis(options.connect_timeout_ms))
        };
        let pooled = builder()
            .pool_max_idle_per_host(options.max_in_flight)
            .pool_idle_timeout(Duration::from_secs(20));
        let fresh = builder().pool_max_idle_per_host(0);
        Ok(Self {
            pooled: pooled.build().map_err(|_| Error::InvalidSetup)?,
            fresh: fresh.build().map_err(|_| Error::InvalidSetup)?,
            max_answer_bytes: options.max_answer_bytes,
        })
    }

    /// Posts `body` and answers the text of the response.
    pub(super) async fn post(
        &self,
        url: reqwest::Url,
        body: Vec<u8>,
        connection: Connection,
        claim: &mut MemoryClaim,
        deadline: Instant,
    ) -> Result<String, Failure> {
        let client = match connection {
            Connection::Pooled => &self.pooled,
            Connection::Fresh => &self.fresh,
        };
        let exchange = async {
            let response = client.post(url).body(body).send().await.map_err(|error| send_failure(&error))?;
            match response.status() {
                StatusCode::OK => self.read(response, claim).await,
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Err(Failure::Overloaded),
                status if is_proxy_refusal(status) => Err(Failure::NotOdoo(status.as_u16())),
                status => {
                    tracing::debug!(status = status.as_u16(), "Odoo answered with an unexpected status");
                    Err(Failure::InvalidAnswer)
                }
            }
        };
        timeout_at(deadline, exchange).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// Reads the body into memory that is claimed before: all of it where its length is announced, else twice as
    /// much each time that it is full.
    async fn read(&self, mut response: Response, claim: &mut MemoryClaim) -> Result<String, Failure> {
        if claim.account().is_abandoned() {
            return Err(Failure::InvalidAnswer);
        }
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut body = Vec::new();
        let mut claimed = 0;
        let mut wanted = announced.unwrap_or(UNKNOWN_LENGTH_BYTES);
        while let Some(chunk) = response.chunk().await.map_err(|_| Failure::InvalidAnswer)? {
            wanted = wanted.max(body.len() + chunk.len());
            if wanted > claimed {
                let head = if body.is_empty() { &chunk[..] } else { &body };
                self.claim(claim, wanted).await.map_err(|full| dropped_answer(full, head))?;
                body.reserve_exact(wanted - body.len());
                claimed = wanted;
            }
            body.extend_from_slice(&chunk);
            if body.len() == claimed {
                wanted = claimed.saturating_mul(2).min(self.max_answer_bytes.max(claimed));
            }
        }
        String::from_utf8(body).map_err(|_| Failure::InvalidAnswer)
    }

    async fn claim(&self, claim: &mut MemoryClaim, bytes: usize) -> Result<(), ReserveError> {
        if bytes > self.max_answer_bytes {
            return Err(ReserveError::TooLarge);
        }
        claim.grow_to(bytes.saturating_mul(ANSWER_COPIES), Instant::now() + MEMORY_WAIT).await
    }
}

/// The failure of an answer that is dropped for lack of memory. Its first bytes show its kind: Odoo commits before
/// it answers, so that a call that is answered by anything but a fault has been executed.
fn dropped_answer(full: ReserveError, head: &[u8]) -> Failure {
    let begins = |tag: &[u8]| {
        head.get(..ANSWER_HEAD_BYTES.min(head.len()))
            .is_some_and(|head| head.windows(tag.len()).any(|part| part == tag))
    };
    let answered = match (begins(b"<params>"), begins(b"<fault>")) {
        (true, false) => AnswerKind::Value,
        (false, true) => AnswerKind::Fault,
        _ => AnswerKind::Unclear,
    };
    Failure::AnswerDropped { permanent: full == ReserveError::TooLarge, answered }
}

/// Headers of each request. Odoo reads them as Latin-1: a name beyond ASCII would arrive as another one,
/// and is left to the body, which names the database anyway.
fn headers(database: &str) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/xml"))]);
    if let Ok(database) = HeaderValue::from_str(database) {
        headers.insert(DATABASE_HEADER, database);
    }
    headers
}

/// A status that only a proxy or another server answers, not Odoo's XML-RPC: the request was not executed.
fn is_proxy_refusal(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 404 | 405)
}

fn send_failure(error: &reqwest::Error) -> Failure {
    // The innermost cause alone: the outer ones quote the URL, which may hold a password.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    tracing::debug!(%cause, "no answer from Odoo");
    if error.is_connect() { Failure::NotConnected } else { Failure::ConnectionLost }
}
