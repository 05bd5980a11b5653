//! Reads the bearer credential of a request: from the `Authorization` header and nowhere else.
//!
//! A token in the query string is ignored (it would be in the logs of every proxy on the way), so such a request
//! has no credential.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::http_fault::HttpFault;
use crate::vocab::{Credential, CredentialKind};

/// The credential that a request presents.
#[derive(Debug)]
pub(super) enum PresentedCredential {
    Missing,
    /// A header that cannot be a credential.
    Malformed(HttpFault),
    Credential(Credential),
}

/// Reads the header; checks shape and checksum only.
pub(super) fn read(headers: &HeaderMap) -> PresentedCredential {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return PresentedCredential::Missing };
    if values.next().is_some() {
        return malformed("more than one Authorization header was sent");
    }
    let Some((scheme, text)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return malformed("the Authorization header must be: Bearer, a space, the credential");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return malformed("only Bearer credentials are accepted");
    }
    match Credential::parse(text.trim()) {
        Ok(credential) => match credential.kind {
            CredentialKind::ApiKey | CredentialKind::AccessToken => {
                PresentedCredential::Credential(credential)
            }
            _ => malformed("this kind of credential opens nothing here"),
        },
        Err(error) => malformed(format!("the credential is malformed: {error}")),
    }
}

/// The fault of a request without a credential.
pub(super) fn missing() -> HttpFault {
    HttpFault::Unauthorized {
        sent: false,
        reason: "no_credential".into(),
        message: "A credential is needed: send the header 'Authorization: Bearer ...'".into(),
    }
}

/// The fault of a credential that Odoo does not accept; `reason` is the contract's word.
pub(super) fn refused(reason: &str) -> HttpFault {
    let message = match reason {
        "revoked" => "The connection was revoked",
        "expired" => "The credential has expired",
        "user" => "The user of this connection is not active",
        _ => "The credential is not known",
    };
    HttpFault::Unauthorized { sent: true, reason: reason.to_owned().into(), message: message.into() }
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> PresentedCredential {
    PresentedCredential::Malformed(HttpFault::Unauthorized {
        sent: true,
        reason: "malformed_credential".into(),
        message: what.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "mcp_ak_00000000000000000000000000000000000000000002eEzbZ";

    fn presented(values: &[&str]) -> PresentedCredential {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        read(&headers)
    }

    #[test]
    fn a_bearer_key_is_a_credential() {
        assert!(matches!(presented(&[&format!("Bearer {KEY}")]), PresentedCredential::Credential(_)));
        assert!(matches!(presented(&[&format!("bearer  {KEY}")]), PresentedCredential::Credential(_)));
        assert!(matches!(presented(&[]), PresentedCredential::Missing));
    }

    #[test]
    fn everything_else_is_malformed() {
        let refresh = KEY.replace("_ak_", "_rt_");
        for values in [
            vec!["Basic dXNlcjpwYXNz".to_owned()],
            vec!["Bearer".to_owned()],
            vec!["Bearer short".to_owned()],
            vec![format!("Bearer {refresh}")],
            vec![format!("Bearer {KEY}"), format!("Bearer {KEY}")],
            vec![format!("Bearer {}", KEY.replace('Z', "Y"))],
        ] {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            assert!(matches!(presented(&values), PresentedCredential::Malformed(_)), "{values:?}");
        }
    }
}
