//! The records of the authorization server as the addon keeps them, in memory: clients, requests, codes, tokens.
//!
//! Judges as the contract says, by proofs alone; consent is given by `decide`, as a person does in Odoo.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use odoo_mcp_sidecar::vocab::Proof;
use serde_json::{Value, json};

use super::fake_odoo::{FakeOdoo, Reply};

/// The proof of a text.
pub fn proof(text: &str) -> String {
    Proof::of_text(text).to_hex()
}

#[derive(Default)]
struct State {
    clients: HashMap<String, Client>,
    requests: HashMap<String, Request>,
    tokens: HashMap<String, Token>,
    /// Whether a used refresh token may come again.
    grace: bool,
    decisions: usize,
}

struct Client {
    name: String,
    kind: &'static str,
    auth_method: String,
    secret: Option<String>,
    redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    active: bool,
}

struct Request {
    begun: Value,
    status: &'static str,
    approval: Option<String>,
    code: Option<String>,
    scope: Value,
    family: usize,
}

#[derive(Clone)]
struct Token {
    access: bool,
    client: String,
    scope: Value,
    family: usize,
    successor: Option<String>,
    revoked: bool,
}

/// The records of one fake Odoo.
#[derive(Clone)]
pub struct OauthRecords(Arc<Mutex<State>>);

impl OauthRecords {
    /// Records that `odoo` answers from.
    pub fn of(odoo: &FakeOdoo) -> Self {
        let records = Self(Arc::new(Mutex::new(State { grace: true, ..State::default() })));
        let on = |method: &str, answer: fn(&mut State, &Value) -> Result<Value, Value>| {
            let state = Arc::clone(&records.0);
            odoo.on(method, move |request| {
                let answer = answer(&mut state.lock().unwrap(), &request);
                Reply::Answer(answer.unwrap_or_else(|refused| json!({"refused": refused})))
            });
        };
        on("oauth_client", |state, request| {
            let id = request["client_id"].as_str().unwrap();
            Ok(json!({"client": state.clients.get(id).map(|client| client.document(id))}))
        });
        on("oauth_begin", State::begin);
        on("oauth_resume", State::resume);
        on("oauth_token", State::token);
        on("oauth_refresh", State::refresh);
        on("oauth_client_credentials", State::client_credentials);
        on("oauth_revoke", State::revoke);
        on("oauth_introspect", State::introspect);
        records
    }

    /// A public client.
    pub fn add_client(&self, id: &str, redirect_uris: &[&str]) {
        self.add(id, "none", None, redirect_uris, &["authorization_code", "refresh_token"]);
    }

    /// A client with a secret.
    pub fn add_confidential(&self, id: &str, secret: &str, redirect_uris: &[&str]) {
        let grants = ["authorization_code", "refresh_token", "client_credentials"];
        self.add(id, "client_secret_basic", Some(secret), redirect_uris, &grants);
    }

    fn add(
        &self,
        id: &str,
        auth_method: &str,
        secret: Option<&str>,
        redirect_uris: &[&str],
        grants: &[&str],
    ) {
        let client = Client {
            name: format!("Client {id}"),
            kind: if secret.is_some() { "manual" } else { "dynamic" },
            auth_method: auth_method.to_owned(),
            secret: secret.map(proof),
            redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            grant_types: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            active: true,
        };
        self.0.lock().unwrap().clients.insert(id.to_owned(), client);
    }

    pub fn archive(&self, id: &str) {
        self.0.lock().unwrap().clients.get_mut(id).unwrap().active = false;
    }

    pub fn set_grace(&self, grace: bool) {
        self.0.lock().unwrap().grace = grace;
    }

    /// Allows or denies a request, as its user does; gives the approval secret.
    pub fn decide(&self, handle: &str, allow: bool, scope: &str) -> String {
        let mut state = self.0.lock().unwrap();
        state.decisions += 1;
        let family = state.decisions;
        let request = state.requests.get_mut(&proof(handle)).unwrap();
        let approval = format!("{:0>43}", format!("approval{family}"));
        request.status = if allow { "approved" } else { "denied" };
        request.approval = Some(proof(&approval));
        request.family = family;
        request.scope = if scope == "full" { json!(["mcp:read", "mcp:write"]) } else { json!(["mcp:read"]) };
        approval
    }

