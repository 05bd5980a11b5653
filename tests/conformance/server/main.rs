//! The server that the official conformance suite tests.
//!
//! Accept loop, pipeline, authentication, sessions, dispatch and tools are the product's own, wired by its
//! own `App`; only the suite's fixtures are put round its handler. Odoo is a fake one. Prints the URL for the
//! suite once everything serves, and serves until a signal.
#![allow(clippy::print_stdout, reason = "the URL on standard output is how tests/conformance/run learns it")]
#![allow(clippy::indexing_slicing, reason = "of JSON values, where it cannot panic")]
#![allow(
    unreachable_pub,
    reason = "nothing outside can name an item of a program, so `pub` says shared with its other modules"
)]
#![allow(
    deprecated,
    reason = "the suite still tests sampling, logging and subscriptions of the handshake era"
)]

mod fixtures;
mod handler;
mod odoo;
mod proxy;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use odoo_mcp_sidecar::app::App;
use odoo_mcp_sidecar::config::{Config, Server};
use odoo_mcp_sidecar::telemetry;
use odoo_mcp_sidecar::web::MCP_PATH;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use fixtures::Shared;
use handler::FixtureHandler;

/// Any free port of this machine.
const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let odoo = odoo::start().await;
    let data = tempfile::tempdir()?;
    // The proxy's address is the public one, as that of any reverse proxy would be.
    let public = TcpListener::bind(LOCAL).await?;
    let origin = format!("http://{}", public.local_addr()?);
    let server = Server {
        listen: LOCAL,
        admin_listen: LOCAL,
        public_url: origin.clone(),
        data_dir: data.path().to_owned(),
        ..Server::default()
    };
    let config = Config { server, odoo: odoo::config(&odoo), ..Config::default() };
    telemetry::init(&config.log);
    let shared = Arc::new(Shared::new()?);
    let running = App::build_with(config, |product| FixtureHandler::new(product, shared))?.start().await?;

    ready(running.admin_addr()).await?;
    let authorization = HeaderValue::try_from(format!("Bearer {}", odoo::API_KEY))?;
    tokio::spawn(proxy::serve(public, running.public_addr(), authorization));
    println!("{origin}{MCP_PATH}");
    signal(SignalKind::terminate())?.recv().await;
    running.stop().await;
    Ok(())
}

/// Comes back once Odoo has told the sidecar its settings.
async fn ready(admin: SocketAddr) -> reqwest::Result<()> {
    while !reqwest::get(format!("http://{admin}/readyz")).await?.status().is_success() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
