//! Client authentication (RFC 6749, section 2.3): HTTP Basic, a secret in the form, or none.
//!
//! Which of them a client may use is Odoo's decision, and so is whether the secret is right.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;

use super::error::OauthError;
use super::http::OauthRequest;
use super::params::{Params, decode};
use super::store::ClientRef;
use crate::vocab::Proof;

/// The longest client id, in bytes.
const MAX_CLIENT_ID_BYTES: usize = 2000;

/// Padding is left out by some clients.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The client as it presents itself.
pub(super) fn presented(request: &OauthRequest, params: &Params) -> Result<ClientRef, OauthError> {
    let basic = basic_credentials(request)?;
    let (id, secret) = (params.get("client_id")?, params.get("client_secret")?);
    let reference = match (basic, id, secret) {
        (Some(_), _, Some(_)) => {
            let text =
                "The client authenticates twice: send its secret in the Authorization header or in the form";
            return Err(OauthError { reason: "two_methods".into(), ..OauthError::invalid_request(text) });
        }
        (Some((basic_id, _)), Some(id), None) if basic_id != id => {
            let text = "client_id is another one than in the Authorization header";
            return Err(OauthError { reason: "client_id".into(), ..OauthError::invalid_request(text) });
        }
        (Some((client_id, secret)), ..) => reference(client_id, Some(&secret), "client_secret_basic"),
        (None, Some(id), secret) => reference(id.to_owned(), secret, "client_secret_post"),
        (None, None, _) => return Err(OauthError::invalid_client("missing", "client_id is missing")),
    };
    if reference.client_id.len() > MAX_CLIENT_ID_BYTES {
        return Err(OauthError::invalid_client("unknown", "The client is not known here"));
    }
    Ok(reference)
}

/// A client without a secret uses no method, whichever way it sent its id.
fn reference(client_id: String, secret: Option<&str>, auth_method: &'static str) -> ClientRef {
    let secret = secret.filter(|secret| !secret.is_empty()).map(Proof::of_text);
    ClientRef { client_id, auth_method: if secret.is_some() { auth_method } else { "none" }, secret }
}

/// Whether the client used HTTP Basic, and is answered in kind.
pub(super) fn uses_basic(request: &OauthRequest) -> bool {
    request.header(&AUTHORIZATION).is_some_and(|value| basic_payload(value).is_some())
}

fn basic_payload(header: &str) -> Option<&str> {
    let (scheme, payload) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| payload.trim())
}

/// Id and secret of the header, both form-encoded within it. Other schemes are no client authentication.
fn basic_credentials(request: &OauthRequest) -> Result<Option<(String, String)>, OauthError> {
    if request.headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Err(OauthError::invalid_request("There is more than one Authorization header"));
    }
    let Some(payload) = request.header(&AUTHORIZATION).and_then(basic_payload) else { return Ok(None) };
    let malformed = || OauthError::invalid_client("malformed", "The Authorization header cannot be read");
    let decoded = BASE64.decode(payload).map_err(|_| malformed())?;
    let mut parts = decoded.splitn(2, |byte| *byte == b':');
    let (Some(id), Some(secret)) = (parts.next(), parts.next()) else { return Err(malformed()) };
    let (Some(id), Some(secret)) = (decode(id), decode(secret)) else { return Err(malformed()) };
    if id.is_empty() {
        return Err(malformed());
    }
    Ok(Some((id, secret)))
}