    /// Lets a request expire.
    pub fn expire(&self, handle: &str) {
        self.0.lock().unwrap().requests.get_mut(&proof(handle)).unwrap().status = "expired";
    }

    /// Whether a token of this text is alive.
    pub fn is_alive(&self, token: &str) -> bool {
        self.0.lock().unwrap().tokens.get(&proof(token)).is_some_and(|token| !token.revoked)
    }
}

impl Client {
    fn document(&self, id: &str) -> Value {
        json!({
            "client_id": id, "name": self.name, "kind": self.kind, "auth_method": self.auth_method,
            "redirect_uris": self.redirect_uris, "grant_types": self.grant_types, "active": self.active,
        })
    }
}

fn refused(error: &str, reason: &str, connection: Option<i64>) -> Value {
    json!({
        "error": error, "reason": reason, "description": format!("It is {reason}."),
        "connection": connection, "user": connection.map(|_| 2),
    })
}

impl State {
    fn authenticated(&self, reference: &Value) -> Result<(String, &Client), Value> {
        let id = reference["client_id"].as_str().unwrap();
        let client = self.clients.get(id).ok_or_else(|| refused("invalid_client", "unknown", None))?;
        let secret = reference["secret"].as_str();
        assert_eq!(secret.is_none(), reference["auth_method"] == "none", "{reference}");
        if client.auth_method == "none" {
            return Ok((id.to_owned(), client));
        }
        if secret.is_none() {
            return Err(refused("invalid_client", "method", None));
        }
        if client.secret.as_deref() != secret {
            return Err(refused("invalid_client", "secret", None));
        }
        Ok((id.to_owned(), client))
    }

    fn begin(&mut self, request: &Value) -> Result<Value, Value> {
        let id = request["client_id"].as_str().unwrap();
        if !self.clients.contains_key(id) && request["document"].is_null() {
            return Err(refused("invalid_client", "unknown", None));
        }
        let begun = Request {
            begun: request.clone(),
            status: "pending",
            approval: None,
            code: None,
            scope: Value::Null,
            family: 0,
        };
        self.requests.insert(request["request"].as_str().unwrap().to_owned(), begun);
        Ok(json!({"expires_in": 600}))
    }

    fn resume(&mut self, request: &Value) -> Result<Value, Value> {
        let unknown = || json!({"state": "unknown", "redirect_uri": null, "client_state": null, "client_name": null, "issuer": null, "user": null, "connection": null});
        let Some(found) = self.requests.get_mut(request["request"].as_str().unwrap()) else {
            return Ok(unknown());
        };
        let decided = !matches!(found.status, "pending" | "expired");
        let approved = found.approval.as_deref() == request["approval"].as_str();
        if found.begun["browser"] != request["browser"] || (decided && !approved) {
            return Ok(unknown());
        }
        if found.status == "approved" {
            found.code = Some(request["code"].as_str().unwrap().to_owned());
        }
        let name =
            self.clients.get(found.begun["client_id"].as_str().unwrap()).map(|client| client.name.clone());
        Ok(json!({
            "state": found.status, "redirect_uri": found.begun["redirect_uri"], "client_state": found.begun["state"],
            "client_name": name, "issuer": found.begun["issuer"], "user": decided.then_some(2),
            "connection": (found.status == "approved").then_some(12),
        }))
    }

