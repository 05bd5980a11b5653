//! Failed credentials of one address: who waits, who does not, and what a flood costs Odoo.

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, key, until};

/// Five failures a minute and address; look-ups of unknown keys as by default, or fewer.
async fn server(look_ups: u32) -> Server {
    Server::with(|config| {
        config.limits.failed_attempts = 5.try_into().unwrap();
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.mirror.unknown_burst_address = look_ups;
        config.mirror.unknown_per_second_address = 1;
    })
    .await
}

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": "abc", "method": "ping"})
}

async fn with(server: &Server, address: &str, credential: &str) -> Answer {
    let request = server.http.post(server.url()).header("authorization", format!("Bearer {credential}"));
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    server.ask(request.header("x-forwarded-for", address).body(list().to_string())).await
}

/// Malformed credentials, until they are refused unseen.
async fn close_the_gate(server: &Server, address: &str) {
    for _ in 0..6 {
        assert_eq!(with(server, address, "mcp_ak_typo").await.status, 401);
    }
    is_closed(&with(server, address, "mcp_ak_typo").await, "failed_attempts");
}

fn is_closed(answer: &Answer, limit: &str) {
    assert_eq!(
        (answer.status, answer.code(), &answer.json()["id"]),
        (429, 1006, &json!("abc")),
        "{answer:?}"
    );
    assert_eq!(answer.json()["error"]["data"]["limit"], limit);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits_but_not_its_neighbours() {
    let server = server(30).await;
    close_the_gate(&server, "203.0.113.9").await;
    assert_eq!(server.odoo.count("authenticate"), 0);
    // Somebody elsewhere, and a question without a credential.
    assert_eq!(with(&server, "203.0.113.10", &key(2)).await.status, 200);
    assert_eq!(with(&server, "203.0.113.10", "mcp_ak_typo").await.status, 401);
    let bare = server.http.post(server.url()).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(server.ask(bare).await.status, 401);
}

#[tokio::test]
async fn a_closed_gate_refuses_what_was_refused_before() {
    let server = server(30).await;
    let address = "203.0.113.9";
    for _ in 0..6 {
        assert_eq!(with(&server, address, &key(100)).await.status, 401);
    }
    let asked = server.odoo.count("authenticate");
    assert_eq!(asked, 1, "a refusal is remembered");
    is_closed(&with(&server, address, &key(100)).await, "failed_attempts");
    assert_eq!(server.odoo.count("authenticate"), asked);
}

#[tokio::test]
async fn good_keys_pass_a_closed_gate() {
    let server = server(30).await;
    // Never seen by this process, on an address whose gate is closed: behind a proxy that is not trusted, every
    // client is on that address.
    close_the_gate(&server, "203.0.113.9").await;
    for number in 1..=3 {
        assert_eq!(with(&server, "203.0.113.9", &key(number)).await.status, 200, "{number}");
    }
    is_closed(&with(&server, "203.0.113.9", "mcp_ak_typo").await, "failed_attempts");
    // A key that is revoked is a failure like any other.
    server.odoo.revoke(3);
    until("it is revoked", || async { with(&server, "203.0.113.9", &key(3)).await.status != 200 }).await;
    is_closed(&with(&server, "203.0.113.9", &key(3)).await, "failed_attempts");
    assert_eq!(with(&server, "203.0.113.9", &key(1)).await.status, 200);
}

#[tokio::test]
async fn a_flood_of_well_formed_keys_stays_within_the_budget_and_locks_no_known_key_out() {
    let server = server(8).await;
    let address = "203.0.113.9";
    assert_eq!(with(&server, address, &key(1)).await.status, 200);
    let mut statuses = Vec::new();
    for number in 100..150 {
        let answer = with(&server, address, &key(number)).await;
        if answer.status == 429 {
            is_closed(&answer, "unknown_credentials");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..7], [401; 7]);
    assert!(statuses.ends_with(&[429; 5]), "{statuses:?}");
    // Eight at once, then one a second.
    let asked = server.odoo.count("authenticate");
    assert!((8..14).contains(&asked), "{asked}");
    assert_eq!(with(&server, address, &key(1)).await.status, 200);
    // A good key that was never seen shares the budget: it waits for its turn, and not for the flood to end.
    until("its turn comes", || async { with(&server, address, &key(2)).await.status == 200 }).await;
}

#[tokio::test]
async fn an_untrusted_proxy_is_warned_of() {
    let codes = async |server: &Server| {
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        let warnings = ready.json()["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|warning| warning["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let from = async |server: &Server, client: u8| {
        let request = server.modern(1, "tools/list", Value::Null);
        let request = request.header("x-forwarded-for", format!("6.6.6.6, 203.0.113.{client}"));
        assert_eq!(server.ask(request).await.status, 200);
    };
    let server = Server::start().await;
    assert_eq!(codes(&server).await, [""; 0]);
    for client in [1, 2, 3, 1, 2, 3] {
        from(&server, client).await;
    }
    assert_eq!(codes(&server).await, [""; 0]);
    from(&server, 4).await;
    assert_eq!(codes(&server).await, ["untrusted_proxy"]);
    assert_eq!(server.get("/readyz").await.json()["warnings"][0]["peer"], "127.0.0.1");
    // A trusted one.
    let server =
        Server::with(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    for client in 1..=9 {
        from(&server, client).await;
    }
    assert_eq!(codes(&server).await, [""; 0]);
}
