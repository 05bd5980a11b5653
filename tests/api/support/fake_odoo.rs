//! An Odoo that speaks real XML-RPC over real HTTP, knows the gateway's contract, and misbehaves on demand.
//!
//! Works by itself (tokio, quick-xml, serde_json), so that other binaries can include the file. Without any
//! scripting it is a healthy Odoo: the switch is on, `add_key` makes credentials, reads answer a record,
//! writes happen once. `on` replaces the answer of a method; `set_fault` spoils the way back: the work is
//! done, then its answer goes wrong.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What a method answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A JSON answer.
    Answer(Value),
    /// A JSON answer, to the letter.
    Text(String),
    /// A fault of the contract: `{"code", "message", "data"}`.
    Fault(Value),
    /// A fault of Odoo itself.
    Raised { code: i64, text: String },
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Answer(value)
    }
}

impl Reply {
    pub fn fault(code: &str, data: Value) -> Self {
        Self::Fault(json!({"code": code, "message": format!("It is {code}."), "data": data}))
    }
}

/// How an answer goes wrong on its way back.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Comes late.
    Slow(Duration),
    /// Never comes; the connection stays.
    Silence,
    /// The connection is closed instead.
    HangUp,
    /// Breaks off after half of its body.
    CutMidAnswer,
    /// Is this text.
    Body(String),
    /// Is a value nested this deep.
    DeepNesting(usize),
    /// Is a string of this length.
    Huge(usize),
    /// Has no announced length and no end.
    Endless,
    /// Is a fault with code 1 and this text.
    Traceback(String),
    /// Has this status.
    Http(u16),
    /// Only where the connection served a call before: it is closed instead, before any work is done.
    StaleConnection,
}

/// A call as it came in. Logins are recorded as method `authenticate` of service `common`.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub service: &'static str,
    pub method: String,
    pub request: Value,
    /// The database that the header names.
    pub database: Option<String>,
    /// The whole XML.
    pub body: String,
}

/// A request as it came in.
struct Request {
    path: String,
    database: Option<String>,
    body: String,
}

type Handler = Arc<dyn Fn(Value) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

struct Fault {
    method: Option<String>,
    trouble: Trouble,
    times: usize,
}

struct Shared {
    handlers: Mutex<HashMap<String, Handler>>,
    calls: Mutex<Vec<Recorded>>,
    faults: Mutex<Vec<Fault>>,
    settings: Mutex<Value>,
    keys: Mutex<HashMap<String, Value>>,
    /// What `changes` will tell: connections, whether settings or schemas changed, whether to reset.
    news: Mutex<(Vec<i64>, bool, bool, bool)>,
    /// The audit log, in the order in which entries came.
    audit: Mutex<Vec<Value>>,
    /// Its chain, the number of its newest entry and the alarms.
    chain: Mutex<Chain>,
    done: Mutex<HashMap<String, Value>>,
    /// The connection check that `changes` names.
    check: Mutex<Option<uuid::Uuid>>,
    sessions: Mutex<Sessions>,
    keep_alive: AtomicBool,
    uid: AtomicI64,
    cursor: AtomicI64,
    workers: AtomicUsize,
    connections: AtomicUsize,
}

/// Hashes by number; tests tamper with them.
#[derive(Default)]
pub struct Chain {
    pub start: u64,
    pub tip: u64,
    pub hashes: BTreeMap<u64, String>,
    pub alarms: BTreeMap<String, Value>,
    pub acknowledged: HashSet<String>,
}

impl Chain {
    fn add(&mut self) {
        self.tip += 1;
        let hash = format!("{:064x}", self.tip * 7919);
        self.hashes.insert(self.tip, hash);
    }

    fn state(&self, request: &Value) -> Value {
        let link = |sequence: u64, hash: Option<&String>| json!({"sequence": sequence, "hash": hash.map_or("", String::as_str)});
        let start = format!("{:064x}", self.start * 7919);
        let newest = self.hashes.last_key_value();
        json!({
            "start": link(self.start, (self.start > 0).then_some(&start)),
            "tip": link(self.tip, self.hashes.get(&self.tip)),
            "newest": link(newest.map_or(0, |(sequence, _)| *sequence), newest.map(|(_, hash)| hash)),
            "seen": request["seen"].as_u64().and_then(|seen| self.hashes.get(&seen)),
        })
    }
}

