//! The samples of the contract, which the addon's tests read as well: what we send is what they say, and
//! what they answer is what we read.

use std::path::PathBuf;
use std::time::Duration;

use odoo_mcp_sidecar::audit::EntryDocument;
use odoo_mcp_sidecar::odoo::contract::{
    AlarmDocument, Answer, AppendAuditRequest, AuthenticateAnswer, AuthenticateRequest, BeginCheckRequest,
    Call, CallState, CallStatusRequest, ChangesRequest, CheckAuditRequest, CheckResult, CheckStatus,
    FaultCode, HelloRequest, ReportCheckRequest, SchemaRequest, SessionDocument, Step, SyncSessionsRequest,
};
use odoo_mcp_sidecar::odoo::{Client, Deadline, Error};
use odoo_mcp_sidecar::vocab::{CallId, ConnectionId, Proof};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::odoo_contract_oauth;
use crate::support::client::options;
use crate::support::fake_odoo::{FakeOdoo, Reply};

/// The proof of the samples.
fn proof() -> Proof {
    Proof::of_text("test")
}

/// The methods that have a file of samples; `wake` is no method of the gateway.
fn sampled_methods() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/contract");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let samples = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let names = samples.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name != "wake").collect()
}

fn samples(method: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/contract/{method}.json"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["method"], method);
    file["cases"].as_array().unwrap().clone()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub fn optional(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn call_of(request: &Value) -> Call {
    Call {
        call_id: serde_json::from_value(request["call_id"].clone()).unwrap(),
        connection: ConnectionId(1),
        proof: proof(),
        ip: text(&request["ip"]),
        tool: text(&request["tool"]),
        mode: serde_json::from_value(request["mode"].clone()).unwrap(),
        steps: serde_json::from_value::<Vec<Step>>(request["steps"].clone()).unwrap(),
        context: request["context"].as_object().unwrap().clone(),
        dry_run: request["dry_run"].as_bool().unwrap(),
        deadline_ms: request["deadline_ms"].as_u64().unwrap(),
        idempotency_key: optional(&request["idempotency_key"]),
        max_chars: serde_json::from_value(request["max_chars"].clone()).unwrap(),
        account: std::sync::Arc::default(),
    }
}

fn hello_of(request: &Value) -> HelloRequest {
    HelloRequest {
        contract: u32::try_from(request["contract"].as_u64().unwrap()).unwrap(),
        replica: text(&request["replica"]).parse().unwrap(),
        version: text(&request["version"]),
        public_url: text(&request["public_url"]),
        wake_url: optional(&request["wake_url"]),
        wake_secret: optional(&request["wake_secret"]),
    }
}

fn check_result_of(row: &Value) -> CheckResult {
    let word = |value: &Value| -> &'static str { text(value).leak() };
    CheckResult {
        name: word(&row["name"]),
        status: match text(&row["status"]).as_str() {
            "ok" => CheckStatus::Ok,
            "warning" => CheckStatus::Warning,
            "failed" => CheckStatus::Failed,
            _ => CheckStatus::Skipped,
        },
        code: row["code"].is_string().then(|| word(&row["code"])),
        data: row["data"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (word(&json!(key)), value.clone()))
            .collect(),
    }
}

fn session_of(row: &Value) -> SessionDocument {
    SessionDocument {
        session: text(&row["session"]),
        connection: serde_json::from_value(row["connection"].clone()).unwrap(),
        user: serde_json::from_value(row["user"].clone()).unwrap(),
        client: optional(&row["client"]),
        ip: optional(&row["ip"]),
        era: if row["era"] == "modern" { "modern" } else { "legacy" },
        created: text(&row["created"]),
        last_activity: text(&row["last_activity"]),
        requests: row["requests"].as_u64().unwrap(),
        live: row["live"].as_bool().unwrap(),
    }
}

/// Sends the request of a sample through the real client; what the client made of the answer, as JSON.
async fn send(client: &std::sync::Arc<Client>, method: &str, request: &Value) -> Result<Value, Error> {
    Ok(match method {
        "authenticate" => {
            let answer = client
                .authenticate(&AuthenticateRequest { proof: proof(), ip: text(&request["ip"]) })
                .await?;
            vouched_for(answer)
        }
        "execute" => {
            let call = call_of(request);
            let answer = if request["mode"] == "read" {
                client.read(&call).await?
            } else {
                client.write(call).await?
            };
            results_of(answer)
        }
        "execute_batch" => {
            let calls: Vec<Call> = request["calls"].as_array().unwrap().iter().map(call_of).collect();
            let within = |call| (call, Deadline::within(Duration::from_secs(30)));
            let within: Vec<_> = calls.iter().map(within).collect();
            let answers = client.read_batch(&within, 30_000).await?;
            answers
                .into_iter()
                .map(|answer| answer.map_or_else(|fault| json!(fault.message), results_of))
                .collect()
        }
        "call_status" => {
            let call_id: CallId = serde_json::from_value(request["call_id"].clone()).unwrap();
            let answer = client.call_status(&CallStatusRequest { proof: proof(), call_id }).await?;
            assert_eq!(answer.state == CallState::Done, answer.answer.is_some());
            json!(answer.answer.map(|answer| answer.call_id))
        }
        "schema" => {
            let models = request["models"].as_array().map(|models| models.iter().map(text).collect());
            let schema = SchemaRequest { proof: proof(), lang: optional(&request["lang"]), models };
            if schema.models.is_none() {
                json!(client.models(&schema).await?.models)
            } else {
                json!(client.fields(&schema).await?.fields)
            }
        }
        oauth if oauth.starts_with("oauth_") => odoo_contract_oauth::send(client, oauth, request).await?,
        own => send_own(client, own, request).await?,
    })
}

/// The same of what the sidecar says for itself, in nobody's name.
async fn send_own(client: &std::sync::Arc<Client>, method: &str, request: &Value) -> Result<Value, Error> {
    Ok(match method {
        "append_audit" => append(client, request).await?,
        "check_audit" => check(client, request).await?,
        "hello" => {
            let answer = client.hello(&hello_of(request)).await?;
            json!({"cursor": answer.cursor, "version": answer.settings.version, "wake": answer.wake})
        }
        "changes" => {
            let replica = text(&request["replica"]).parse().unwrap();
            let answer =
                client.changes(&ChangesRequest { replica, cursor: text(&request["cursor"]) }).await?;
            json!([
                answer.cursor,
                answer.reset,
                answer.settings.map(|s| s.version),
                answer.connections,
                answer.sessions,
                answer.schema
            ])
        }
        "sync_sessions" => {
            let sessions = request["sessions"].as_array().unwrap().iter().map(session_of).collect();
            let replica = text(&request["replica"]).parse().unwrap();
            let complete = request["complete"].as_bool().unwrap();
            json!(client.sync_sessions(&SyncSessionsRequest { replica, complete, sessions }).await?.ended)
        }
        "begin_check" => {
            let request = BeginCheckRequest {
                check: text(&request["check"]).parse().unwrap(),
                replica: text(&request["replica"]).parse().unwrap(),
                proof: proof(),
            };
            json!(client.begin_check(&request).await?.accepted)
        }
        "report_check" => {
            let request = ReportCheckRequest {
                check: text(&request["check"]).parse().unwrap(),
                replica: text(&request["replica"]).parse().unwrap(),
                results: request["results"].as_array().unwrap().iter().map(check_result_of).collect(),
            };
            client.report_check(&request).await?;
            json!({})
        }
        other => panic!("no such method: {other}"),
    })
}

fn vouched_for(answer: AuthenticateAnswer) -> Value {
    let connection = answer.connection;
    json!({
        "id": connection.id, "login": answer.user.login, "scope": connection.scope,
        "allowed_models": connection.allowed_models, "method_level": connection.effective_method_level(),
    })
}

fn results_of(answer: Answer) -> Value {
    serde_json::from_str(&serde_json::to_string(&answer.results).unwrap()).unwrap()
}

/// What `send` should make of the answer of a sample.
fn expected(method: &str, answer: &Value) -> Value {
    match method {
        "hello" => {
            json!({"cursor": answer["cursor"], "version": answer["settings"]["version"], "wake": answer["wake"]})
        }
        "authenticate" => json!({
            "id": answer["connection"]["id"], "login": answer["user"]["login"], "scope": answer["connection"]["scope"],
            "allowed_models": answer["connection"]["allowed_models"],
            "method_level": answer["connection"]["method_level"],
        }),
        "execute" => answer["results"].clone(),
        "execute_batch" => {
            let answers = answer["answers"].as_array().unwrap().iter();
            answers.map(|one| one.get("results").unwrap_or(&one["error"]["message"]).clone()).collect()
        }
        "call_status" => answer["answer"].get("call_id").cloned().unwrap_or_default(),
        "append_audit" => json!({
            "stored": answer["stored"], "pending": answer["pending"], "tip": answer["chain"]["tip"]["sequence"],
            "newest": answer["chain"]["newest"]["hash"], "seen": answer["chain"]["seen"],
        }),
        "check_audit" => json!([
            answer["chain"]["tip"]["sequence"],
            answer["chain"]["seen"],
            answer["gap"].get("missing"),
            answer["window"]["next"],
            answer["acknowledged"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["note"].clone())
                .collect::<Value>(),
        ]),
        "schema" => answer.get("models").or(answer.get("fields")).unwrap().clone(),
        "sync_sessions" => answer["ended"].clone(),
        oauth if oauth.starts_with("oauth_") => answer.clone(),
        "begin_check" => answer["accepted"].clone(),
        "report_check" => answer.clone(),
        _ => json!([
            answer["cursor"],
            answer["reset"],
            answer["settings"].get("version"),
            answer["connections"],
            answer["sessions"],
            answer["schema"]
        ]),
    }
}

/// What was answered to entries that were read into our own type and written anew.
async fn append(client: &Client, request: &Value) -> Result<Value, Error> {
    let entries = request["entries"].as_array().unwrap().iter();
    let entries = entries.map(|entry| {
        let document: EntryDocument = serde_json::from_value(entry.clone()).unwrap();
        to_raw_value(&document).unwrap()
    });
    let replica = text(&request["replica"]).parse().unwrap();
    let (entries, seen) = (entries.collect(), request["seen"].as_u64());
    let answer = client.append_audit(&AppendAuditRequest { replica, entries, seen }).await?;
    let chain = answer.chain.unwrap();
    Ok(json!({
        "stored": answer.stored, "pending": answer.pending, "tip": chain.tip.sequence,
        "newest": chain.newest.hash, "seen": chain.seen,
    }))
}

async fn check(client: &Client, request: &Value) -> Result<Value, Error> {
    let alarm = |alarm: &Value| AlarmDocument {
        id: text(&alarm["id"]),
        kind: "missing",
        sequence: alarm["sequence"].as_u64().unwrap(),
        missing: alarm["missing"].as_u64().unwrap(),
        time: text(&alarm["time"]),
    };
    let alarms = request["alarms"].as_array().unwrap().iter().map(alarm).collect();
    let (replica, after) = (text(&request["replica"]).parse().unwrap(), request["after"].as_u64().unwrap());
    let request = CheckAuditRequest { replica, seen: request["seen"].as_u64(), after, alarms };
    let answer = client.check_audit(&request).await?;
    Ok(json!([
        answer.chain.tip.sequence,
        answer.chain.seen,
        answer.gap.map(|gap| gap.missing),
        answer.window.next,
        answer.acknowledged.iter().map(|one| one.note.clone()).collect::<Vec<_>>(),
    ]))
}

/// Requests of the samples as we can send them: every credential we know the text of has the same proof, and
/// of a deadline only what the queue left is sent.
fn sendable(request: &Value) -> Value {
    let mut request = odoo_contract_oauth::sendable(request.clone());
    if request.get("proof").is_some() {
        request["proof"] = json!(proof().to_hex());
    }
    request
}

/// A call with the deadline of the sample in place of what the queue left of it.
fn with_deadline(mut sent: Value, wanted: &Value) -> Value {
    if let Some(deadline) = wanted.get("deadline_ms").and_then(Value::as_u64) {
        let left = sent["deadline_ms"].as_u64().unwrap();
        assert!(left <= deadline && left + 10_000 > deadline, "{left}");
        sent["deadline_ms"] = json!(deadline);
    }
    let calls = sent.get_mut("calls").and_then(Value::as_array_mut);
    for (sent, wanted) in calls.into_iter().flatten().zip(wanted["calls"].as_array().into_iter().flatten()) {
        *sent = with_deadline(sent.take(), wanted);
    }
    sent
}

#[tokio::test]
async fn every_sample_holds() {
    let mut cases = 0;
    for method in sampled_methods() {
        let method = method.as_str();
        for case in samples(method) {
            let name = format!("{method}: {}", case["name"]);
            let odoo = FakeOdoo::start().await;
            let reply = case.get("answer").map(|answer| Reply::Answer(answer.clone()));
            let reply = reply.unwrap_or_else(|| Reply::Fault(case["fault"].clone()));
            odoo.on(method, move |_| reply.clone());
            let client = Client::new(options(&odoo)).unwrap();
            let outcome = send(&client, method, &case["request"]).await;

            let wanted = sendable(&case["request"]);
            let sent = with_deadline(odoo.requests(method).pop().unwrap(), &wanted);
            assert_eq!(sent, wanted, "{name}");

            match (case.get("answer"), outcome) {
                (Some(answer), Ok(outcome)) => {
                    let wanted = without_defaults(expected(method, answer));
                    assert_eq!(without_defaults(outcome), wanted, "{name}");
                }
                (None, Err(Error::Fault(fault))) => {
                    let code: FaultCode = serde_json::from_value(case["fault"]["code"].clone()).unwrap();
                    assert_eq!((fault.code, &fault.data), (code, &case["fault"]["data"]), "{name}");
                    assert_eq!(fault.message, case["fault"]["message"], "{name}");
                    assert!(code != FaultCode::Internal || case["fault"]["code"] == "internal", "{name}");
                }
                // Retried until the deadline of the call, and then said to be temporary.
                (None, Err(Error::Busy)) => assert_eq!(case["fault"]["code"], "unavailable", "{name}"),
                (_, outcome) => panic!("{name}: {outcome:?}"),
            }
            cases += 1;
        }
    }
    assert!(cases >= 30, "{cases}");
}

/// Fields as we hand them on leave out members that do not apply; `searchable` is unknown to us.
fn without_defaults(mut value: Value) -> Value {
    let models = value.as_object_mut().map(|models| models.values_mut());
    for field in models.into_iter().flatten().filter_map(Value::as_array_mut).flatten() {
        if let Some(field) = field.as_object_mut() {
            field.remove("searchable");
        }
    }
    value
}

#[tokio::test]
async fn every_code_of_the_contract_is_known() {
    let page = std::fs::read_to_string(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/contract/README.md"),
    )
    .unwrap();
    let faults = page.split("## Faults").nth(1).unwrap().split("## The wake-up").next().unwrap();
    let codes: Vec<&str> = faults
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| *code != "code")
        .collect();
    assert!(codes.len() >= 20);
    for code in codes {
        let known: FaultCode = serde_json::from_value(json!(code)).unwrap();
        assert!(known != FaultCode::Internal || code == "internal", "{code}");
    }
}