    fn token(&mut self, request: &Value) -> Result<Value, Value> {
        let (id, client) = self.authenticated(&request["client"])?;
        let name = client.name.clone();
        let invalid = |reason| refused("invalid_grant", reason, Some(12));
        let code = request["code"].as_str();
        let found = self.requests.values_mut().find(|known| known.code.as_deref() == code);
        let found = found.ok_or_else(|| refused("invalid_grant", "unknown", None))?;
        let (begun, family, scope) = (&found.begun, found.family, found.scope.clone());
        if begun["client_id"] != id.as_str() {
            return Err(invalid("client"));
        }
        if found.status == "used" {
            self.revoke_family(family);
            return Err(invalid("reused"));
        }
        if !request["redirect_uri"].is_null() && begun["redirect_uri"] != request["redirect_uri"] {
            return Err(invalid("redirect_uri"));
        }
        if begun["code_challenge"] != request["code_challenge"] {
            return Err(invalid("code_verifier"));
        }
        found.status = "used";
        Ok(self.grant(request, &id, &name, &scope, family))
    }

    fn grant(&mut self, request: &Value, client: &str, name: &str, scope: &Value, family: usize) -> Value {
        let mut has_refresh = false;
        for (member, access) in [("access", true), ("refresh", false)] {
            let Some(proof) = request[member].as_str() else { continue };
            has_refresh |= !access;
            let token = Token {
                access,
                client: client.to_owned(),
                scope: scope.clone(),
                family,
                successor: None,
                revoked: false,
            };
            self.tokens.insert(proof.to_owned(), token);
        }
        json!({"granted": {"scope": scope, "expires_in": 3600, "refresh": has_refresh, "client_name": name,
            "connection": 12, "user": 2}})
    }

    fn refresh(&mut self, request: &Value) -> Result<Value, Value> {
        let (id, client) = self.authenticated(&request["client"])?;
        let name = client.name.clone();
        let proof = request["token"].as_str().unwrap();
        let Some(token) = self.tokens.get(proof).filter(|token| !token.access).cloned() else {
            return Err(refused("invalid_grant", "unknown", None));
        };
        let invalid = |reason| refused("invalid_grant", reason, Some(12));
        if token.client != id {
            return Err(invalid("client"));
        }
        if token.revoked {
            return Err(invalid("revoked"));
        }
        if let Some(successor) = &token.successor {
            let unused = self.tokens.get(successor).is_some_and(|next| next.successor.is_none());
            if !self.grace || !unused {
                self.revoke_family(token.family);
                return Err(invalid("reused"));
            }
        }
        let next = request["refresh"].as_str().unwrap().to_owned();
        self.tokens.get_mut(proof).unwrap().successor = Some(next);
        let scope =
            if request["scope"] == json!(["mcp:read"]) { request["scope"].clone() } else { token.scope };
        Ok(self.grant(request, &id, &name, &scope, token.family))
    }

    fn client_credentials(&mut self, request: &Value) -> Result<Value, Value> {
        let (id, client) = self.authenticated(&request["client"])?;
        let name = client.name.clone();
        Ok(self.grant(request, &id, &name, &json!(["mcp:read", "mcp:write"]), usize::MAX))
    }

    fn revoke(&mut self, request: &Value) -> Result<Value, Value> {
        let (id, _) = self.authenticated(&request["client"])?;
        let token = self.tokens.get(request["token"].as_str().unwrap());
        let Some(token) = token.filter(|token| token.client == id).cloned() else {
            return Ok(json!({"revoked": false, "connection": null, "user": null}));
        };
        self.revoke_family(token.family);
        Ok(json!({"revoked": true, "connection": 12, "user": 2}))
    }

    fn introspect(&mut self, request: &Value) -> Result<Value, Value> {
        let (id, _) = self.authenticated(&request["client"])?;
        let token = self.tokens.get(request["token"].as_str().unwrap());
        Ok(match token.filter(|token| !token.revoked && token.client == id) {
            None => json!({"active": false}),
            Some(token) => json!({"active": true, "scope": token.scope, "client_id": id, "username": "admin",
                "exp": 2_000_000_000, "iat": 1_900_000_000, "aud": "https://odoo.example.com/odoo/mcp", "sub": "2"}),
        })
    }

    fn revoke_family(&mut self, family: usize) {
        for token in self.tokens.values_mut().filter(|token| token.family == family) {
            token.revoked = true;
        }
    }
}
