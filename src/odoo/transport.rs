//! The XML-RPC transport: one call of a gateway method, with the login that it needs.
//!
//! Only this file, `encode` and `decode` know XML-RPC. JSON-2 (`/json/2/mcp.gateway/<method>`, a
//! bearer key, no login) takes their place behind `Transport::call` when Odoo 22 removes it: a method's name
//! and a JSON text in, a JSON text or a `Failure` out.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::decode::{self, Scalar, XmlRpcResponse};
use super::failure::Failure;
use super::http_pool::{Connection, HttpPool};
use super::memory_budget::{MemoryAccount, MemoryClaim};
use super::{Error, Options, encode, fault_mapping};
use crate::vocab::{Secret, offload_text_scan};

/// How long a refused login is cached, so that waiting calls do not each repeat it.
const LOGIN_RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Transport {
    http: HttpPool,
    common: Url,
    object: Url,
    database: String,
    login: String,
    key: Secret,
    /// The service user's id; 0 before the first login.
    uid: AtomicI64,
    /// Held while logging in; holds when a login was last refused.
    last_refusal: Mutex<Option<Instant>>,
}

/// The JSON text of an answer, borrowed from the body where it needed no unescaping.
#[derive(Debug)]
pub(super) struct AnswerText {
    body: String,
    range: Range<usize>,
}

impl AnswerText {
    pub(super) fn as_str(&self) -> &str {
        self.body.get(self.range.clone()).unwrap_or_default()
    }

    pub(super) fn parse<A: DeserializeOwned>(&self) -> Result<A, Error> {
        let text = self.as_str();
        offload_text_scan(text.len(), || serde_json::from_str(text)).map_err(|error| {
            // The position alone: the message of a parse error can quote data.
            tracing::debug!(
                line = error.line(),
                column = error.column(),
                "an answer does not fit the contract"
            );
            Error::InvalidAnswer
        })
    }
}

impl From<String> for AnswerText {
    fn from(body: String) -> Self {
        let part = 0..body.len();
        Self { body, range: part }
    }
}

impl Transport {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let base = format!("{}/", options.url.trim_end_matches('/'));
        let base = Url::parse(&base).map_err(|_| Error::InvalidSetup)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Error::InvalidSetup);
        }
        Ok(Self {
            http: HttpPool::new(options, base.scheme() == "https")?,
            common: base.join("xmlrpc/2/common").map_err(|_| Error::InvalidSetup)?,
            object: base.join("xmlrpc/2/object").map_err(|_| Error::InvalidSetup)?,
            database: options.database.clone(),
            login: options.login.clone(),
            key: options.api_key.clone(),
            uid: AtomicI64::new(0),
            last_refusal: Mutex::new(None),
        })
    }

    /// Calls a method of the gateway. The memory of the answer is claimed
    /// before it is read, and stays with the account of the claim where there is an answer.
    pub(super) async fn call(
        &self,
        method: &str,
        json: String,
        connection: Connection,
        mut claim: MemoryClaim,
        deadline: Instant,
    ) -> Result<AnswerText, Failure> {
        let uid = self.uid(deadline).await?;
        let text = match self.execute(uid, method, &json, connection, &mut claim, deadline).await {
            // The key or the user's id changed: Odoo refused before it looked at the call.
            Err(Failure::LoginDenied) => {
                let uid = self.log_in(uid, deadline).await.map_err(as_unsent)?;
                self.execute(uid, method, &json, connection, &mut claim, deadline).await?
            }
            other => other?,
        };
        claim.commit();
        Ok(text)
    }

    async fn execute(
        &self,
        uid: i64,
        method: &str,
        json: &str,
        connection: Connection,
        claim: &mut MemoryClaim,
        deadline: Instant,
    ) -> Result<AnswerText, Failure> {
        let body = encode::execute(&self.database, uid, self.key.expose(), method, json.to_owned());
        let body = self.http.post(self.object.clone(), body, connection, claim, deadline).await?;
        let part = match offload_text_scan(body.len(), || decode::response(&body)) {
            // The body is needed no longer.
            Ok(XmlRpcResponse::Value(Scalar::Text(Cow::Owned(text)))) => return Ok(AnswerText::from(text)),
            Ok(XmlRpcResponse::Value(Scalar::Text(Cow::Borrowed(text)))) => range_of(&body, text),
            Ok(XmlRpcResponse::Fault { code, text }) => return Err(fault_mapping::map_fault(code, &text)),
            Ok(XmlRpcResponse::Value(_)) | Err(decode::InvalidResponse) => {
                return Err(Failure::InvalidAnswer);
            }
        };
        Ok(AnswerText { body, range: part })
    }

    /// The service user's id, with a login before the first call. Its failure means that nothing was sent.
    async fn uid(&self, deadline: Instant) -> Result<i64, Failure> {
        match self.uid.load(Ordering::Acquire) {
            0 => self.log_in(0, deadline).await.map_err(as_unsent),
            uid => Ok(uid),
        }
    }

    /// Logs in (single flight), unless another call did since `stale` was read.
    async fn log_in(&self, stale: i64, deadline: Instant) -> Result<i64, Failure> {
        let mut refused =
            timeout_at(deadline, self.last_refusal.lock()).await.map_err(|_| Failure::TimedOut)?;
        let uid = self.uid.load(Ordering::Acquire);
        if uid != stale && uid != 0 {
            return Ok(uid);
        }
        if refused.is_some_and(|at| at.elapsed() < LOGIN_RETRY_DELAY) {
            return Err(Failure::LoginDenied);
        }
        self.uid.store(0, Ordering::Release);
        let answer = self.authenticate(deadline).await;
        match &answer {
            Ok(uid) => {
                self.uid.store(*uid, Ordering::Release);
                *refused = None;
            }
            Err(Failure::LoginDenied) => {
                tracing::error!("Odoo refused the service account: check database, login and API key");
                *refused = Some(Instant::now());
            }
            Err(_) => {}
        }
        answer
    }

    async fn authenticate(&self, deadline: Instant) -> Result<i64, Failure> {
        let body = encode::authenticate(&self.database, &self.login, self.key.expose());
        let mut claim = Arc::<MemoryAccount>::default().claim(0).map_err(|_| Failure::MemoryTimeout)?;
        let body =
            self.http.post(self.common.clone(), body, Connection::Pooled, &mut claim, deadline).await?;
        match decode::response(&body) {
            Ok(XmlRpcResponse::Value(Scalar::Int(uid))) if uid > 0 => Ok(uid),
            Ok(XmlRpcResponse::Value(_)) => Err(Failure::LoginDenied),
            Ok(XmlRpcResponse::Fault { code, text }) => Err(fault_mapping::map_login_fault(code, &text)),
            Err(decode::InvalidResponse) => Err(Failure::InvalidAnswer),
        }
    }
}

/// A failed login, as the failure of its call, which was not sent.
fn as_unsent(failure: Failure) -> Failure {
    match failure {
        Failure::ConnectionLost | Failure::InvalidAnswer => Failure::NotConnected,
        Failure::TimedOut => Failure::QueueTimeout,
        Failure::Overloaded => Failure::Conflict,
        other => other,
    }
}

/// The range of `part`, borrowed from `whole`, in it.
fn range_of(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}
