//! A reverse proxy that adds the API key: the suite cannot send one.
//!
//! Everything else passes unchanged, Host and Origin too, so that the server's own checks are tested. Each
//! request has a connection of its own: when the client leaves, it is dropped, and the server sees it leave.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, target: SocketAddr, authorization: HeaderValue) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let authorization = authorization.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, target, authorization.clone()));
            // A client that breaks off is no fault of the proxy.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    mut request: Request<Incoming>,
    target: SocketAddr,
    authorization: HeaderValue,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Infallible> {
    request.headers_mut().insert(AUTHORIZATION, authorization);
    Ok(forward(request, target).await.unwrap_or_else(|fault| {
        let text = Full::new(Bytes::from(format!("The server does not answer: {fault}")));
        let mut response = Response::new(text.map_err(|never| match never {}).boxed());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    }))
}

async fn forward(
    request: Request<Incoming>,
    target: SocketAddr,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Fault> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    Ok(response.map(BodyExt::boxed))
}
