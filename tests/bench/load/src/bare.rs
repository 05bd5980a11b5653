//! The least that warp can do: read a body, answer a constant. What a server adds is measured against this.

use anyhow::Result;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use warp::Filter;
use warp::http::StatusCode;

/// Serve `GET` and `POST /list` (200, that many bytes) and `POST /refuse` (401) until stdin ends.
pub async fn serve(bytes: usize) -> Result<()> {
    let text = bytes::Bytes::from(format!("{{\"filler\":\"{}\"}}", "x".repeat(bytes.saturating_sub(13))));
    let refusal =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1003,"message":"no such credential","data":{}}}"#;
    let list = warp::path!("list").and(warp::get().or(warp::post()).unify()).and(warp::body::bytes()).map(move |_body| {
        warp::reply::with_header(
            warp::reply::Response::new(text.clone().into()),
            "content-type",
            "application/json",
        )
    });
    let refuse = warp::path!("refuse").and(warp::post()).and(warp::body::bytes()).map(move |_body| {
        let reply = warp::reply::with_status(refusal, StatusCode::UNAUTHORIZED);
        let reply = warp::reply::with_header(reply, "content-type", "application/json");
        warp::reply::with_header(reply, "www-authenticate", "Bearer error=\"invalid_token\"")
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{{\"port\":{}}}", listener.local_addr()?.port());
    let ended = async {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    };
    tokio::select! {
        () = warp::serve(list.or(refuse)).incoming(listener).run() => {}
        () = ended => {}
    }
    // Reading stdin holds a thread that nothing can wake.
    std::process::exit(0)
}
