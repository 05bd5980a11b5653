//! An https server on a loopback address, with a certificate of its own for any name, and a resolver that leads to it.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use odoo_mcp_sidecar::oauth::fetch_guard::{Fetcher, HostResolver, is_public};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An answer, to the letter.
#[derive(Debug, Clone)]
pub struct Page {
    pub head: String,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Page {
    pub fn new(head: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { head: head.to_owned(), body: body.into(), delay: Duration::ZERO }
    }

    /// A JSON document.
    pub fn json(document: &serde_json::Value) -> Self {
        Self::new("200 OK\r\nContent-Type: application/json", document.to_string())
    }
}

type Names = Box<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

struct Shared {
    page: Mutex<Page>,
    requests: Mutex<Vec<String>>,
    look_ups: AtomicUsize,
    names: Mutex<Names>,
}

/// The server; names lead to it until `resolve` says otherwise.
pub struct Https {
    shared: Arc<Shared>,
    pub address: SocketAddr,
    root: Vec<u8>,
    task: tokio::task::AbortHandle,
}

impl Drop for Https {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct TestResolver(Arc<Shared>);

impl HostResolver for TestResolver {
    fn resolve(&self, host: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.0.look_ups.fetch_add(1, Ordering::SeqCst);
        let resolved = (self.0.names.lock().unwrap())(&host);
        Box::pin(async move { resolved })
    }
}

impl Https {
    /// Serves these names.
    pub async fn start(names: &[&str]) -> Self {
        let issuer_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, issuer_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            page: Mutex::new(Page::new("404 Not Found", "")),
            requests: Mutex::default(),
            look_ups: AtomicUsize::new(0),
            names: Mutex::new(Box::new(move |_| Ok(vec![address]))),
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), socket, Arc::clone(&served)));
            }
        });
        Self { shared, address, root: issuer.der().to_vec(), task: task.abort_handle() }
    }

    /// What it answers from now on.
    pub fn answer(&self, page: Page) {
        *self.shared.page.lock().unwrap() = page;
    }

    /// What names lead to from now on. A port of 0 becomes 443.
    pub fn resolve(&self, names: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) {
        *self.shared.names.lock().unwrap() = Box::new(names);
    }

    /// The heads of requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn hits(&self) -> usize {
        self.requests().len()
    }

    pub fn look_ups(&self) -> usize {
        self.shared.look_ups.load(Ordering::SeqCst)
    }

    /// A fetcher that trusts this server, and connects to it although its address is a loopback one.
    pub fn fetcher(&self) -> Fetcher {
        fn is_allowed(address: IpAddr) -> bool {
            address == IpAddr::from([127, 0, 0, 1]) || is_public(address)
        }
        self.fetcher_with(is_allowed)
    }

    /// A fetcher with the rule of addresses that the product has.
    pub fn guarded_fetcher(&self) -> Fetcher {
        self.fetcher_with(is_public)
    }

    /// A fetcher with this rule of addresses.
    pub fn fetcher_with(&self, is_allowed: fn(IpAddr) -> bool) -> Fetcher {
        let root = reqwest::Certificate::from_der(&self.root).unwrap();
        Fetcher::with(Arc::new(TestResolver(Arc::clone(&self.shared))), is_allowed, vec![root])
    }
}

async fn serve(acceptor: TlsAcceptor, socket: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let mut stream = acceptor.accept(socket).await.ok()?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&chunk[..read]);
    }
    shared.requests.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
    let Page { head, body, delay } = shared.page.lock().unwrap().clone();
    tokio::time::sleep(delay).await;
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()?;
    stream.shutdown().await.ok()
}