/// What `sync_sessions` told, by id, and which sessions an administrator has ended.
#[derive(Default)]
struct Sessions {
    rows: BTreeMap<String, Value>,
    ended: HashSet<String>,
    /// Of these, the ones that `changes` will tell.
    news: Vec<String>,
}

/// The server; gone when dropped.
pub struct FakeOdoo {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Mutex<Option<AbortHandle>>,
}

impl Drop for FakeOdoo {
    fn drop(&mut self) {
        self.refuse();
    }
}

impl FakeOdoo {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            handlers: Mutex::default(),
            calls: Mutex::default(),
            faults: Mutex::default(),
            settings: Mutex::new(settings()),
            keys: Mutex::default(),
            news: Mutex::default(),
            audit: Mutex::default(),
            chain: Mutex::default(),
            done: Mutex::default(),
            check: Mutex::default(),
            sessions: Mutex::default(),
            keep_alive: AtomicBool::new(true),
            uid: AtomicI64::new(7),
            cursor: AtomicI64::new(1),
            workers: AtomicUsize::new(2),
            connections: AtomicUsize::new(0),
        });
        let odoo = Self { shared, address, accepting: Mutex::default() };
        odoo.accept(listener);
        odoo
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers `method` of the gateway by this closure from now on.
    pub fn on<R: Into<Reply>>(&self, method: &str, answer: impl Fn(Value) -> R + Send + Sync + 'static) {
        self.on_async(method, move |request| {
            let reply = answer(request).into();
            async move { reply }
        });
    }

    /// The same where the answer has to wait for something.
    pub fn on_async<F, R>(&self, method: &str, answer: impl Fn(Value) -> F + Send + Sync + 'static)
    where
        F: Future<Output = R> + Send + 'static,
        R: Into<Reply>,
    {
        let handler: Handler = Arc::new(move |request| {
            let reply = answer(request);
            Box::pin(async move { reply.await.into() })
        });
        self.shared.handlers.lock().unwrap().insert(method.to_owned(), handler);
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Recorded> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// The requests of one gateway method so far.
    pub fn requests(&self, method: &str) -> Vec<Value> {
        let of_method = |call: &Recorded| call.service == "object" && call.method == method;
        self.calls().into_iter().filter(of_method).map(|call| call.request).collect()
    }

    pub fn count(&self, method: &str) -> usize {
        self.requests(method).len()
    }

    pub fn logins(&self) -> usize {
        self.calls().iter().filter(|call| call.service == "common").count()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Spoils the next `times` answers of `method` (none: of any gateway method).
    pub fn set_fault(&self, method: Option<&str>, trouble: Trouble, times: usize) {
        self.shared.faults.lock().unwrap().push(Fault { method: method.map(str::to_owned), trouble, times });
    }

    pub fn clear_faults(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// Closes the port and every connection, as a dead Odoo would.
    pub fn refuse(&self) {
        if let Some(task) = self.accepting.lock().unwrap().take() {
            task.abort();
        }
    }

    /// Comes back on the same port.
    pub async fn resume(&self) {
        for _ in 0..100 {
            if let Ok(listener) = TcpListener::bind(self.address).await {
                return self.accept(listener);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the port is taken");
    }

    /// Whether connections are kept, as the threaded server does; the prefork one closes each.
    pub fn keep_alive(&self, keep: bool) {
        self.shared.keep_alive.store(keep, Ordering::SeqCst);
    }

    /// The service user's id; 0 refuses its login.
    pub fn set_uid(&self, uid: i64) {
        self.shared.uid.store(uid, Ordering::SeqCst);
    }

    /// How many workers `hello` tells of.
    pub fn set_workers(&self, workers: usize) {
        self.shared.workers.store(workers, Ordering::SeqCst);
    }

    /// Makes a credential known. `connection` is its id, `scope` is `full` or `read_only`. It has no limits and
    /// no address rules.
    pub fn add_key(&self, proof: &str, connection: i64, scope: &str) {
        self.set_key(proof, Self::document(connection, scope));
    }

    /// The same, with allowed models and hence without methods.
    pub fn add_key_for_models(&self, proof: &str, connection: i64, models: &[&str]) {
        let mut document = Self::document(connection, "full");
        document["connection"]["allowed_models"] = json!(models);
        document["connection"]["method_level"] = json!("none");
        document["connection"]["allow_methods"] = json!(false);
        self.set_key(proof, document);
    }

    /// The same with full access, and with this level of methods.
    pub fn add_key_with_level(&self, proof: &str, connection: i64, level: &str) {
        let mut document = Self::document(connection, "full");
        document["connection"]["method_level"] = json!(level);
        self.set_key(proof, document);
    }

    /// Makes an access token of an OAuth connection known, issued for the resource of the test server.
    pub fn add_token(&self, proof: &str, connection: i64, change: impl FnOnce(&mut Value)) {
        let mut document = Self::document(connection, "full");
        document["connection"]["kind"] = json!("oauth");
        document["connection"]["upgradable"] = json!(false);
        document["audience"] = json!("https://odoo.example.com/odoo/mcp");
        change(&mut document);
        self.set_key(proof, document);
    }

    fn document(connection: i64, scope: &str) -> Value {
        json!({
            "connection": {"id": connection, "name": format!("Connection {connection}"), "kind": "api_key",
                           "scope": scope, "allowed_tools": [], "allowed_models": [], "method_level": "any", "allow_methods": true,
                           "rate_limit_minute": 0, "rate_limit_day": 0, "allowed_ips": [], "blocked_ips": []},
            "user": {"id": 2, "login": "admin", "name": "Mitchell Admin", "lang": "en_US", "tz": "UTC"},
            "schema_key": "5f2b9c0d1e3a4b5c", "expires_at": null,
        })
    }

    /// Makes a credential known with a whole answer of `authenticate`.
    pub fn set_key(&self, proof: &str, document: Value) {
        self.shared.keys.lock().unwrap().insert(proof.to_owned(), document);
    }

    /// Revokes all credentials of a connection and lets `changes` tell it.
    pub fn revoke(&self, connection: i64) {
        for document in self.shared.keys.lock().unwrap().values_mut() {
            if document["connection"]["id"] == connection {
                document["revoked"] = json!(true);
            }
        }
        self.shared.news.lock().unwrap().0.push(connection);
    }

    /// Changes a connection (its part of what `authenticate` answers) and lets `changes` tell it.
    pub fn change(&self, connection: i64, change: impl Fn(&mut Value)) {
        for document in self.shared.keys.lock().unwrap().values_mut() {
            if document["connection"]["id"] == connection {
                change(&mut document["connection"]);
            }
        }
        self.shared.news.lock().unwrap().0.push(connection);
    }

    /// Changes the settings, counts their version up and lets `changes` tell it.
    pub fn settings(&self, change: impl FnOnce(&mut Value)) {
        let mut settings = self.shared.settings.lock().unwrap();
        change(&mut settings);
        settings["version"] = json!(settings["version"].as_u64().unwrap() + 1);
        self.shared.news.lock().unwrap().1 = true;
    }

    /// Lets `changes` tell that schemas changed.
    pub fn schema_changed(&self) {
        self.shared.news.lock().unwrap().2 = true;
    }

    /// Starts a connection check as an administrator does.
    pub fn start_check(&self) -> uuid::Uuid {
        let id = uuid::Uuid::new_v4();
        *self.shared.check.lock().unwrap() = Some(id);
        id
    }

    /// The entries of the audit log.
    pub fn audit(&self) -> Vec<Value> {
        self.shared.audit.lock().unwrap().clone()
    }

    /// Does something to the chain of the audit log.
    pub fn tamper<T>(&self, deed: impl FnOnce(&mut Chain) -> T) -> T {
        deed(&mut self.shared.chain.lock().unwrap())
    }

    /// Stores what `append_audit` brings; for handlers that refuse some of it.
    pub fn store(&self) -> impl Fn(&Value) -> Reply + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |request| shared.append_audit(request)
    }

    /// Lets `changes` answer `reset`.
    pub fn reset(&self) {
        self.shared.news.lock().unwrap().3 = true;
    }

    /// The sessions that it was told of, those that have ended included.
    pub fn sessions(&self) -> Vec<Value> {
        self.shared.sessions.lock().unwrap().rows.values().cloned().collect()
    }

    /// Ends a session as an administrator does; `changes` tells it, or only the answer to the next
    /// `sync_sessions` that tells of it as live.
    pub fn end_session(&self, id: &str, told_by_changes: bool) {
        let mut sessions = self.shared.sessions.lock().unwrap();
        sessions.ended.insert(id.to_owned());
        if told_by_changes {
            sessions.news.push(id.to_owned());
        }
    }

    fn accept(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            // Dropped with this task, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(Arc::clone(&shared), stream));
                while connections.try_join_next().is_some() {}
            }
        });
        *self.accepting.lock().unwrap() = Some(task.abort_handle());
    }
}

// === one connection ===

async fn serve(shared: Arc<Shared>, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    for served in 0_usize.. {
        let Some(Request { path, database, body }) = read_request(&mut stream, &mut buffer).await else {
            return;
        };
        let mut values = values_of(&body).into_iter();
        let mut next = || values.next().unwrap_or_default();
        let (reply, trouble) = if path.ends_with("/common") {
            let (method, request) = ("authenticate".to_owned(), Value::Null);
            shared.record(Recorded { service: "common", method, request, database, body });
            let uid = shared.uid.load(Ordering::SeqCst);
            let value = if uid > 0 { format!("<int>{uid}</int>") } else { "<boolean>0</boolean>".into() };
            (answer_xml(&value), None)
        } else {
            let (_database, uid, _key, model, method) = (next(), next(), next(), next(), next());
            let request: Value = serde_json::from_str(&next()).expect("a JSON request");
            assert_eq!(model, "mcp.gateway");
            let mut trouble = shared.trouble(&method, served);
            if matches!(trouble, Some(Trouble::StaleConnection)) {
                if served > 0 {
                    return;
                }
                trouble = None;
            }
            shared.record(Recorded {
                service: "object",
                method: method.clone(),
                request: request.clone(),
                database,
                body,
            });
            if uid != shared.uid.load(Ordering::SeqCst).to_string() {
                (fault_xml(3, "Access Denied"), None)
            } else {
                (xml_of(&shared.answer(&method, request).await), trouble)
            }
        };
        if !respond(&shared, &mut stream, reply, trouble).await {
            return;
        }
    }
}

/// Writes an answer, spoiled or not; whether the connection goes on.
async fn respond(shared: &Shared, stream: &mut TcpStream, xml: String, trouble: Option<Trouble>) -> bool {
    let (mut status, mut body, mut cut) = (200, xml, false);
    match trouble {
        None | Some(Trouble::StaleConnection) => {}
        Some(Trouble::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Trouble::Silence) => std::future::pending().await,
        Some(Trouble::HangUp) => return false,
        Some(Trouble::Endless) => {
            let head = b"HTTP/1.0 200 OK\r\n\r\n<methodResponse><params><param><value><string>";
            let mut written = stream.write_all(head).await;
            while written.is_ok() {
                written = stream.write_all(&[b'x'; 65_536]).await;
            }
            return false;
        }
        Some(Trouble::CutMidAnswer) => cut = true,
        Some(Trouble::Body(text)) => body = text,
        Some(Trouble::DeepNesting(depth)) => {
            let (open, close) = ("<value><array><data>", "</data></array></value>");
            body = format!(
                "<methodResponse><params><param>{}<value/>{}</param></params></methodResponse>",
                open.repeat(depth),
                close.repeat(depth)
            );
        }
        Some(Trouble::Huge(length)) => body = answer_xml(&format!("<string>{}</string>", "x".repeat(length))),
        Some(Trouble::Traceback(text)) => body = fault_xml(1, &text),
        Some(Trouble::Http(code)) => status = code,
    }
    let keep = shared.keep_alive.load(Ordering::SeqCst);
    let version = if keep { "1.1" } else { "1.0" };
    let head = format!(
        "HTTP/{version} {status} Whatever\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let bytes = body.as_bytes();
    let sent = if cut { &bytes[..bytes.len() / 2] } else { bytes };
    let written = stream.write_all(&[head.as_bytes(), sent].concat()).await;
    written.is_ok() && keep && !cut
}

/// The next request; none where the connection ended.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").map_or(0, |value| value.parse::<usize>().expect("a length"));
    while buffer.len() < end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(end + length);
    let request = std::mem::replace(buffer, rest);
    let path = head.split(' ').nth(1)?.to_owned();
    let body = String::from_utf8(request[end..].to_vec()).expect("UTF-8");
    Some(Request { path, database: header("x-odoo-database"), body })
}

// === XML-RPC ===

/// The scalars of a request, in order; an array counts as what it holds.
fn values_of(body: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(body);
    let (mut values, mut current) = (Vec::new(), None::<String>);
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(tag) if matches!(tag.name().as_ref(), "string" | "int" | "i4" | "i8") => {
                current = Some(String::new());
            }
            Event::Text(text) => {
                if let Some(value) = &mut current {
                    value.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let text = format!("&{};", reference.into_inner());
                let text = quick_xml::escape::unescape(&text).expect("a known entity").into_owned();
                current.as_mut().expect("an entity in a value").push_str(&text);
            }
            Event::End(_) => values.extend(current.take()),
            Event::Eof => return values,
            _ => {}
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn xml_of(reply: &Reply) -> String {
    match reply {
        Reply::Answer(value) => answer_xml(&format!("<string>{}</string>", escape(&value.to_string()))),
        Reply::Text(text) => answer_xml(&format!("<string>{}</string>", escape(text))),
        Reply::Fault(fault) => fault_xml(2, &fault.to_string()),
        Reply::Raised { code, text } => fault_xml(*code, text),
    }
}

/// As Python writes it.
fn answer_xml(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>\n"
    )
}

fn fault_xml(code: i64, text: &str) -> String {
    let text = escape(text);
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>{code}</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>{text}</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"
    )
}

// === the gateway ===

fn settings() -> Value {
    json!({
        "enabled": true, "version": 7, "rate_limit_minute": 60, "rate_limit_day": 10000,
        "access_token_timeout": 3600, "refresh_token_timeout": 2_592_000, "refresh_token_grace": 60,
        "allow_dynamic_registration": true, "enable_event_streaming": true, "enable_report_generation": true,
        "audit_retention_days": 90, "log_payloads": false, "settings_max_age": 300,
        "tz": "UTC",
    })
}

impl Shared {
    fn record(&self, call: Recorded) {
        self.calls.lock().unwrap().push(call);
    }

    /// The trouble that this call gets; one that needs a used connection waits for it.
    fn trouble(&self, method: &str, served: usize) -> Option<Trouble> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|fault| {
            fault.method.as_deref().is_none_or(|name| name == method)
                && (served > 0 || !matches!(fault.trouble, Trouble::StaleConnection))
        })?;
        let trouble = faults[at].trouble.clone();
        faults[at].times -= 1;
        if faults[at].times == 0 {
            faults.remove(at);
        }
        Some(trouble)
    }

    async fn answer(&self, method: &str, request: Value) -> Reply {
        let handler = self.handlers.lock().unwrap().get(method).cloned();
        if let Some(handler) = handler {
            return handler(request).await;
        }
        match method {
            "hello" => self.hello(&request),
            "authenticate" => self.authenticate(&request),
            "changes" => self.changes(),
            "begin_check" => self.begin_check(&request),
            "report_check" => json!({}).into(),
            "execute" => self.execute(&request),
            "append_audit" => self.append_audit(&request),
            "check_audit" => self.check_audit(&request),
            "execute_batch" => self.execute_batch(&request),
            "call_status" => match self.done.lock().unwrap().get(request["call_id"].as_str().unwrap()) {
                Some(answer) => json!({"state": "done", "answer": answer}).into(),
                None => json!({"state": "unknown", "answer": null}).into(),
            },
            "schema" => schema(&request),
            "sync_sessions" => self.sync_sessions(&request),
            other => Reply::Raised { code: 1, text: format!("no method {other}") },
        }
    }

    fn hello(&self, request: &Value) -> Reply {
        if request["contract"] != 1 {
            return Reply::fault("contract", json!({"addon": 1, "sidecar": request["contract"]}));
        }
        json!({
            "contract": 1, "addon_version": "19.0.1.0.0", "odoo_version": "19.0", "workers": self.workers.load(Ordering::SeqCst), "database": "fake",
            "database_uuid": "7c1b8a52-1f2e-11f0-9cd2-0242ac120002", "web_url": "https://odoo.example.com",
            "cursor": format!("1:{}", self.cursor.load(Ordering::SeqCst)),
            "settings": *self.settings.lock().unwrap(), "wake": "accepted", "public_url_state": "confirmed",
            "shared_keys": {"oauth": "5a".repeat(32)}, "now": "2026-11-22T13:30:00Z",
        })
        .into()
    }

    fn authenticate(&self, request: &Value) -> Reply {
        let keys = self.keys.lock().unwrap();
        match keys.get(request["proof"].as_str().unwrap()) {
            None => Reply::fault("unauthenticated", json!({"reason": "unknown"})),
            Some(document) if document["revoked"] == true => {
                Reply::fault("unauthenticated", json!({"reason": "revoked"}))
            }
            Some(_) if self.settings.lock().unwrap()["enabled"] == false => {
                Reply::fault("disabled", json!({}))
            }
            Some(document) => document.clone().into(),
        }
    }

    fn changes(&self) -> Reply {
        let (connections, settings, schema, reset) = std::mem::take(&mut *self.news.lock().unwrap());
        let cursor = self.cursor.fetch_add(1, Ordering::SeqCst) + 1;
        let settings = (settings || reset).then(|| self.settings.lock().unwrap().clone());
        let sessions = std::mem::take(&mut self.sessions.lock().unwrap().news);
        json!({
            "cursor": format!("1:{cursor}"), "reset": reset, "settings": settings,
            "connections": connections, "sessions": sessions, "schema": schema || reset,
            "check": *self.check.lock().unwrap(), "now": "2026-11-22T13:30:05Z",
        })
        .into()
    }

    /// Makes the key of a check known: read-only, for one tool.
    fn begin_check(&self, request: &Value) -> Reply {
        let mut document = FakeOdoo::document(77, "read_only");
        document["connection"]["allowed_tools"] = json!(["get_session"]);
        document["connection"]["method_level"] = json!("none");
        let proof = request["proof"].as_str().unwrap().to_owned();
        self.keys.lock().unwrap().insert(proof, document);
        json!({"accepted": true}).into()
    }

    fn sync_sessions(&self, request: &Value) -> Reply {
        let mut sessions = self.sessions.lock().unwrap();
        if request["complete"] == true {
            sessions.rows.values_mut().for_each(|row| row["live"] = json!(false));
        }
        let mut ended = Vec::new();
        for row in request["sessions"].as_array().unwrap() {
            let id = row["session"].as_str().unwrap().to_owned();
            // Told once: a pair of connection and client may begin anew.
            if row["live"] == true && sessions.ended.remove(&id) {
                ended.push(id.clone());
            }
            sessions.rows.insert(id, row.clone());
        }
        json!({"ended": ended}).into()
    }

    /// Idempotent by id. A change without a known outcome counts as done where it was done.
    fn append_audit(&self, request: &Value) -> Reply {
        let entries = request["entries"].as_array().unwrap();
        assert!((1..=500).contains(&entries.len()));
        let (mut audit, mut stored) = (self.audit.lock().unwrap(), 0);
        for entry in entries {
            let members: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, ENTRY);
            if audit.iter().all(|known| known["id"] != entry["id"]) {
                let mut entry = entry.clone();
                if entry["call_id"].as_str().is_some_and(|id| self.done.lock().unwrap().contains_key(id)) {
                    entry["status"] = json!("success");
                }
                audit.push(entry);
                self.chain.lock().unwrap().add();
                stored += 1;
            }
        }
        let state = self.chain.lock().unwrap().state(request);
        json!({"stored": stored, "pending": [], "chain": state}).into()
    }

    fn check_audit(&self, request: &Value) -> Reply {
        let mut chain = self.chain.lock().unwrap();
        for alarm in request["alarms"].as_array().unwrap() {
            let id = alarm["id"].as_str().unwrap().to_owned();
            chain.alarms.entry(id).or_insert_with(|| alarm.clone());
        }
        let newest = chain.hashes.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let mut missing = (chain.start + 1..=newest).filter(|sequence| !chain.hashes.contains_key(sequence));
        let gap = missing.next().map(|first| json!({"sequence": first, "missing": 1 + missing.count()}));
        let known = |id: &&String| chain.acknowledged.contains(*id);
        let acknowledged: Vec<_> = chain
            .alarms
            .keys()
            .filter(known)
            .map(|id| json!({"id": id, "by": "Admin", "note": "seen"}))
            .collect();
        json!({
            "chain": chain.state(request), "gap": gap, "window": {"changed": null, "next": 0},
            "acknowledged": acknowledged,
        })
        .into()
    }

    fn execute(&self, request: &Value) -> Reply {
        let id = request["call_id"].as_str().unwrap().to_owned();
        if let Some(answer) = self.done.lock().unwrap().get(&id) {
            let mut answer = answer.clone();
            answer["replayed"] = json!(true);
            return answer.into();
        }
        let results: Vec<Value> = request["steps"].as_array().unwrap().iter().map(result_of).collect();
        let answer = json!({"call_id": id, "results": results, "replayed": false});
        if request["mode"] != "read" {
            self.done.lock().unwrap().insert(id, answer.clone());
        }
        answer.into()
    }

    fn execute_batch(&self, request: &Value) -> Reply {
        let calls = request["calls"].as_array().unwrap();
        let answers: Vec<Value> = calls.iter().map(|call| item(call, self.execute(call))).collect();
        json!({"answers": answers}).into()
    }
}

