//! The server that the official conformance suite tests: the product's dispatch code with the suite's fixtures.
#![allow(
    clippy::print_stdout,
    reason = "the address on standard output is how tests/conformance/run learns it"
)]
#![allow(
    deprecated,
    reason = "the suite still tests sampling, logging and subscriptions of the handshake era"
)]

mod fixtures;
mod handler;
mod proxy;

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use rmcp::ServerHandler;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

struct Plain;
impl ServerHandler for Plain {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shared = Arc::new(fixtures::Shared::new()?);
    let service = StreamableHttpService::new(
        move || Ok(handler::FixtureHandler::new(Plain, shared.clone())),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_allowed_hosts(["127.0.0.1", "localhost"]),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target: SocketAddr = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let _ = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new())
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let public = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/odoo/mcp", public.local_addr()?);
    proxy::serve(public, target, HeaderValue::from_static("Bearer x")).await;
    Ok(())
}
