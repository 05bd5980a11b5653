//! Client ID Metadata Documents: a client whose id is the https URL of a document that describes it.
//!
//! One fetch at a time for each URL (single flight), a cache by the document's own headers within bounds, a negative
//! cache, and a budget: any caller of the authorization endpoint makes this server fetch. While the host of a document
//! is away, the copy of before counts for a day.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::budgets::{Budget, Budgets};
use super::client_text;
use super::fetch_guard::{FetchError, Fetcher};
use super::redirect_uri::RedirectUri;
use super::store::DocumentClient;
use crate::config::oauth::ClientDocumentMode;
use crate::vocab::{Clock, Host, Url};

/// The longest client id that is a URL, in bytes.
const MAX_URL_BYTES: usize = 2000;

/// Bounds of how long a copy is fresh, and how long it is without headers that say so.
const MIN_FRESH: Duration = Duration::from_secs(5 * 60);
const MAX_FRESH: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_FRESH: Duration = Duration::from_secs(3600);

/// How long a copy that is no longer fresh counts while the host is away.
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);

/// How long a failure counts before another fetch.
const NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// Documents that are kept, failures included.
const MAX_DOCUMENTS: u64 = 1000;

/// Redirect URIs of one document that are looked at; 5 kB hold hardly more.
const MAX_REDIRECT_URIS: usize = 100;

/// How long one successful fetch shows that this network allows fetching, and how often it is tried.
const PROOF_TTL: Duration = Duration::from_secs(2 * 3600);
const PROBE_INTERVAL: Duration = Duration::from_secs(30 * 60);
const FIRST_PROBES_INTERVAL: Duration = Duration::from_secs(60);

/// Why a client's document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error(
        "this server fetches no metadata documents of clients (oauth.client_documents is off); use a client that \
         registers itself, or ask an administrator for a client id"
    )]
    Off,
    #[error("the client id is a URL that cannot be fetched: {0}")]
    InvalidUrl(&'static str),
    #[error("the metadata document of the client could not be fetched: {0}")]
    Fetch(FetchError),
    #[error("the metadata document of the client is not valid: {0}")]
    Invalid(String),
    #[error("too many metadata documents of clients are fetched at the moment")]
    Busy { retry_after: Duration },
}

/// The documents of clients.
#[derive(Debug)]
pub struct ClientDocuments {
    mode: ClientDocumentMode,
    fetcher: Arc<Fetcher>,
    budgets: Arc<Budgets>,
    clock: Clock,
    entries: Cache<String, Arc<Mutex<Entry>>>,
    /// When a fetch last showed that fetching works; 0: never.
    proven_ms: AtomicU64,
}

/// What is known of one URL.
#[derive(Debug, Default)]
struct Entry {
    copy: Option<CachedDocument>,
    /// A failure, and until when it counts.
    failure: Option<(DocumentError, u64)>,
}

#[derive(Debug)]
struct CachedDocument {
    client: DocumentClient,
    fresh_until_ms: u64,
}

// === impl DocumentError ===

impl DocumentError {
    /// Whether the document may still be what it was: it was not seen.
    fn is_away(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_outage(),
            Self::Busy { .. } => true,
            Self::Off | Self::InvalidUrl(_) | Self::Invalid(_) => false,
        }
    }
}

// === impl ClientDocuments ===

impl ClientDocuments {
    pub fn new(mode: ClientDocumentMode, fetcher: Arc<Fetcher>, budgets: Arc<Budgets>, clock: Clock) -> Self {
        let entries =
            Cache::builder().max_capacity(MAX_DOCUMENTS).time_to_idle(MAX_FRESH + MAX_STALE).build();
        Self { mode, fetcher, budgets, clock, entries, proven_ms: AtomicU64::new(0) }
    }

