//! The grant `authorization_code`: a code and its PKCE verifier for a pair of tokens.

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};

use super::{Issued, Pair};
use crate::oauth::error::OauthError;
use crate::oauth::form_endpoint::ClientForm;
use crate::oauth::redirect_uri::MAX_REDIRECT_URI_BYTES;
use crate::oauth::resource;
use crate::oauth::store::TokenRequest;
use crate::vocab::Proof;

/// RFC 7636, section 4.1.
const VERIFIER_LEN: std::ops::RangeInclusive<usize> = 43..=128;

pub(in crate::oauth) async fn exchange(form: &ClientForm<'_>) -> Result<Issued, OauthError> {
    let params = &form.params;
    let code = params.get("code")?.ok_or_else(|| OauthError::invalid_request("code is missing"))?;
    let pair = Pair::of(form, code)?;
    let code_challenge = params.get("code_verifier")?.map(challenge_of).transpose()?;
    let redirect_uri = params.get("redirect_uri")?.map(str::to_owned);
    if redirect_uri.as_ref().is_some_and(|uri| uri.len() > MAX_REDIRECT_URI_BYTES) {
        let text = "The redirect URI is not the one of the authorization request";
        return Err(OauthError::new("invalid_grant", "redirect_uri", text));
    }
    let resource = resource::requested_for_grant(form.server, &form.policy, params)?;
    let request = |client| TokenRequest {
        client,
        code: Proof::of_text(code),
        redirect_uri: redirect_uri.clone(),
        code_challenge: code_challenge.clone(),
        resource: resource.clone(),
        access: Proof::of_text(pair.access.expose()),
        refresh: Proof::of_text(pair.refresh.expose()),
        ip: form.ip(),
    };
    let store = &form.server.store;
    let granted = form.send(|client| {
        let request = request(client);
        Box::pin(async move { store.exchange_code(&request).await })
    });
    let granted = granted.await?;
    Ok(pair.issued(granted))
}

/// The challenge of a verifier. Checked first, since the crate panics on another length.
fn challenge_of(verifier: &str) -> Result<String, OauthError> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !VERIFIER_LEN.contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        let text = "code_verifier must have 43 to 128 letters, digits, hyphens, dots, underscores or tildes";
        return Err(OauthError { reason: "code_verifier".into(), ..OauthError::invalid_request(text) });
    }
    let verifier = PkceCodeVerifier::new(verifier.to_owned());
    Ok(PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_rfc_holds_and_other_lengths_are_refused() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge_of(verifier).unwrap(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        for text in
            ["a".repeat(42), "a".repeat(129), "é".repeat(43), format!("{}+", "a".repeat(43)), String::new()]
        {
            assert_eq!(challenge_of(&text).unwrap_err().code, "invalid_request", "{text}");
        }
    }
}
