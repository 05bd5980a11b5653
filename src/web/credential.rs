//! Reads the credential of a request: an API key or an access token from the `Authorization` header, an API key also
//! from the two other headers that some clients can set.
//!
//! A token in the query string is ignored (it would be in the logs of every proxy on the way), so such a request
//! has no credential. Nor is one of several credentials chosen: a proxy on the way may have chosen another one.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::http_fault::HttpFault;
use crate::vocab::{Credential, CredentialKind};

/// Further headers of an API key: claude.ai sends no others that a user chooses.
pub(super) const KEY_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-api-key"), HeaderName::from_static("x-auth-token")];

/// The credential that a request presents.
#[derive(Debug)]
pub(super) enum PresentedCredential {
    Missing,
    /// A header that cannot be a credential.
    Malformed(HttpFault),
    Credential(Credential),
}

/// What is wrong with a header.
type Problem = Cow<'static, str>;

/// Reads the headers; checks shape and checksum only.
pub(super) fn read(headers: &HeaderMap) -> PresentedCredential {
    match presented(headers) {
        Ok(None) => PresentedCredential::Missing,
        Ok(Some(credential)) => PresentedCredential::Credential(credential),
        Err(message) => PresentedCredential::Malformed(HttpFault::Unauthorized {
            sent: true,
            reason: "malformed_credential".into(),
            message,
        }),
    }
}

/// The one credential of a request; the same one in several headers is accepted.
fn presented(headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
    let mut found = read_authorization(headers)?;
    for name in &KEY_HEADERS {
        for value in headers.get_all(name) {
            let key = read_key(name, value)?;
            if found.as_ref().is_some_and(|first| first.proof != key.proof) {
                return Err(
                    "the request holds two different credentials: send one API key or access token".into()
                );
            }
            found = Some(key);
        }
    }
    Ok(found)
}

fn read_authorization(headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("more than one Authorization header was sent".into());
    }
    let Some((scheme, text)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Err(
            "the Authorization header must be: Bearer, a space, the API key or the access token".into()
        );
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err("only Bearer credentials are accepted: an API key or an access token".into());
    }
    let credential = Credential::parse(text.trim())
        .map_err(|error| format!("the API key or access token is malformed: {error}"))?;
    match credential.kind {
        CredentialKind::ApiKey | CredentialKind::AccessToken => Ok(Some(credential)),
        _ => Err("this kind of credential opens nothing here: send an API key or an access token".into()),
    }
}

fn read_key(name: &HeaderName, value: &HeaderValue) -> Result<Credential, Problem> {
    let key = Credential::parse(value.to_str().unwrap_or("").trim())
        .map_err(|error| format!("the API key in {name} is malformed: {error}"))?;
    match key.kind {
        CredentialKind::ApiKey => Ok(key),
        CredentialKind::AccessToken => {
            Err("an access token comes in the Authorization header only; the other headers take API keys"
                .into())
        }
        _ => {
            Err(format!("the header {name} takes an API key, and this is another kind of credential").into())
        }
    }
}

/// The fault of a request without a credential.
pub(super) fn missing() -> HttpFault {
    HttpFault::Unauthorized {
        sent: false,
        reason: "no_credential".into(),
        message:
            "A credential is needed: sign in, or send an API key in the header 'Authorization: Bearer ...'"
                .into(),
    }
}

