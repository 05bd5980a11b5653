//! The sidecar killed in the middle of its work, again and again: each call that Odoo saw is in the log, once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use odoo_mcp_sidecar::vocab::Proof;

use crate::support::fake_odoo::FakeOdoo;
use crate::support::server::{MODERN, key, modern_body, until};

const BINARY: &str = env!("CARGO_BIN_EXE_odoo-mcp-sidecar");
const KILLS: usize = 6;
const CLIENTS: usize = 8;

/// A sidecar of its own process; killed with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(odoo: &FakeOdoo, data: &str, listen: SocketAddr) -> Process {
    let (listen, url) = (listen.to_string(), odoo.url());
    let child = Command::new(BINARY)
        .args(["--listen", &listen, "--admin-listen", "127.0.0.1:0", "--data-dir", data, "--odoo-url", &url])
        .env_clear()
        .envs([
            ("ODOO_MCP_PUBLIC_URL", "https://odoo.example.com"),
            ("ODOO_MCP_ODOO__DATABASE", "db"),
            ("ODOO_MCP_ODOO__API_KEY", "key"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

/// What clients asked, by the record that each call alone is about, and what they were answered.
#[derive(Default)]
struct Asked {
    next: AtomicI64,
    answered: Mutex<Vec<i64>>,
    lists: AtomicUsize,
}

async fn ask(http: &reqwest::Client, url: &str, asked: &Asked) {
    let id = asked.next.fetch_add(1, Ordering::SeqCst) + 1;
    let (method, params) = match id % 4 {
        0 => ("tools/list", Value::Null),
        // A write: named by the record as well.
        1 => {
            let values = json!({"model": "res.partner", "id": id, "values": {"name": "x"}});
            ("tools/call", json!({"name": "update_record", "arguments": values}))
        }
        _ => ("tools/call", json!({"name": "get_record", "arguments": {"model": "res.partner", "id": id}})),
    };
    let mut request = http
        .post(url)
        .bearer_auth(key(1))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    if let Some(name) = params["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    let Ok(response) = request.body(modern_body(method, params).to_string()).send().await else { return };
    let status = response.status();
    let Ok(text) = response.text().await else { return };
    if status != 200 || text.contains("\"isError\":true") {
        return;
    }
    if method == "tools/list" {
        asked.lists.fetch_add(1, Ordering::SeqCst);
    } else {
        asked.answered.lock().unwrap().push(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_in_the_log_once_over_any_kill() {
    let odoo = FakeOdoo::start().await;
    odoo.add_key(&Proof::of_text(&key(1)).to_hex(), 1, "full");
    let data = tempfile::tempdir().unwrap();
    let data = data.path().join("data");
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{listen}/odoo/mcp");
    let asked = Arc::new(Asked::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (url, asked) = (url.clone(), Arc::clone(&asked));
            tokio::spawn(async move {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                loop {
                    ask(&http, &url, &asked).await;
                }
            })
        })
        .collect();
    for round in 0..KILLS {
        let process = start(&odoo, data.to_str().unwrap(), listen);
        let before = asked.answered.lock().unwrap().len();
        until("calls are answered", || async { asked.answered.lock().unwrap().len() > before + 100 }).await;
        // Not always at the same moment.
        tokio::time::sleep(Duration::from_micros(1700 * round as u64)).await;
        drop(process);
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    let process = start(&odoo, data.to_str().unwrap(), listen);
    let executed = || {
        let requests = odoo.requests("execute");
        requests.iter().map(|request| request["steps"][0]["ids"][0].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let rows = || {
        let mut rows: HashMap<i64, Vec<Value>> = HashMap::new();
        for entry in odoo.audit().into_iter().filter(|entry| entry["status"] != "refused") {
            if let Some(id) = entry["res_ids"][0].as_i64() {
                rows.entry(id).or_default().push(entry);
            }
        }
        rows
    };
    until("Odoo has a row for each call that it saw", || async {
        let rows = rows();
        executed().iter().all(|id| rows.contains_key(id))
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    drop(process);
    let rows = rows();
    assert!(rows.values().all(|rows| rows.len() == 1), "a call is in the log twice");
    let mut abandoned = 0;
    for id in executed() {
        let row = &rows[&id][0];
        abandoned += usize::from(row["status"] == "abandoned");
        // A write that was made is told as made, whatever was known of it when the process was killed.
        assert!(id % 4 != 1 || row["status"] == "success", "{row}");
    }
    for id in asked.answered.lock().unwrap().iter() {
        assert_eq!(rows[id][0]["status"], "success", "what a client has an answer for is told as done");
    }
    assert!(abandoned > 0, "no kill came in the middle of a call");
    assert!(asked.lists.load(Ordering::SeqCst) > 0);
}