    /// Whether a client id claims to be the address of a document.
    pub fn is_url(client_id: &str) -> bool {
        client_id.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// Whether clients may rely on it: clients that see it advertised do not fall back to registration (O12).
    pub fn is_advertised(&self) -> bool {
        match self.mode {
            ClientDocumentMode::On => true,
            ClientDocumentMode::Off => false,
            ClientDocumentMode::Auto => {
                let proven = self.proven_ms.load(Ordering::Acquire);
                proven > 0 && self.clock.age_ms().saturating_sub(proven) < millis(PROOF_TTL)
            }
        }
    }

    /// The client that the document at this URL describes.
    pub async fn get(&self, url: &str, peer: IpAddr) -> Result<DocumentClient, DocumentError> {
        if self.mode == ClientDocumentMode::Off {
            return Err(DocumentError::Off);
        }
        check_url(url).map_err(DocumentError::InvalidUrl)?;
        let entry = self.entries.get_with_by_ref(url, async { Arc::default() }).await;
        // Held over the fetch: others that want the same document wait for this one.
        let mut entry = entry.lock().await;
        let now = self.clock.age_ms();
        if let Some(copy) = entry.copy.as_ref().filter(|copy| copy.fresh_until_ms > now) {
            return Ok(copy.remaining(now));
        }
        if let Some((error, until)) = &entry.failure
            && *until > now
        {
            return entry.stale(error, now).ok_or_else(|| error.clone());
        }
        if let Err(retry_after) = self.budgets.try_acquire(Budget::Documents, peer) {
            let error = DocumentError::Busy { retry_after };
            return entry.stale(&error, now).ok_or(error);
        }
        let fetched = self.fetch(url).await;
        let now = self.clock.age_ms();
        match fetched {
            Ok((client, fresh)) => {
                let copy = CachedDocument { client, fresh_until_ms: now + millis(fresh) };
                let client = copy.remaining(now);
                *entry = Entry { copy: Some(copy), failure: None };
                Ok(client)
            }
            Err(error) => {
                tracing::info!(%error, "a metadata document of a client cannot be used");
                if !error.is_away() {
                    // Moved or withdrawn: what it said before counts no more.
                    entry.copy = None;
                }
                entry.failure = Some((error.clone(), now + millis(NEGATIVE_TTL)));
                entry.stale(&error, now).ok_or(error)
            }
        }
    }

    async fn fetch(&self, url: &str) -> Result<(DocumentClient, Duration), DocumentError> {
        let fetched = self.fetcher.fetch(url).await;
        self.note(fetched.as_ref().err().copied());
        let fetched = fetched.map_err(DocumentError::Fetch)?;
        let client = read(url, &fetched.body).map_err(DocumentError::Invalid)?;
        Ok((client, fetched.max_age.unwrap_or(DEFAULT_FRESH).clamp(MIN_FRESH, MAX_FRESH)))
    }

    /// Any answer of a server beyond this network shows that fetching works.
    fn note(&self, error: Option<FetchError>) {
        if !error.is_some_and(FetchError::is_no_answer) {
            self.proven_ms.store(self.clock.age_ms(), Ordering::Release);
        }
    }

    /// Tries now and then, until `cancel`, whether documents can be fetched: by fetching one of our own through the
    /// public URL, under the same guards. No foreign host is asked. It shows that names resolve and that https leaves
    /// this machine; where the public URL leads to a private address it shows nothing, and `on` is for such networks.
    pub async fn run_probe(self: Arc<Self>, own_document: String, cancel: CancellationToken) {
        if self.mode != ClientDocumentMode::Auto || check_url(&own_document).is_err() {
            return cancel.cancelled().await;
        }
        // The listener serves at once, but the proxy in front may need a moment.
        let mut early = 3;
        loop {
            let fetched = self.fetcher.fetch(&own_document).await;
            self.note(fetched.err());
            let pause = if early > 0 { FIRST_PROBES_INTERVAL } else { PROBE_INTERVAL };
            early -= i32::from(early > 0);
            if cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The copy of before, where the host is away and it is not too old.
    fn stale(&self, error: &DocumentError, now: u64) -> Option<DocumentClient> {
        let copy = self.copy.as_ref().filter(|_| error.is_away())?;
        (copy.fresh_until_ms + millis(MAX_STALE) > now).then(|| copy.remaining(now))
    }
}

impl CachedDocument {
    fn remaining(&self, now: u64) -> DocumentClient {
        DocumentClient { expires_in: self.fresh_until_ms.saturating_sub(now) / 1000, ..self.client.clone() }
    }
}

/// The rules for a client id that is a URL.
fn check_url(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_URL_BYTES {
        return Err("it has more than 2000 characters");
    }
    if !text.starts_with("https://") {
        return Err("it must begin with https://, in lower case");
    }
    // The policy of redirect URIs: characters, fragment, user, dot segments, a host that reads in one way only.
    RedirectUri::parse(text).map_err(|_| {
        "it must be a plain https URL, without a user, a fragment, dot segments or characters that need encoding"
    })?;
    let url = Url::parse(text).ok_or("its host is malformed")?;
    match url.authority.host {
        Host::Address(_) => return Err("its host must be a name, not an address"),
        Host::Name(name) if !name.contains('.') => return Err("its host must be a full name"),
        Host::Name(_) => {}
    }
    if url.authority.port.is_some() {
        return Err("only the usual port of https is fetched from, and none must be named");
    }
    let path = url.rest.split('?').next().unwrap_or("");
    if path.len() < 2 { Err("it needs a path") } else { Ok(()) }
}

/// Reads a document: a sentence where it is none.
fn read(url: &str, body: &[u8]) -> Result<DocumentClient, String> {
    let document: Value = serde_json::from_slice(body).map_err(|_| "it is not JSON".to_owned())?;
    let members = document.as_object().ok_or("it is not a JSON object")?;
    if members.get("client_id").and_then(Value::as_str) != Some(url) {
        return Err("its client_id is not its own URL, character for character".to_owned());
    }
    check_no_secret(members)?;
    check_grant(members)?;
    let redirect_uris = redirect_uris(members)?;
    Ok(DocumentClient {
        name: client_text::client_name(members, &redirect_uris),
        client_uri: client_text::client_uri(members).filter(|uri| has_same_host(uri, url)),
        redirect_uris,
        expires_in: 0,
    })
}

/// A document is public, so no secret can be shared through it. What is signed with a key is served as `none`: the
/// key would prove more, but nothing here relies on it.
fn check_no_secret(members: &Map<String, Value>) -> Result<(), String> {
    if ["client_secret", "client_secret_expires_at"].iter().any(|name| members.contains_key(*name)) {
        return Err("it holds a client_secret, and a public document can keep none".to_owned());
    }
    match members.get("token_endpoint_auth_method") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(method)) if !method.starts_with("client_secret") => Ok(()),
        Some(_) => Err("its token_endpoint_auth_method needs a secret; it must be none".to_owned()),
    }
}

fn check_grant(members: &Map<String, Value>) -> Result<(), String> {
    match members.get("grant_types") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(types)) if types.iter().any(|name| name == "authorization_code") => Ok(()),
        Some(_) => Err("its grant_types lack authorization_code".to_owned()),
    }
}