/// The fault of a credential that is not accepted; `reason` is the contract's word or one of this side's. Clients show
/// the sentence to a person who wonders why a browser opens: so it says which of the two is meant.
pub(super) fn refused(kind: CredentialKind, reason: &str) -> HttpFault {
    let message = match (kind, reason) {
        (CredentialKind::ApiKey, "revoked") => "The connection of this API key was revoked",
        (CredentialKind::ApiKey, "expired") => "The API key has expired",
        (CredentialKind::ApiKey, "user") => "The user of this API key is not active",
        (CredentialKind::ApiKey, _) => "The API key is not known",
        (_, "revoked") => "The connection was revoked",
        (_, "expired") => "The access token has expired",
        (_, "user") => "The user of this connection is not active",
        (_, "audience") => "The access token was issued for another server",
        (_, "oauth_disabled") => "Signing in is switched off on this server: use an API key",
        _ => "The access token is not known",
    };
    HttpFault::Unauthorized { sent: true, reason: reason.to_owned().into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "mcp_ak_00000000000000000000000000000000000000000002eEzbZ";

    /// Another credential of this kind.
    fn of_kind(prefix: &str) -> String {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/wire/credentials.json")).unwrap();
        let mut good = vectors["good"].as_array().unwrap().iter().map(|case| case["text"].as_str().unwrap());
        good.find(|text| text.starts_with(prefix) && *text != KEY).unwrap().to_owned()
    }

    fn presented(headers: &[(&'static str, &str)]) -> PresentedCredential {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        read(&map)
    }

    fn is_accepted(headers: &[(&'static str, &str)]) -> bool {
        matches!(presented(headers), PresentedCredential::Credential(_))
    }

    #[track_caller]
    fn is_malformed(headers: &[(&'static str, &str)], sentence: &str) {
        let PresentedCredential::Malformed(HttpFault::Unauthorized { message, .. }) = presented(headers)
        else {
            panic!("{headers:?}");
        };
        assert!(message.contains(sentence), "{message}");
    }

    #[test]
    fn a_bearer_key_is_a_credential() {
        assert!(is_accepted(&[("authorization", &format!("Bearer {KEY}"))]));
        assert!(is_accepted(&[("authorization", &format!("bearer  {KEY}"))]));
        assert!(is_accepted(&[("authorization", &format!("Bearer {}", of_kind("mcp_at_")))]));
        assert!(matches!(presented(&[]), PresentedCredential::Missing));
    }

    #[test]
    fn everything_else_is_malformed() {
        let bearer = format!("Bearer {KEY}");
        for prefix in ["mcp_rt_", "mcp_ac_", "mcp_cs_"] {
            is_malformed(&[("authorization", &format!("Bearer {}", of_kind(prefix)))], "API key");
        }
        is_malformed(&[("authorization", "Basic dXNlcjpwYXNz")], "only Bearer");
        is_malformed(&[("authorization", "Bearer")], "API key");
        is_malformed(&[("authorization", "Bearer short")], "56 characters");
        is_malformed(&[("authorization", &bearer), ("authorization", &bearer)], "more than one");
        is_malformed(&[("authorization", &bearer.replace('Z', "Y"))], "checksum");
    }

    #[test]
    fn a_key_is_read_from_three_headers_and_a_token_from_one() {
        let (bearer, token) = (format!("Bearer {KEY}"), of_kind("mcp_at_"));
        for name in ["x-api-key", "x-auth-token"] {
            assert!(is_accepted(&[(name, KEY)]) && is_accepted(&[(name, &format!(" {KEY} "))]));
            assert!(is_accepted(&[(name, KEY), (name, KEY)]));
            is_malformed(&[(name, &bearer)], name);
            is_malformed(&[(name, "")], name);
            is_malformed(&[(name, &token)], "Authorization header only");
            is_malformed(&[(name, &of_kind("mcp_rt_"))], name);
            // The same one twice is one; two are none, whichever is good.
            assert!(is_accepted(&[(name, KEY), ("authorization", &bearer)]));
            is_malformed(&[(name, KEY), ("authorization", &format!("Bearer {token}"))], "two different");
            is_malformed(&[(name, &of_kind("mcp_ak_")), (name, KEY)], "two different");
            is_malformed(&[(name, KEY), ("authorization", "Basic dXNlcjpwYXNz")], "only Bearer");
        }
        assert!(is_accepted(&[("x-api-key", KEY), ("x-auth-token", KEY)]));
        is_malformed(&[("x-api-key", KEY), ("x-auth-token", &of_kind("mcp_ak_"))], "two different");
    }
}
