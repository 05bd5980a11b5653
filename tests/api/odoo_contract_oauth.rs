//! The samples of `oauth_*`, which the addon's tests read as well: what is sent has every member of the sample and no
//! other, and what the sample answers is read.

use odoo_mcp_sidecar::odoo::contract::oauth::{
    BeginRequest, ClientCredentialsRequest, ClientRef, ClientRequest, DocumentClient, IntrospectRequest,
    RefreshRequest, Refusable, Refused, RegisterRequest, ResumeRequest, RevokeRequest, TokenRequest,
};
use odoo_mcp_sidecar::odoo::{Client, Error};
use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use crate::odoo_contract::{optional, text};

/// Stands for every proof of the samples, whose texts are not known.
fn proof() -> Proof {
    Proof::of_text("test")
}

fn optional_proof(value: &Value) -> Option<Proof> {
    value.is_string().then(proof)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn optional_texts(value: &Value) -> Option<Vec<String>> {
    value.is_array().then(|| texts(value))
}

fn client_of(value: &Value) -> ClientRef {
    let methods = ["none", "client_secret_basic", "client_secret_post"];
    ClientRef {
        client_id: text(&value["client_id"]),
        secret: optional_proof(&value["secret"]),
        auth_method: methods.into_iter().find(|method| value["auth_method"] == *method).unwrap(),
    }
}

/// The request with every proof in it replaced by ours.
pub fn sendable(mut request: Value) -> Value {
    fn replace(value: &mut Value) {
        match value {
            Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                *text = proof().to_hex();
            }
            Value::Object(members) => members.values_mut().for_each(replace),
            Value::Array(values) => values.iter_mut().for_each(replace),
            _ => {}
        }
    }
    replace(&mut request);
    request
}

fn refusal(refused: &Refused) -> Value {
    json!({"refused": {"error": refused.error, "reason": refused.reason, "description": refused.description,
        "connection": refused.connection, "user": refused.user}})
}

fn read<T>(answer: Refusable<T>, shown: impl FnOnce(T) -> Value) -> Value {
    match answer {
        Refusable::Refused { refused } => refusal(&refused),
        Refusable::Answer(answer) => shown(answer),
    }
}

/// Sends the request of a sample; what the client made of the answer, as the sample writes it.
pub async fn send(client: &Client, method: &str, request: &Value) -> Result<Value, Error> {
    let of = |name: &str| request[name].clone();
    Ok(match method {
        "oauth_client" => {
            let client_id = text(&request["client_id"]);
            let answer = client.oauth_client(&ClientRequest { client_id: &client_id }).await?;
            json!({"client": answer.client.map(|client| json!({
                "client_id": client.client_id, "name": client.name, "kind": format!("{:?}", client.kind).to_lowercase(),
                "auth_method": client.auth_method, "redirect_uris": client.redirect_uris,
                "grant_types": client.grant_types, "active": client.active,
            }))})
        }
        "oauth_register" => {
            let request = RegisterRequest {
                client_id: text(&of("client_id")),
                name: text(&of("name")),
                redirect_uris: texts(&of("redirect_uris")),
                auth_method: text(&of("auth_method")),
                secret: optional_proof(&of("secret")),
                grant_types: texts(&of("grant_types")),
                client_uri: optional(&of("client_uri")),
                software_id: optional(&of("software_id")),
                ip: text(&of("ip")),
            };
            read(
                client.oauth_register(&request).await?,
                |answer| json!({"registered": {"issued_at": answer.registered.issued_at}}),
            )
        }
        "oauth_begin" => read(
            client.oauth_begin(&begin_of(request)).await?,
            |answer| json!({"expires_in": answer.expires_in}),
        ),
        "oauth_resume" => {
            let approval = optional_proof(&of("approval"));
            let request = ResumeRequest { request: proof(), browser: proof(), approval, code: proof() };
            read(client.oauth_resume(&request).await?, |answer| {
                json!({
                    "state": format!("{:?}", answer.state).to_lowercase(), "redirect_uri": answer.redirect_uri,
                    "client_state": answer.client_state, "client_name": answer.client_name, "issuer": answer.issuer,
                    "user": answer.user, "connection": answer.connection,
                })
            })
        }
        grant => send_for_client(client, grant, request).await?,
    })
}

fn begin_of(request: &Value) -> BeginRequest {
    let document = &request["document"];
    BeginRequest {
        request: proof(),
        browser: proof(),
        client_id: text(&request["client_id"]),
        document: document.is_object().then(|| DocumentClient {
            name: text(&document["name"]),
            redirect_uris: texts(&document["redirect_uris"]),
            client_uri: optional(&document["client_uri"]),
            expires_in: document["expires_in"].as_u64().unwrap(),
        }),
        redirect_uri: text(&request["redirect_uri"]),
        state: optional(&request["state"]),
        code_challenge: text(&request["code_challenge"]),
        scope: optional_texts(&request["scope"]),
        resource: text(&request["resource"]),
        issuer: text(&request["issuer"]),
        ip: text(&request["ip"]),
    }
}

/// The same of what a client asks for that authenticates itself.
async fn send_for_client(client: &Client, method: &str, request: &Value) -> Result<Value, Error> {
    let of = |name: &str| request[name].clone();
    let reference = client_of(&request["client"]);
    let (resource, scope) = (optional(&of("resource")), optional_texts(&of("scope")));
    let granted = match method {
        "oauth_revoke" => {
            let answer = client.oauth_revoke(&RevokeRequest { client: reference, token: proof() }).await?;
            return Ok(read(
                answer,
                |answer| json!({"revoked": answer.revoked, "connection": answer.connection, "user": answer.user}),
            ));
        }
        "oauth_introspect" => {
            let answer =
                client.oauth_introspect(&IntrospectRequest { client: reference, token: proof() }).await?;
            return Ok(read(answer, |answer| match answer.active {
                false => json!({"active": false}),
                true => json!({
                    "active": true, "scope": answer.scope, "client_id": answer.client_id, "username": answer.username,
                    "exp": answer.exp, "iat": answer.iat, "aud": answer.aud, "sub": answer.sub,
                }),
            }));
        }
        "oauth_token" => {
            let request = TokenRequest {
                client: reference,
                code: proof(),
                redirect_uri: optional(&of("redirect_uri")),
                code_challenge: optional(&of("code_challenge")),
                resource,
                access: proof(),
                refresh: proof(),
                ip: text(&of("ip")),
            };
            client.oauth_token(&request).await?
        }
        "oauth_refresh" => {
            let (token, access, refresh, ip) = (proof(), proof(), proof(), text(&of("ip")));
            let request = RefreshRequest { client: reference, token, scope, resource, access, refresh, ip };
            client.oauth_refresh(&request).await?
        }
        "oauth_client_credentials" => {
            let (access, ip) = (proof(), text(&of("ip")));
            let request = ClientCredentialsRequest { client: reference, scope, resource, access, ip };
            client.oauth_client_credentials(&request).await?
        }
        other => panic!("no such method: {other}"),
    };
    Ok(read(granted, |answer| {
        let granted = answer.granted;
        json!({"granted": {
            "scope": granted.scope, "expires_in": granted.expires_in, "refresh": granted.refresh,
            "client_name": granted.client_name, "connection": granted.connection, "user": granted.user,
        }})
    }))
}
