//! Client ID Metadata Documents: fetched under guards, cached, served while their host is away (O12).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use odoo_mcp_sidecar::config::oauth::ClientDocumentMode;
use odoo_mcp_sidecar::oauth::fetch_guard::{FetchError, Fetcher};
use odoo_mcp_sidecar::oauth::{Budgets, ClientDocuments, DocumentError};
use odoo_mcp_sidecar::vocab::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::https::{Https, Page};
use crate::support::server::{Answer, Server};

const HOST: &str = "client.example";
const URL: &str = "https://client.example/oauth/client.json";

fn peer() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

fn document() -> Value {
    json!({
        "client_id": URL, "client_name": "Example Client", "client_uri": "https://client.example",
        "redirect_uris": ["https://client.example/cb", "http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    })
}

struct Scene {
    https: Https,
    documents: Arc<ClientDocuments>,
    clock: Clock,
}

impl Scene {
    async fn new() -> Self {
        Self::with(ClientDocumentMode::On, Https::fetcher).await
    }

    async fn with(mode: ClientDocumentMode, fetcher: impl FnOnce(&Https) -> Fetcher) -> Self {
        let https = Https::start(&[HOST, "odoo.example.com"]).await;
        https.answer(Page::json(&document()));
        let clock = Clock::manual_at(1_795_440_600_250);
        let fetcher = Arc::new(fetcher(&https));
        let documents = ClientDocuments::new(mode, fetcher, Arc::new(Budgets::new()), clock.clone());
        Self { https, documents: Arc::new(documents), clock }
    }

    /// The name of the client, or why there is none.
    async fn name(&self) -> Result<String, DocumentError> {
        self.documents.get(URL, peer()).await.map(|client| client.name)
    }

    async fn fetch_error(&self) -> FetchError {
        // Past the negative cache, and each time from another address: the budget is not what is tested.
        self.clock.advance(Duration::from_secs(31));
        let number = self.https.look_ups() as u8;
        match self.documents.get(URL, IpAddr::from([198, 51, 100, number])).await {
            Err(DocumentError::Fetch(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_document_is_fetched_without_credentials_and_kept() {
    let scene = Scene::new().await;
    let client = scene.documents.get(URL, peer()).await.unwrap();
    assert_eq!((client.name.as_str(), client.expires_in), ("Example Client", 3600));
    assert_eq!(client.redirect_uris, ["https://client.example/cb", "http://127.0.0.1/cb"]);
    let request = scene.https.requests()[0].to_ascii_lowercase();
    assert!(
        request.starts_with("get /oauth/client.json http/1.1")
            && request.contains("host: client.example\r\n")
    );
    for name in ["cookie", "authorization", "referer", "accept-encoding"] {
        assert!(!request.contains(&format!("{name}:")), "{request}");
    }
    scene.clock.advance(Duration::from_secs(3599));
    assert!(scene.name().await.is_ok());
    assert_eq!(scene.https.hits(), 1);
    scene.clock.advance(Duration::from_secs(2));
    assert!(scene.name().await.is_ok());
    assert_eq!(scene.https.hits(), 2);
}

#[tokio::test]
async fn its_headers_say_how_long_within_bounds() {
    for (header, seconds) in [
        ("max-age=600", 600),
        ("max-age=1", 300),
        ("no-store", 300),
        ("no-cache, max-age=600", 300),
        ("max-age=31536000", 24 * 3600),
        ("public", 3600),
    ] {
        let scene = Scene::new().await;
        let head =
            format!("200 OK\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: {header}");
        scene.https.answer(Page::new(&head, document().to_string()));
        assert_eq!(scene.documents.get(URL, peer()).await.unwrap().expires_in, seconds, "{header}");
    }
}

#[tokio::test]
async fn o12_a_warm_copy_serves_for_a_day_while_the_host_is_away() {
    let scene = Scene::new().await;
    scene.name().await.unwrap();
    scene.clock.advance(Duration::from_secs(3601));
    for away in [Page::new("503 Service Unavailable", ""), Page::new("429 Too Many Requests", "")] {
        scene.https.answer(away);
        scene.clock.advance(Duration::from_secs(31));
        assert_eq!(scene.name().await.unwrap(), "Example Client");
    }
    scene.https.resolve(|_| Err(io::Error::other("no such name")));
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(scene.name().await.unwrap(), "Example Client");
    scene.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(scene.fetch_error().await, FetchError::Unresolved);
}

#[tokio::test]
async fn a_copy_of_a_document_that_was_withdrawn_or_changed_is_worth_nothing() {
    let mut other = document();
    other["client_id"] = json!("https://evil.example/x");
    for (page, is_invalid) in [(Page::new("404 Not Found", ""), false), (Page::json(&other), true)] {
        let scene = Scene::new().await;
        scene.name().await.unwrap();
        scene.https.answer(page);
        scene.clock.advance(Duration::from_secs(3601));
        let error = scene.name().await.unwrap_err();
        assert_eq!(matches!(error, DocumentError::Invalid(_)), is_invalid, "{error:?}");
        // Nor does an outage bring it back.
        scene.https.answer(Page::new("503 Service Unavailable", ""));
        assert_eq!(scene.fetch_error().await, FetchError::Status(503));
    }
}

#[tokio::test]
async fn many_callers_cause_one_fetch_and_a_failure_counts_for_a_while() {
    let scene = Scene::new().await;
    let slow = Page { delay: Duration::from_millis(200), ..Page::json(&document()) };
    scene.https.answer(slow);
    let all = (0..20).map(|_| scene.documents.get(URL, peer()));
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(scene.https.hits(), 1);

    let scene = Scene::new().await;
    scene.https.answer(Page::new("500 Oops", ""));
    for _ in 0..5 {
        assert!(scene.name().await.is_err());
    }
    assert_eq!(scene.https.hits(), 1);
    scene.https.answer(Page::json(&document()));
    scene.clock.advance(Duration::from_secs(31));
    assert!(scene.name().await.is_ok());
}

#[tokio::test]
async fn what_is_no_small_json_document_of_the_host_is_refused() {
    let scene = Scene::new().await;
    let json = "200 OK\r\nContent-Type: application/json";
    let (small, large) = ("x".repeat(5120), "x".repeat(5121));
    for (page, expected) in [
        (Page::new("200 OK\r\nContent-Type: text/html", "{}"), FetchError::MediaType),
        (Page::new("200 OK", "{}"), FetchError::MediaType),
        (Page::new(&format!("{json}\r\nContent-Encoding: gzip"), "{}"), FetchError::MediaType),
        (Page::new(json, large), FetchError::TooLarge),
        (Page::new("302 Found\r\nLocation: https://client.example/other", ""), FetchError::Redirected),
        (Page::new("307 Moved\r\nLocation: http://127.0.0.1:1/", ""), FetchError::Redirected),
        (Page::new("401 Unauthorized", ""), FetchError::Status(401)),
        (Page::new("204 No Content", ""), FetchError::Status(204)),
    ] {
        scene.https.answer(page.clone());
        let hits = scene.https.hits();
        assert_eq!(scene.fetch_error().await, expected, "{page:?}");
        assert_eq!(scene.https.hits(), hits + 1, "followed something: {page:?}");
    }
    let scene = Scene::new().await;
    for body in [small.as_str(), "{", "[]", "null"] {
        scene.https.answer(Page::new(json, body));
        scene.clock.advance(Duration::from_secs(31));
        assert!(matches!(scene.name().await, Err(DocumentError::Invalid(_))), "{}", body.len());
    }
    let mut padded = document();
    padded["x"] = json!("y".repeat(5120 - document().to_string().len() - 7));
    assert_eq!(padded.to_string().len(), 5120);
    scene.https.answer(Page::json(&padded));
    scene.clock.advance(Duration::from_secs(31));
    assert!(scene.name().await.is_ok());
}

#[tokio::test]
async fn a_slow_host_is_given_three_seconds() {
    let scene = Scene::new().await;
    scene.https.answer(Page { delay: Duration::from_secs(30), ..Page::json(&document()) });
    let begun = std::time::Instant::now();
    assert_eq!(scene.fetch_error().await, FetchError::TimedOut);
    assert!(begun.elapsed() >= Duration::from_secs(3) && begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn no_address_of_this_network_is_connected_to() {
    let scene = Scene::with(ClientDocumentMode::On, Https::guarded_fetcher).await;
    let port = scene.https.address.port();
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        scene.https.resolve(move |_| Ok(vec![address]));
        assert_eq!(scene.fetch_error().await, FetchError::PrivateAddress, "{address}");
    }
    assert_eq!(scene.https.hits(), 0);
}

/// DNS rebinding: a name that leads to an allowed address when it is looked at, and to this network afterwards. In the
/// place of a public address stands 127.0.0.2, where nothing listens.
#[tokio::test]
async fn a_name_is_resolved_once_and_the_checked_address_is_the_one_that_is_connected_to() {
    let scene = Scene::with(ClientDocumentMode::On, |https| {
        https.fetcher_with(|address| address == IpAddr::from([127, 0, 0, 2]))
    })
    .await;
    let private = scene.https.address;
    let allowed = SocketAddr::from(([127, 0, 0, 2], private.port()));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    scene.https.resolve(move |_| {
        Ok(vec![if counter.fetch_add(1, Ordering::SeqCst) == 0 { allowed } else { private }])
    });
    assert_eq!(scene.fetch_error().await, FetchError::Unreachable);
    assert_eq!((asked.load(Ordering::SeqCst), scene.https.hits()), (1, 0));
    assert_eq!(scene.fetch_error().await, FetchError::PrivateAddress);
    // Of several addresses only the allowed ones are tried.
    scene.https.resolve(move |_| Ok(vec![private, allowed, private]));
    assert_eq!(scene.fetch_error().await, FetchError::Unreachable);
    assert_eq!(scene.https.hits(), 0);
    // The control: the same server, once its address is allowed.
    let scene = Scene::new().await;
    assert!(scene.name().await.is_ok());
}

#[tokio::test]
async fn a_host_must_have_a_certificate_for_its_name() {
    let scene = Scene::new().await;
    let other = "https://other.example/client.json";
    let answer = scene.documents.get(other, peer()).await;
    assert_eq!(answer.unwrap_err(), DocumentError::Fetch(FetchError::Unreachable));
    assert_eq!(scene.https.hits(), 0);
}

#[tokio::test]
async fn one_address_cannot_make_this_server_fetch_without_end() {
    let scene = Scene::new().await;
    let mut busy = 0;
    for number in 0..30 {
        let url = format!("https://client.example/{number}");
        match scene.documents.get(&url, peer()).await {
            Err(DocumentError::Busy { retry_after }) => {
                assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(6));
                busy += 1;
            }
            other => assert!(matches!(other, Err(DocumentError::Invalid(_))), "{other:?}"),
        }
    }
    assert!((15..=20).contains(&busy), "{busy}");
    assert_eq!(scene.https.hits() + busy, 30);
    assert!(scene.documents.get(URL, "203.0.113.10".parse().unwrap()).await.is_ok());
}

#[tokio::test]
async fn off_fetches_nothing_and_on_promises_it() {
    let scene = Scene::with(ClientDocumentMode::Off, Https::fetcher).await;
    assert!(!scene.documents.is_advertised());
    assert_eq!(scene.name().await.unwrap_err(), DocumentError::Off);
    assert_eq!(scene.https.look_ups(), 0);
    assert!(Scene::new().await.documents.is_advertised());
}

/// O12: clients that see it advertised do not fall back to registration.
#[tokio::test]
async fn auto_promises_it_only_while_fetching_is_known_to_work() {
    let scene = Scene::with(ClientDocumentMode::Auto, Https::fetcher).await;
    assert!(!scene.documents.is_advertised());
    scene.https.resolve(|_| Err(io::Error::other("no network")));
    assert!(scene.name().await.is_err());
    assert!(!scene.documents.is_advertised());
    let (address, cancel) = (scene.https.address, CancellationToken::new());
    scene.https.resolve(move |_| Ok(vec![address]));
    let own = "https://odoo.example.com/.well-known/oauth-protected-resource".to_owned();
    let probe = tokio::spawn(Arc::clone(&scene.documents).run_probe(own, cancel.clone()));
    crate::support::server::until("the probe", || async { scene.documents.is_advertised() }).await;
    cancel.cancel();
    probe.await.unwrap();
    assert!(scene.https.requests()[0].starts_with("GET /.well-known/oauth-protected-resource "));
    scene.clock.advance(Duration::from_secs(2 * 3600));
    assert!(!scene.documents.is_advertised());
    assert!(scene.name().await.is_ok());
    assert!(scene.documents.is_advertised());
}

/// The authorization endpoint, end to end.
async fn authorize(server: &Server, client_id: &str, redirect_uri: &str) -> Answer {
    let url = server.url().replace("/odoo/mcp", "/oauth/authorize");
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let query = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.replace('%', "%25").replace('&', "%26").replace('#', "%23"))
        })
        .collect();
    Answer::of(http.get(format!("{url}?{}", query.join("&"))).send().await.unwrap()).await
}

#[tokio::test]
async fn o12_a_login_by_document_begins_and_a_failed_fetch_says_so_on_a_page() {
    let https = Https::start(&[HOST]).await;
    https.answer(Page::json(&document()));
    let server = Server::fetching(https.fetcher(), |_| {}).await;
    server.odoo.on("oauth_begin", |_| json!({"expires_in": 600}));
    let answer = authorize(&server, URL, "http://127.0.0.1:4711/cb").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.header("location").contains("/mcp_sidecar/consent?request="));
    let begun = server.odoo.requests("oauth_begin").pop().unwrap();
    assert_eq!((&begun["client_id"], &begun["document"]["name"]), (&json!(URL), &json!("Example Client")));
    assert_eq!(begun["redirect_uri"], "http://127.0.0.1:4711/cb");
    assert_eq!(server.odoo.count("oauth_client"), 0);
    let metadata = server.url().replace("/odoo/mcp", "/.well-known/oauth-authorization-server");
    let metadata = Answer::of(server.http.get(metadata).send().await.unwrap()).await.json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);

    https.answer(Page::new("500 Oops", ""));
    for (client_id, sentence) in [
        ("https://client.example/other.json", "could not be fetched"),
        ("https://127.0.0.1/client.json", "cannot be fetched"),
        ("https://client.example:8443/client.json", "cannot be fetched"),
    ] {
        let answer = authorize(&server, client_id, "https://client.example/cb").await;
        assert!(answer.status >= 400 && answer.header("location").is_empty(), "{answer:?}");
        assert!(
            answer.header("content-type").starts_with("text/html") && answer.text.contains(sentence),
            "{answer:?}"
        );
    }
}
