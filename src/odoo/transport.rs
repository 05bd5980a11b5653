//! Carries one gateway method to Odoo and its answer back: XML-RPC, with the login that it needs.
//!
//! This file, `encode` and `decode` are all that knows XML-RPC. JSON-2 (`/json/2/mcp.gateway/<method>`, a
//! bearer key, no login) takes their place behind `Transport::call` when Odoo 22 removes it: a method's name
//! and a JSON text in, a JSON text or a `Failure` out.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::decode::{self, Response, Scalar};
use super::failure::Failure;
use super::http::Http;
use super::memory::{Account, Claim};
use super::{Error, Options, encode, fault};
use crate::vocab::{Secret, aside_for_text};

/// How long a refused login is taken for final, so that waiting calls do not each repeat it.
const LOGIN_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Transport {
    http: Http,
    common: Url,
    object: Url,
    database: String,
    login: String,
    key: Secret,
    /// The service user's id; 0 before the first login.
    uid: AtomicI64,
    /// Held while logging in; holds when a login was last refused.
    refused: Mutex<Option<Instant>>,
}

/// The JSON text of an answer, left inside the body it came in where it needed no unescaping.
#[derive(Debug)]
pub(super) struct Text {
    body: String,
    part: Range<usize>,
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        self.body.get(self.part.clone()).unwrap_or_default()
    }
}

impl From<String> for Text {
    fn from(body: String) -> Self {
        let part = 0..body.len();
        Self { body, part }
    }
}

impl Transport {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let base = format!("{}/", options.url.trim_end_matches('/'));
        let base = Url::parse(&base).map_err(|_| Error::Setup)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Error::Setup);
        }
        Ok(Self {
            http: Http::new(options, base.scheme() == "https")?,
            common: base.join("xmlrpc/2/common").map_err(|_| Error::Setup)?,
            object: base.join("xmlrpc/2/object").map_err(|_| Error::Setup)?,
            database: options.database.clone(),
            login: options.login.clone(),
            key: options.api_key.clone(),
            uid: AtomicI64::new(0),
            refused: Mutex::new(None),
        })
    }

    /// Calls a method of the gateway. `fresh` takes a connection of its own. The memory of the answer is claimed
    /// before it is read, and stays with the account of the claim where there is an answer.
    pub(super) async fn call(
        &self,
        method: &str,
        json: String,
        fresh: bool,
        mut claim: Claim,
        deadline: Instant,
    ) -> Result<Text, Failure> {
        let uid = self.uid(deadline).await?;
        let text = match self.execute(uid, method, &json, fresh, &mut claim, deadline).await {
            // The key or the user's id changed: Odoo refused before it looked at the call.
            Err(Failure::LoginDenied) => {
                let uid = self.log_in(uid, deadline).await.map_err(unsent)?;
                self.execute(uid, method, &json, fresh, &mut claim, deadline).await?
            }
            other => other?,
        };
        claim.keep();
        Ok(text)
    }

    async fn execute(
        &self,
        uid: i64,
        method: &str,
        json: &str,
        fresh: bool,
        claim: &mut Claim,
        deadline: Instant,
    ) -> Result<Text, Failure> {
        let body = encode::execute(&self.database, uid, self.key.expose(), method, json.to_owned());
        let body = self.http.post(self.object.clone(), body, fresh, claim, deadline).await?;
        let part = match aside_for_text(body.len(), || decode::response(&body)) {
            // The body is needed no longer.
            Ok(Response::Value(Scalar::Text(Cow::Owned(text)))) => return Ok(Text::from(text)),
            Ok(Response::Value(Scalar::Text(Cow::Borrowed(text)))) => place(&body, text),
            Ok(Response::Fault { code, text }) => return Err(fault::failure(code, &text)),
            Ok(Response::Value(_)) | Err(decode::Garbled) => return Err(Failure::Unusable),
        };
        Ok(Text { body, part })
    }

    /// The service user's id; logs in where that was not done yet. Its failure means that nothing was sent.
    async fn uid(&self, deadline: Instant) -> Result<i64, Failure> {
        match self.uid.load(Ordering::Acquire) {
            0 => self.log_in(0, deadline).await.map_err(unsent),
            uid => Ok(uid),
        }
    }

    /// Logs in, once for all who wait, unless another did since `stale` was read.
    async fn log_in(&self, stale: i64, deadline: Instant) -> Result<i64, Failure> {
        let mut refused = timeout_at(deadline, self.refused.lock()).await.map_err(|_| Failure::TimedOut)?;
        let uid = self.uid.load(Ordering::Acquire);
        if uid != stale && uid != 0 {
            return Ok(uid);
        }
        if refused.is_some_and(|at| at.elapsed() < LOGIN_PAUSE) {
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
        let mut claim = Arc::<Account>::default().claim(0).map_err(|_| Failure::NoRoom)?;
        let body = self.http.post(self.common.clone(), body, false, &mut claim, deadline).await?;
        match decode::response(&body) {
            Ok(Response::Value(Scalar::Int(uid))) if uid > 0 => Ok(uid),
            Ok(Response::Value(_)) => Err(Failure::LoginDenied),
            Ok(Response::Fault { code, text }) => Err(fault::of_login(code, &text)),
            Err(decode::Garbled) => Err(Failure::Unusable),
        }
    }
}

/// A login that failed, as the failure of the call that never got as far as being sent.
fn unsent(failure: Failure) -> Failure {
    match failure {
        Failure::Broken | Failure::Unusable => Failure::Unsent,
        Failure::TimedOut => Failure::Crowded,
        Failure::Overloaded => Failure::Contended,
        other => other,
    }
}

/// Where `part`, borrowed from `whole`, stands in it.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}