fn redirect_uris(members: &Map<String, Value>) -> Result<Vec<String>, String> {
    let listed =
        members.get("redirect_uris").and_then(Value::as_array).ok_or("it has no list redirect_uris")?;
    let mut accepted: Vec<String> = Vec::new();
    for uri in listed.iter().take(MAX_REDIRECT_URIS).filter_map(Value::as_str) {
        if RedirectUri::parse(uri).is_ok() && !accepted.iter().any(|known| known == uri) {
            accepted.push(uri.to_owned());
        }
    }
    if accepted.is_empty() {
        Err("it has no redirect URI that is accepted here".to_owned())
    } else {
        Ok(accepted)
    }
}

fn has_same_host(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Some(one), Some(other)) if one.authority == other.authority)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";

    #[test]
    fn only_plain_https_urls_are_fetched() {
        for url in [URL, "https://client.example/a?b=c", "https://a.b.example/c/"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "http://client.example/doc",
            "HTTPS://client.example/doc",
            "https://client.example",
            "https://client.example/",
            "https://client.example/?x",
            "https://client.example:443/doc",
            "https://client.example:8443/doc",
            "https://user@client.example/doc",
            "https://user:pw@client.example/doc",
            "https://client.example/doc#x",
            "https://client.example/a/../doc",
            "https://client.example/a/%2e%2e/doc",
            "https://client.example/./doc",
            "https://client.example/a b",
            "https://client.example\\@evil.example/doc",
            "https://127.0.0.1/doc",
            "https://[::1]/doc",
            "https://169.254.169.254/latest/meta-data",
            "https://2130706433/doc",
            "https://0x7f.1/doc",
            "https://localhost/doc",
            "https://odoo/doc",
            "https://client.example./doc",
            "https://cli\u{435}nt.example/doc",
            "https:///doc",
            "file:///etc/passwd",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
        assert!(check_url(&format!("https://client.example/{}", "x".repeat(2000))).is_err());
    }

    fn with(change: impl FnOnce(&mut Map<String, Value>)) -> Result<DocumentClient, String> {
        let mut document = json!({
            "client_id": URL, "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "token_endpoint_auth_method": "none", "client_uri": "https://claude.ai",
        });
        change(document.as_object_mut().unwrap());
        read(URL, document.to_string().as_bytes())
    }

    #[test]
    fn a_document_describes_a_public_client() {
        let client = with(|_| {}).unwrap();
        assert_eq!(
            (client.name.as_str(), client.client_uri.as_deref()),
            ("Claude", Some("https://claude.ai"))
        );
        assert_eq!(client.redirect_uris, ["https://claude.ai/api/mcp/auth_callback"]);
        let client = with(|document| {
            document.insert("token_endpoint_auth_method".into(), json!("private_key_jwt"));
            document.insert("client_uri".into(), json!("https://evil.example"));
            document.insert("logo_uri".into(), json!("https://evil.example/x.png"));
            let uris = json!(["javascript:x", "http://localhost:1/cb", "http://localhost:1/cb", 7]);
            document.insert("redirect_uris".into(), uris);
            document.remove("client_name");
        });
        let client = client.unwrap();
        assert_eq!(client.redirect_uris, ["http://localhost:1/cb"]);
        assert_eq!((client.name.as_str(), client.client_uri), ("localhost:1", None));
    }

    #[test]
    fn a_document_that_is_none_is_refused() {
        for (name, value) in [
            ("client_id", json!("https://claude.ai/oauth/mcp-oauth-client-metadata/")),
            ("client_id", json!("https://CLAUDE.ai/oauth/mcp-oauth-client-metadata")),
            ("client_id", Value::Null),
            ("client_secret", json!("x")),
            ("client_secret_expires_at", json!(0)),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("token_endpoint_auth_method", json!("client_secret_jwt")),
            ("token_endpoint_auth_method", json!(["none"])),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!("https://claude.ai/cb")),
            ("redirect_uris", json!(["https://claude.ai/cb#x", "data:x"])),
            ("grant_types", json!(["client_credentials"])),
        ] {
            let read = with(|document| {
                document.insert(name.into(), value.clone());
            });
            assert!(read.is_err(), "{name} {value}");
        }
        for body in ["", "[]", "null", "<html>", "{\"client_id\":"] {
            assert!(read(URL, body.as_bytes()).is_err(), "{body}");
        }
    }
}