/// What a batch says of one of its calls.
fn item(call: &Value, reply: Reply) -> Value {
    match reply {
        Reply::Answer(answer) => answer,
        Reply::Fault(fault) => json!({"call_id": call["call_id"], "error": fault}),
        other => panic!("no answer to a call of a batch: {other:?}"),
    }
}

/// The members of an entry, in the order of the contract's samples.
const ENTRY: [&str; 19] = [
    "id",
    "time",
    "method",
    "tool",
    "model",
    "res_ids",
    "connection",
    "user",
    "session",
    "client",
    "ip",
    "status",
    "reason",
    "error",
    "duration_ms",
    "count",
    "call_id",
    "request",
    "response",
];

/// A plausible result of a step.
fn result_of(step: &Value) -> Value {
    let record = json!({"id": 14, "name": "Azure Interior", "display_name": "Azure Interior"});
    match step["op"].as_str().unwrap() {
        "search_count" => json!({"count": 61}),
        "read_group" => json!({"groups": [], "has_more": false}),
        "unlink" => json!({"deleted": step["ids"]}),
        "call" => json!({"result": true}),
        "session" => json!({
            "user": {"id": 2, "login": "admin", "name": "Mitchell Admin"}, "company": {"id": 1, "name": "YourCompany"},
            "companies": [{"id": 1, "name": "YourCompany"}], "languages": ["en_US"], "tz": "UTC",
            "now": "2026-11-22T13:30:00Z", "today": "2026-11-22", "odoo_version": "19.0", "scope": "full",
            "connection": {"id": 3, "name": "Connection 3"},
        }),
        "create" => json!({"records": [{"id": 77, "display_name": "New"}]}),
        "write" => json!({"records": [{"id": step["ids"][0], "display_name": "Changed"}]}),
        "read" => json!({"records": [record], "missing": [], "skipped_fields": []}),
        "traverse" => json!({
            "model": step["model"], "trail": [], "records": [record], "has_more": false, "skipped_fields": [],
        }),
        _ if step["total"] == true => {
            json!({"records": [record], "has_more": false, "skipped_fields": [], "total": 1})
        }
        _ => json!({"records": [record], "has_more": false, "skipped_fields": []}),
    }
}

fn schema(request: &Value) -> Reply {
    let Some(models) = request["models"].as_array() else {
        return json!({"models": [
            {"model": "res.partner", "label": "Contact", "transient": false,
             "access": ["read", "create", "write", "unlink"]},
            {"model": "res.country", "label": "Country", "transient": false, "access": ["read"]},
        ]})
        .into();
    };
    let mut fields = serde_json::Map::new();
    for model in models {
        let known = match model.as_str().unwrap() {
            "res.partner" => json!([
                {"name": "name", "type": "char", "label": "Name", "required": true},
                {"name": "country_id", "type": "many2one", "label": "Country", "relation": "res.country"},
                {"name": "active", "type": "boolean", "label": "Active"},
            ]),
            "res.country" => {
                json!([{"name": "name", "type": "char", "label": "Country Name", "required": true}])
            }
            _ => return Reply::fault("unknown_model", json!({"model": model})),
        };
        fields.insert(model.as_str().unwrap().to_owned(), known);
    }
    json!({"fields": fields}).into()
}
