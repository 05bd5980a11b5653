//! The volume of the data directory is full: calls are refused, what was begun is kept, and it goes on by itself.
//!
//! The volume is a real file system of 4 MB: mounted by root, else in a mount namespace of one's own.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::support::fake_odoo::{FakeOdoo, Trouble};
use crate::support::server::{Answer, MODERN, key, modern_body, until};

const BINARY: &str = env!("CARGO_BIN_EXE_odoo-mcp-sidecar");
const SIZE: &str = "size=4m";

/// A small file system; gone with the value.
struct Volume {
    directory: tempfile::TempDir,
    /// Holds the namespace in which it is mounted, where this process may not mount.
    holder: Option<Child>,
}

impl Volume {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let mount = ["-t", "tmpfs", "-o", SIZE, "tmpfs", path];
        let mounted = Command::new("mount").args(mount).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Self { directory, holder: None };
        }
        let script = format!("mount -t tmpfs -o {SIZE} tmpfs '{path}' && echo mounted && exec sleep 600");
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(
            line, "mounted\n",
            "a small file system can be mounted neither as root nor in a namespace"
        );
        Self { directory, holder: Some(holder) }
    }

    fn path(&self) -> PathBuf {
        match &self.holder {
            None => self.directory.path().to_owned(),
            Some(holder) => {
                let root = PathBuf::from(format!("/proc/{}/root", holder.id()));
                root.join(self.directory.path().strip_prefix("/").unwrap())
            }
        }
    }

    /// Fills it with a file of somebody else, to the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.path().join("data/state.sqlite-wal")).map_or(0, |file| file.len())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        match &mut self.holder {
            None => drop(Command::new("umount").arg("-l").arg(self.directory.path()).status()),
            Some(holder) => {
                let _ = holder.kill();
                let _ = holder.wait();
            }
        }
    }
}

