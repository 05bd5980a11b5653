//! What a call holds, and for how long: a permit in Odoo until its answer is read, the connection's permit and the
//! bytes until the last of them is sent. And who is next.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::server::{Answer, LEGACY, Server, key, modern_body, request, until};

/// More than the buffers of two sockets on one machine hold.
const LONG: usize = 8_000_000;

/// An Odoo that answers small reads with a row, ids above 100 with `LONG` bytes, and methods when the gate opens.
async fn scene(change: impl FnOnce(&mut odoo_mcp_sidecar::config::Config)) -> (Server, Arc<Semaphore>) {
    let server = Server::with(|config| {
        // More than a real answer has: what fits into the buffers of sockets would show nothing.
        config.limits.max_answer_chars = 2 * LONG;
        change(config);
    })
    .await;
    let gate = Arc::new(Semaphore::new(0));
    server.odoo.on_async("execute", {
        let gate = gate.clone();
        move |request| {
            let gate = gate.clone();
            async move {
                let step = &request["steps"][0];
                let result = if step["op"] == "call" {
                    gate.acquire().await.unwrap().forget();
                    json!({"result": true})
                } else if step["ids"][0].as_i64().is_some_and(|id| id > 100) {
                    json!({"records": [{"id": step["ids"][0], "name": "y".repeat(LONG)}]})
                } else {
                    json!({"records": [{"id": 1, "name": "One"}]})
                };
                json!({"call_id": request["call_id"], "results": [result], "replayed": false})
            }
        }
    });
    (server, gate)
}

fn read_of(id: i64) -> Value {
    json!({"name": "get_record", "arguments": {"model": "res.partner", "ids": [id], "fields": ["name"]}})
}

fn method() -> Value {
    json!({"name": "execute_method", "arguments": {"model": "sale.order", "method": "action_confirm", "ids": [1]}})
}

async fn small(server: &Server, number: u32) -> Answer {
    server.ask(server.modern(number, "tools/call", read_of(1))).await
}

fn start(server: &Server, number: u32, params: Value) -> JoinHandle<Answer> {
    let request = server.modern(number, "tools/call", params);
    tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
}

/// How many methods each connection has in Odoo or has had there, by its proof.
fn methods(server: &Server, number: u32) -> usize {
    let proof = odoo_mcp_sidecar::vocab::Proof::of_text(&key(number)).to_hex();
    let of = |call: &&Value| call["proof"] == proof && call["tool"] == "execute_method";
    server.odoo.requests("execute").iter().filter(of).count()
}

