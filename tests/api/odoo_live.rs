//! Client and mirror against a real Odoo 19 with the addon; ignored unless one is there.
//!
//! `ODOO_MCP_LIVE` names a JSON file with `url`, `database`, `login`, `key` (of the service user), `api_key`
//! (of a full connection) and `admin_password`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odoo_mcp_sidecar::config::odoo::OdooConfig;
use odoo_mcp_sidecar::mirror::{Denied, Gate, Mirror, ReplicaIdentity};
use odoo_mcp_sidecar::odoo::contract::{Call, CallState, CallStatusRequest, FaultCode, Mode, Step};
use odoo_mcp_sidecar::odoo::{Client, Error};
use odoo_mcp_sidecar::vocab::{Credential, Principal, Secret};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::support::client::{call, until};

struct Live {
    config: Value,
    client: Arc<Client>,
    mirror: Arc<Mirror>,
    cancel: CancellationToken,
    credential: Credential,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Live {
    async fn new() -> Self {
        let path = std::env::var("ODOO_MCP_LIVE").expect("ODOO_MCP_LIVE names a file");
        let config: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = |name: &str| config[name].as_str().unwrap().to_owned();
        let client = Client::new(OdooConfig {
            url: text("url"),
            database: text("database"),
            login: text("login"),
            api_key: Secret::new(text("key")),
            ..OdooConfig::default()
        })
        .unwrap();
        let mirror = Mirror::new(Arc::clone(&client), Default::default());
        let cancel = CancellationToken::new();
        let wake_url = serve_wakes(Arc::clone(&mirror)).await;
        let identity = ReplicaIdentity {
            replica: uuid::Uuid::new_v4(),
            version: "0.1.0".into(),
            public_url: "https://odoo.example.com".into(),
            wake_url: Some(wake_url),
            wake_secret: Some(Secret::new("a secret of the test, long enough")),
        };
        tokio::spawn(Arc::clone(&mirror).run_feed(cancel.clone(), identity));
        until("the first hello", || async { mirror.is_ready() }).await;
        let credential = Credential::parse(&text("api_key")).unwrap();
        Self { config, client, mirror, cancel, credential }
    }

    async fn principal(&self) -> Result<Arc<Principal>, Denied> {
        self.mirror.principal(&self.credential, IpAddr::from([127, 0, 0, 1])).await
    }

    fn call(&self, mode: Mode, step: Step) -> Call {
        Call { proof: self.credential.proof.clone(), ip: "127.0.0.1".into(), ..call(mode, step) }
    }

    /// Calls a method as the administrator, over Odoo's own JSON-RPC.
    async fn admin(&self, model: &str, method: &str, args: Value) -> Value {
        let service = |service: &str, method: &str, args: Value| {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "call",
                              "params": {"service": service, "method": method, "args": args}});
            let url = format!("{}/jsonrpc", self.config["url"].as_str().unwrap());
            async move {
                let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
                let mut answer: Value = answer.json().await.unwrap();
                assert!(answer.get("error").is_none(), "{answer}");
                answer["result"].take()
            }
        };
        let (database, password) = (&self.config["database"], &self.config["admin_password"]);
        let uid = service("common", "login", json!([database, "admin", password])).await;
        service("object", "execute_kw", json!([database, uid, password, model, method, args])).await
    }
}

/// A listener for wake-ups; answers its URL.
async fn serve_wakes(mirror: Arc<Mirror>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wake", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65_536];
            let mut length = 0;
            // Head and body may come apart; the body is small and ends with a brace.
            while !request[..length].ends_with(b"}") {
                length += stream.read(&mut request[length..]).await.unwrap();
            }
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let signature = lines.find(|(name, _)| name.eq_ignore_ascii_case("x-mcp-signature")).unwrap().1;
            mirror.receive_wakeup(body.as_bytes(), signature).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
        }
    });
    url
}

fn search(limit: u32) -> Step {
    Step::SearchRead {
        model: "res.partner".into(),
        domain: json!([]),
        fields: Some(vec!["name".into(), "email".into(), "city".into()]),
        limit,
        offset: 0,
        order: None,
        total: true,
    }
}

