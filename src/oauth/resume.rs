//! The way back from consent: with the browser's cookie and the approval, the code is derived and handed to the client.
//!
//! The last step is a page that navigates, not a redirect: browsers block a redirect to an application's scheme after a
//! form, and a person needs a link where nothing listens any more (O01). Loaded again, it gives the same outcome.

use http::StatusCode;

use super::browser;
use super::budgets::Budget;
use super::derive::DerivationKey;
use super::error::OauthError;
use super::http::{AuditNote, OauthAnswer, OauthRequest};
use super::pages::{self, Page};
use super::params::Params;
use super::policy::Policy;
use super::redirect;
use super::redirect_uri::{RedirectKind, RedirectUri};
use super::server::AuthorizationServer;
use super::store::{ResumeAnswer, ResumeRequest, ResumeState};
use crate::vocab::{Proof, Secret};

const METHOD: &str = "oauth/resume";

const FAILED: &str = "This login cannot go on";

pub(super) async fn resume(server: &AuthorizationServer, request: &OauthRequest) -> OauthAnswer {
    answer(server, request).await.unwrap_or_else(|error| {
        pages::error_page("Login is not possible at the moment", &error, METHOD, None)
    })
}

async fn answer(server: &AuthorizationServer, request: &OauthRequest) -> Result<OauthAnswer, OauthError> {
    let policy = server.policy();
    policy.check_enabled()?;
    policy.check_open()?;
    let key = policy.key.as_ref().and_then(DerivationKey::read).ok_or_else(OauthError::unreachable)?;
    server.budgets.acquire(Budget::Authorize, request.peer)?;
    let params = Params::parse(request.query.as_bytes())?;
    let (Some(handle), Some(browser)) = (
        params.get("request")?.filter(|handle| browser::is_secret(handle)),
        browser::secret_of(server, &request.headers),
    ) else {
        return Ok(unknown());
    };
    let code = key.code(handle);
    let approval = params.get("approval")?.filter(|approval| browser::is_secret(approval));
    let stored = ResumeRequest {
        request: Proof::of_text(handle),
        browser: Proof::of_text(&browser),
        approval: approval.map(Proof::of_text),
        code: Proof::of_text(code.expose()),
    };
    let outcome = server.store.resume(&stored).await?;
    Ok(page(server, &policy, handle, &code, &outcome))
}

/// The page of each outcome.
fn page(
    server: &AuthorizationServer,
    policy: &Policy,
    handle: &str,
    code: &Secret,
    outcome: &ResumeAnswer,
) -> OauthAnswer {
    let client = outcome.client_name.as_deref().unwrap_or("your AI tool");
    let note = AuditNote {
        method: Some(METHOD),
        client: outcome.client_name.clone(),
        connection: outcome.connection,
        user: outcome.user,
        ..AuditNote::default()
    };
    let refused = |reason: &str, error: &str| AuditNote {
        reason: Some(reason.to_owned()),
        error: Some(error.to_owned()),
        ..note.clone()
    };
    let issuer = outcome.issuer.as_deref().unwrap_or(&server.issuer);
    let target = outcome.redirect_uri.as_deref().and_then(|uri| RedirectUri::parse(uri).ok());
    let state = outcome.client_state.as_deref();
    match (outcome.state, target) {
        (ResumeState::Approved, Some(target)) => {
            let mut params = vec![("code", code.expose())];
            params.extend(state.map(|state| ("state", state)));
            params.push(("iss", issuer));
            let url = redirect::with_params(target.as_str(), &params);
            let title = format!("{client} may use Odoo");
            navigating(&title, client, &url, target.kind()).with_audit(note)
        }
        (ResumeState::Denied, Some(target)) => {
            let text = "Access was denied on the consent page.";
            let url = redirect::with_error(target.as_str(), "access_denied", text, state, issuer);
            let title = format!("{client} was given no access");
            navigating(&title, client, &url, target.kind()).with_audit(refused("denied", text))
        }
        (ResumeState::Expired, Some(target)) => {
            let text = "The login took too long. Start it again in your AI tool.";
            let url = redirect::with_error(target.as_str(), "access_denied", text, state, issuer);
            let link = Some((url.as_str(), format!("Return to {client}")));
            let page = Page { title: FAILED, paragraphs: vec![text.to_owned()], link, follows: false };
            page.answer(StatusCode::BAD_REQUEST).with_audit(refused("expired", text))
        }
        (ResumeState::Pending, _) => {
            let url =
                format!("{}/mcp_sidecar/consent?request={handle}", policy.web_url.trim_end_matches('/'));
            let text = "Nothing was decided yet. Open the consent page in Odoo and choose Allow or Deny.";
            let link = Some((url.as_str(), "Open the consent page".to_owned()));
            let page =
                Page { title: "Not decided yet", paragraphs: vec![text.to_owned()], link, follows: false };
            page.answer(StatusCode::BAD_REQUEST).with_audit(refused("pending", text))
        }
        (ResumeState::Used, _) => {
            let text = format!("You have logged in to {client} already. You can close this window.");
            let page = Page { title: "Already logged in", paragraphs: vec![text], ..Page::default() };
            page.answer(StatusCode::OK)
        }
        _ => unknown(),
    }
}

/// The page that leads to the client.
fn navigating(title: &str, client: &str, url: &str, kind: RedirectKind) -> OauthAnswer {
    let mut paragraphs = vec![format!("This window leads back to {client}.")];
    if kind != RedirectKind::Https {
        paragraphs.push(format!(
            "If nothing happens, choose the link. When {client} is open, you can close this window."
        ));
    }
    let link = Some((url, format!("Return to {client}")));
    Page { title, paragraphs, link, follows: true }.answer(StatusCode::OK)
}

/// The same page whether the request is unknown or belongs to another browser.
fn unknown() -> OauthAnswer {
    let text = "This login is not known in this browser, or its time is over. Start it again in your AI tool, and \
                stay in the browser that it opens.";
    let error = OauthError::new("access_denied", "unknown", text);
    pages::error_page(FAILED, &error, METHOD, None)
}