/// Asks over a socket with a small buffer and reads nothing but the status.
async fn unread(server: &Server, number: u32, extra: &str, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(128 * 1024).unwrap();
    let mut stream = socket.connect(server.running.public_addr()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{extra}\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        key(number),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    stream
}

async fn unread_modern(server: &Server, number: u32) -> TcpStream {
    let extra = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: get_record\r\n";
    unread(server, number, extra, &modern_body("tools/call", read_of(101))).await
}

async fn rest(mut stream: TcpStream) -> usize {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes.len()
}

fn limit_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 429, "{answer:?}");
    answer.json()["error"]["data"]["limit"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_unread_answer_holds_its_connections_permit_but_none_in_odoo() {
    // One worker, so that one permit too many in Odoo would show.
    let (server, _gate) = scene(|config| {
        config.limits.in_flight_per_connection = 1;
        config.odoo.max_in_flight = 1;
    })
    .await;
    let answer = unread_modern(&server, 1).await;
    assert_eq!(small(&server, 2).await.status, 200);
    assert_eq!(limit_of(&small(&server, 1).await), "in_flight_per_connection");
    assert!(rest(answer).await > LONG, "who reads gets all of it");
    until("the permit is free", || async { small(&server, 1).await.status == 200 }).await;
    // The same where the client leaves instead.
    drop(unread_modern(&server, 1).await);
    until("the permit is free again", || async { small(&server, 1).await.status == 200 }).await;
}

#[tokio::test]
async fn unread_answers_of_every_transport_keep_their_bytes() {
    for transport in ["http/1", "http/2", "events"] {
        // Room for one answer that is being made beside one that is being sent.
        let (server, _gate) = scene(|config| {
            config.limits.memory_per_connection = 5 * LONG;
            config.limits.memory = 10 * LONG;
        })
        .await;
        let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
        let (mut sockets, mut answers) = (Vec::new(), Vec::new());
        match transport {
            "http/1" => sockets.push(unread_modern(&server, 1).await),
            "http/2" => {
                let asked = server.modern(1, "tools/call", read_of(101)).build().unwrap();
                answers.push(http2.execute(asked).await.unwrap());
            }
            _ => {
                let session = server.session(1).await;
                let extra = format!("Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: {LEGACY}\r\n");
                sockets.push(unread(&server, 1, &extra, &request("tools/call", read_of(101))).await);
            }
        }
        let long = || server.ask(server.modern(1, "tools/call", read_of(102)));
        if transport == "events" {
            // An event keeps what it was made of; a whole body is all that is left of its request.
            sockets.push(unread_modern(&server, 2).await);
        } else {
            sockets.push(unread_modern(&server, 1).await);
        }
        let refused = long().await;
        let text = refused.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(
            refused.json()["result"]["isError"] == true && text.contains("temporary"),
            "{transport}: {text:.200}"
        );
        // Small ones of the same connection go on, and so do long ones of another.
        assert_eq!(small(&server, 1).await.status, 200, "{transport}");
        let other = server.ask(server.modern(3, "tools/call", read_of(101))).await;
        assert!(other.text.len() > LONG, "{transport}");
        // Read, or left: the room is there again.
        for socket in sockets {
            assert!(rest(socket).await > LONG, "{transport}");
        }
        drop(answers);
        until("there is room", || async { long().await.text.len() > LONG }).await;
    }
}

#[tokio::test]
async fn all_connections_together_are_bounded() {
    let (server, _gate) = scene(|config| {
        config.limits.memory_per_connection = 5 * LONG;
        config.limits.memory = 5 * LONG;
    })
    .await;
    let unread = [unread_modern(&server, 1).await, unread_modern(&server, 2).await];
    let refused = server.ask(server.modern(3, "tools/call", read_of(101))).await;
    assert_eq!(refused.json()["result"]["isError"], true);
    for socket in unread {
        assert!(rest(socket).await > LONG);
    }
    until("there is room", || async {
        server.ask(server.modern(3, "tools/call", read_of(101))).await.text.len() > LONG
    })
    .await;
}

#[tokio::test]
async fn large_bodies_and_those_of_many_values_need_room_too() {
    let (server, _gate) = scene(|config| config.limits.memory_per_connection = 2_000_000).await;
    let list = |number, value: Value| server.ask(server.modern(number, "tools/list", json!({"x": value})));
    // Announced, but not sent: the room is taken.
    let mut slow = TcpStream::connect(server.running.public_addr()).await.unwrap();
    let head = format!(
        "POST /odoo/mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1900000\r\n\r\n",
        key(1)
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let large = json!("y".repeat(200_000));
    assert_eq!(limit_of(&list(1, large.clone()).await), "memory_per_connection");
    assert_eq!(list(2, large.clone()).await.status, 200);
    drop(slow);
    until("there is room", || async { list(1, large.clone()).await.status == 200 }).await;
    let many = list(1, json!(vec![0; 15_000])).await;
    assert!(many.status == 400 && many.text.contains("more values"), "{many:?}");
    assert_eq!(list(1, json!(vec![0; 1_000])).await.status, 200);
}

#[tokio::test]
async fn short_calls_of_others_go_on_and_long_ones_take_turns() {
    let (server, gate) = scene(|_| {}).await;
    let mut first: Vec<_> = (0..6).map(|_| start(&server, 1, method())).collect();
    until("one of them is in Odoo", || async { methods(&server, 1) == 1 }).await;
    // Odoo has two workers: one for long calls, and one that is left for all others.
    assert_eq!(small(&server, 2).await.status, 200);
    assert_eq!(small(&server, 1).await.status, 200);
    let second = start(&server, 2, method());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((methods(&server, 1), methods(&server, 2)), (1, 0));
    // Five of the first were there before, but it is the other's turn after one of them at most.
    gate.add_permits(2);
    until("the other one has its turn", || async { methods(&server, 2) == 1 }).await;
    assert!(methods(&server, 1) <= 2);
    gate.add_permits(10);
    assert_eq!(second.await.unwrap().status, 200);
    for call in first.drain(..) {
        let answer = call.await.unwrap();
        assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
    }
}

#[tokio::test]
async fn parallel_calls_of_a_connection_wait_for_their_turn_up_to_a_bound() {
    let (server, gate) = scene(|config| config.limits.in_flight_per_connection = 40).await;
    let mut calls: Vec<_> = (0..41).map(|_| start(&server, 1, method())).collect();
    // All but one wait, though one is in Odoo.
    until("one is refused", || async { calls.iter().any(JoinHandle::is_finished) }).await;
    let refused = calls.iter().position(JoinHandle::is_finished).unwrap();
    assert_eq!(limit_of(&calls.remove(refused).await.unwrap()), "in_flight_per_connection");
    assert_eq!(small(&server, 2).await.status, 200);
    assert_eq!(methods(&server, 1), 1);
    gate.add_permits(40);
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
    }
}

#[tokio::test]
async fn who_asks_and_leaves_gets_no_more_workers() {
    let (server, gate) = scene(|_| {}).await;
    for _ in 0..5 {
        let mut answer = start(&server, 1, read_of(1));
        let _ = tokio::time::timeout(Duration::from_millis(5), &mut answer).await;
        answer.abort();
    }
    let stuck = start(&server, 1, method());
    until("it is in Odoo", || async { methods(&server, 1) == 1 }).await;
    stuck.abort();
    let next = start(&server, 1, method());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(methods(&server, 1), 1, "Odoo is still at the first");
    gate.add_permits(2);
    assert_eq!(next.await.unwrap().status, 200);
}

#[tokio::test]
async fn an_answer_that_odoo_did_not_cut_is_refused_in_words() {
    let server = Server::with(|_| {}).await;
    for (name, chars, refused) in [("short", 149_000, false), ("long", 150_000, true)] {
        server.odoo.on("execute", move |request| {
            let row = json!({"id": 1, "name": "😀".repeat(chars)});
            json!({"call_id": request["call_id"], "results": [{"records": [row]}], "replayed": false})
        });
        let result = server.ask(server.modern(1, "tools/call", read_of(1))).await.json()["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.chars().count() <= 150_000, "{name}");
        assert_eq!(result["isError"], refused, "{name}: {text:.200}");
        assert_eq!(text.contains("fewer fields"), refused, "{name}");
    }
}