/// A sidecar of its own process; killed with the value.
struct Sidecar {
    process: Child,
    mcp: String,
    admin: String,
    http: reqwest::Client,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Sidecar {
    async fn start(odoo: &FakeOdoo, data: &Path) -> Self {
        let (listen, admin) = (free_address(), free_address());
        let process = Command::new(BINARY)
            .args(["--listen", &listen.to_string(), "--admin-listen", &admin.to_string()])
            .args(["--data-dir", data.to_str().unwrap(), "--odoo-url", &odoo.url()])
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
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (mcp, admin) = (format!("http://{listen}/odoo/mcp"), format!("http://{admin}"));
        let sidecar = Self { process, mcp, admin, http };
        until("it serves", || async {
            sidecar.http.get(format!("{}/healthz", sidecar.admin)).send().await.is_ok()
        })
        .await;
        // Odoo has been asked for the settings.
        until("Odoo is known", || async { sidecar.ready().await.1["odoo"]["up"] == 1 }).await;
        sidecar
    }

    async fn ready(&self) -> (u16, Value) {
        let answer = Answer::of(self.http.get(format!("{}/readyz", self.admin)).send().await.unwrap()).await;
        (answer.status, answer.json())
    }

    async fn ask(&self, method: &str, params: Value) -> Answer {
        let mut request = self
            .http
            .post(&self.mcp)
            .bearer_auth(key(1))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        Answer::of(request.body(modern_body(method, params).to_string()).send().await.unwrap()).await
    }

    /// A call about the record `id`, which is long in the log; whether it was made.
    async fn call(&self, id: i64) -> bool {
        let values = json!({"comment": "x".repeat(14_000)});
        let arguments = json!({"model": "res.partner", "id": id, "values": values});
        let answer = self.ask("tools/call", json!({"name": "update_record", "arguments": arguments})).await;
        if answer.status == 200 {
            assert!(!answer.text.contains("\"isError\":true"), "{answer:?}");
            return true;
        }
        assert_eq!((answer.status, answer.code(), answer.reason().as_str()), (503, 1007, "audit_full"));
        assert!(!answer.header("retry-after").is_empty());
        false
    }
}

async fn odoo() -> FakeOdoo {
    let odoo = FakeOdoo::start().await;
    odoo.add_key(&Proof::of_text(&key(1)).to_hex(), 1, "full");
    odoo.settings(|settings| settings["log_payloads"] = json!(true));
    odoo
}

/// The rows of each record, and how many refusals are summed.
fn told(odoo: &FakeOdoo) -> (Vec<i64>, u64) {
    let (mut rows, mut refused) = (Vec::new(), 0);
    for entry in odoo.audit() {
        if entry["reason"] == "audit_full" {
            refused += entry["count"].as_u64().unwrap();
        } else if let Some(id) = entry["res_ids"][0].as_i64() {
            assert_eq!(entry["status"], "success", "{entry}");
            rows.push(id);
        }
    }
    rows.sort_unstable();
    (rows, refused)
}

/// Calls with these ids; those that were made, and how many were refused.
async fn calls(sidecar: &Sidecar, ids: std::ops::Range<i64>) -> (Vec<i64>, u64) {
    let (mut made, mut refused) = (Vec::new(), 0);
    for id in ids {
        if sidecar.call(id).await {
            made.push(id);
        } else {
            refused += 1;
        }
    }
    (made, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_the_spool_fills_refuses_calls_and_recovers_when_odoo_takes_the_entries() {
    let (odoo, volume) = (odoo().await, Volume::new());
    let data = volume.path().join("data");
    odoo.set_fault(Some("append_audit"), Trouble::Http(503), usize::MAX);
    let sidecar = Sidecar::start(&odoo, &data).await;
    assert_eq!(sidecar.ready().await.0, 200);
    let (mut made, refused) = calls(&sidecar, 1..330).await;
    assert!(made.len() > 50 && refused > 20, "{} made, {refused} refused", made.len());
    let bound = 4 * 1024 * 1024 / 8;
    assert!(volume.log_bytes() <= bound, "the log has {} bytes", volume.log_bytes());
    let (status, ready) = sidecar.ready().await;
    assert_eq!(
        (status, &ready["reason"], &ready["store"]["writable"]),
        (503, &json!("store"), &json!(false))
    );
    assert!(["no_room", "unwritable"].contains(&ready["store"]["reason"].as_str().unwrap()), "{ready}");
    assert_eq!(sidecar.ask("tools/list", json!({})).await.status, 200, "what needs no entry goes on");
    odoo.clear_faults();
    until("it is ready again", || async { sidecar.ready().await.0 == 200 }).await;
    let more = calls(&sidecar, 1000..1020).await;
    assert_eq!(more, ((1000..1020).collect(), 0));
    made.extend(more.0);
    // Sums run for ten seconds.
    until("all is told", || async { told(&odoo) == (made.clone(), refused) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_the_full_volume_loses_nothing_and_the_next_start_goes_on() {
    let (odoo, volume) = (odoo().await, Volume::new());
    let data = volume.path().join("data");
    odoo.set_fault(Some("append_audit"), Trouble::Http(503), usize::MAX);
    let sidecar = Sidecar::start(&odoo, &data).await;
    let (mut made, refused) = calls(&sidecar, 1..330).await;
    assert!(refused > 0);
    drop(sidecar);
    // To the last byte: not even what was freed is left.
    volume.fill();
    let sidecar = Sidecar::start(&odoo, &data).await;
    let (status, ready) = sidecar.ready().await;
    assert_eq!((status, &ready["reason"]), (503, &json!("store")), "{ready}");
    assert_eq!(calls(&sidecar, 2000..2010).await, (vec![], 10));
    drop(sidecar);
    let sidecar = Sidecar::start(&odoo, &data).await;
    volume.free();
    odoo.clear_faults();
    until("it is ready again", || async { sidecar.ready().await.0 == 200 }).await;
    let more = calls(&sidecar, 3000..3020).await;
    assert_eq!(more.1, 0);
    made.extend(more.0);
    until("all calls are told, each once", || async { told(&odoo).0 == made }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_others_fill_is_left_alone_until_it_has_room() {
    let (odoo, volume) = (odoo().await, Volume::new());
    let data = volume.path().join("data");
    // Nothing is there yet, not even an id.
    volume.fill();
    let sidecar = Sidecar::start(&odoo, &data).await;
    let (status, ready) = sidecar.ready().await;
    assert_eq!((status, &ready["store"]["reason"]), (503, &json!("closed")), "{ready}");
    let first = calls(&sidecar, 1..20).await;
    assert_eq!(first, (vec![], 19));
    volume.free();
    until("it is ready", || async { sidecar.ready().await.0 == 200 }).await;
    let (made, none) = calls(&sidecar, 100..120).await;
    assert_eq!((made.len(), none), (20, 0));
    volume.fill();
    let (more, refused) = calls(&sidecar, 200..300).await;
    volume.free();
    until("it is ready again", || async { sidecar.ready().await.0 == 200 }).await;
    let (last, none) = calls(&sidecar, 500..510).await;
    assert_eq!((last.len(), none), (10, 0));
    let all: Vec<_> = [made, more, last].concat();
    until("all is told", || async { told(&odoo) == (all.clone(), refused + 19) }).await;
}