#[tokio::test]
#[ignore = "needs a real Odoo"]
async fn reads_schemas_and_refusals_of_a_real_odoo() {
    let live = Live::new().await;
    let principal = live.principal().await.unwrap();
    let answer = live.client.read(&live.call(Mode::Read, search(5))).await.unwrap();
    let result: Value = serde_json::from_str(answer.results[0].get()).unwrap();
    assert_eq!(result["records"].as_array().unwrap().len(), 5);
    let models = live.mirror.models(&principal, None).await.unwrap();
    assert!(models.iter().any(|model| model.model == "res.partner"));
    let fields = live.mirror.fields(&principal, "res.partner", None).await.unwrap();
    assert!(fields.iter().any(|field| field.name == "country_id" && field.relation.is_some()));
    let Err(Error::Fault(fault)) = live.mirror.fields(&principal, "no.model", None).await else {
        panic!("no fault")
    };
    assert_eq!(fault.code, FaultCode::UnknownModel);
    let bad =
        Credential { proof: odoo_mcp_sidecar::vocab::Proof::of_text("nothing"), ..live.credential.clone() };
    let denied = live.mirror.principal(&bad, IpAddr::from([127, 0, 0, 1])).await.unwrap_err();
    assert_eq!(denied, Denied::Invalid { reason: "unknown".into() });
}

#[tokio::test]
#[ignore = "needs a real Odoo"]
async fn text_survives_both_ways_through_a_real_odoo() {
    let live = Live::new().await;
    // PostgreSQL has no U+0000, and Odoo trims names; all else of what XML cannot carry stands inside.
    let awkward: String = (1..0x20_u32)
        .chain([0x7f, 0x85, 0xfffd, 0xfffe, 0xffff, 0x1f600, 0x10ffff])
        .filter_map(char::from_u32)
        .collect();
    let text = format!("a{awkward}<b>&amp;]]>\\ufffe\"z");
    let values = json!({"name": "Text", "comment": null, "ref": text}).as_object().cloned().unwrap();
    let create = live.call(Mode::Write, Step::Create { model: "res.partner".into(), values: vec![values] });
    let created = live.client.write(create.clone()).await.unwrap();
    let created: Value = serde_json::from_str(created.results[0].get()).unwrap();
    let id = created["records"][0]["id"].as_i64().unwrap();
    let fields = Some(vec!["ref".to_owned()]);
    let read = live.call(Mode::Read, Step::Read { model: "res.partner".into(), ids: vec![id], fields });
    let answer: Value =
        serde_json::from_str(live.client.read(&read).await.unwrap().results[0].get()).unwrap();
    assert_eq!(answer["records"][0]["ref"], text);

    // The same call again answers the first result, and its state is known.
    let again = live.client.write(create.clone()).await.unwrap();
    assert!(again.replayed);
    let request = CallStatusRequest { proof: create.proof.clone(), call_id: create.call_id };
    assert_eq!(live.client.call_status(&request).await.unwrap().state, CallState::Done);
    let unlink = live.call(Mode::Write, Step::Unlink { model: "res.partner".into(), ids: vec![id] });
    live.client.write(unlink).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a real Odoo"]
async fn the_switch_and_a_revocation_of_a_real_odoo_act_by_wake_up() {
    let live = Live::new().await;
    // Before the hello of the mirror that is tested.
    let settings = live.admin("mcp.server.settings", "search", json!([[]])).await;
    live.admin(
        "mcp.server.settings",
        "write",
        json!([settings, {"enabled": true, "wake_hosts": "127.0.0.1"}]),
    )
    .await;
    let live = Live::new().await;
    until("the switch is on", || async { live.mirror.gate() == Gate::Open }).await;
    let principal = live.principal().await.unwrap();
    for (enabled, gate) in [(false, Gate::Disabled), (true, Gate::Open)] {
        let mut watch = live.mirror.watch_gate();
        let start = Instant::now();
        live.admin("mcp.server.settings", "write", json!([settings, {"enabled": enabled}])).await;
        let answered = start.elapsed();
        watch.wait_for(|now| *now == gate).await.unwrap();
        eprintln!("switch to {enabled}: written after {answered:?}, acted on after {:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(3));
    }
    let life = live.mirror.lifetime(principal.connection);
    let start = Instant::now();
    live.admin("mcp.connection", "action_revoke", json!([[principal.connection]])).await;
    tokio::time::timeout(Duration::from_secs(3), life.cancelled()).await.unwrap();
    eprintln!("revoked after {:?}", start.elapsed());
    assert_eq!(live.principal().await.unwrap_err(), Denied::Invalid { reason: "revoked".into() });
    live.admin("mcp.connection", "action_reactivate", json!([[principal.connection]])).await;
    until("it is good again", || async { live.principal().await.is_ok() }).await;
}
