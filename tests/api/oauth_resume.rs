//! The way back from consent: the page of each outcome, and that only the browser which began gets a code.

use crate::support::oauth::proof;
use crate::support::oauth_flow::{
    ISSUER, LOOPBACK, Login, PRIVATE, REDIRECT, link_target, param, refresh_target,
};
use crate::support::server::Answer;

fn assert_is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        (answer.header("cache-control"), answer.header("referrer-policy")),
        ("no-store", "no-referrer")
    );
    assert_eq!(
        (answer.header("x-frame-options"), answer.header("x-content-type-options")),
        ("DENY", "nosniff")
    );
    assert!(!answer.header("content-security-policy").contains("form-action"));
    assert!(!answer.text.contains("<script"));
}

/// O01: a page that navigates and shows a link, since a redirect after a form is blocked.
#[tokio::test]
async fn an_approved_login_leads_to_the_client_with_code_state_and_issuer() {
    let login = Login::start().await;
    let odd = "=&+ %25\"'<script>alert(1)</script>\\#?/\u{1f600}\u{e9}\n\t;,".repeat(40);
    for uri in [REDIRECT, LOOPBACK, "http://127.0.0.1:33418/callback", PRIVATE] {
        let begun = login.begin(&[("redirect_uri", Some(uri)), ("state", Some(&odd))]).await;
        let approval = login.records.decide(&begun.handle, true, "full");
        let page = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
        assert_is_page(&page, 200);
        let target = refresh_target(&page.text).unwrap();
        assert!(target.starts_with(&format!("{uri}?code=mcp_ac_")), "{target}");
        assert_eq!(link_target(&page.text).as_ref(), Some(&target));
        assert!(page.text.contains("Return to Client"));
        assert_eq!(param(&target, "state").as_ref(), Some(&odd));
        assert_eq!(param(&target, "iss").as_deref(), Some(ISSUER));
        assert_eq!(page.text.contains("close this window"), uri != REDIRECT);
        // Loaded again, it gives the same code.
        let again = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
        assert_eq!(refresh_target(&again.text).as_ref(), Some(&target));
    }
    let without_state = login.callback(&[("state", None)]).await;
    assert_eq!(param(&without_state, "state"), None);
    assert_eq!(param(&without_state, "iss").as_deref(), Some(ISSUER));
}

#[tokio::test]
async fn a_denied_login_leads_to_the_client_with_the_error() {
    let login = Login::start().await;
    let begun = login.begin(&[]).await;
    let approval = login.records.decide(&begun.handle, false, "full");
    let page = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
    assert_is_page(&page, 200);
    let target = refresh_target(&page.text).unwrap();
    assert!(target.starts_with(&format!("{REDIRECT}?error=access_denied&")), "{target}");
    assert_eq!(param(&target, "state").as_deref(), Some("af0ifjsldkj"));
    assert_eq!(param(&target, "iss").as_deref(), Some(ISSUER));
    assert_eq!(param(&target, "code"), None);
}

#[tokio::test]
async fn a_request_that_is_not_approved_has_a_page_that_says_what_to_do() {
    let login = Login::start().await;
    let begun = login.begin(&[]).await;
    let pending = login.resume(&begun.handle, None, Some(&begun.cookie)).await;
    assert_is_page(&pending, 400);
    assert_eq!(refresh_target(&pending.text), None);
    assert_eq!(link_target(&pending.text).unwrap(), begun.location);
    login.records.expire(&begun.handle);
    let expired = login.resume(&begun.handle, None, Some(&begun.cookie)).await;
    assert_is_page(&expired, 400);
    assert_eq!(refresh_target(&expired.text), None);
    assert!(link_target(&expired.text).unwrap().contains("error=access_denied"));
    assert!(expired.text.contains("took too long"));

    let code_of = login.begin(&[]).await;
    let approval = login.records.decide(&code_of.handle, true, "full");
    let page = login.resume(&code_of.handle, Some(&approval), Some(&code_of.cookie)).await;
    let code = param(&refresh_target(&page.text).unwrap(), "code").unwrap();
    assert_eq!(login.exchange(&code, &[]).await.status, 200);
    let used = login.resume(&code_of.handle, Some(&approval), Some(&code_of.cookie)).await;
    assert_is_page(&used, 200);
    assert_eq!((refresh_target(&used.text), link_target(&used.text)), (None, None));
    assert!(used.text.contains("already"));
}

/// The victim's approval is worth nothing in another browser, nor is the attacker's cookie without the approval.
#[tokio::test]
async fn only_the_browser_that_began_and_decided_gets_a_code() {
    let login = Login::start().await;
    let (mine, other) = (login.begin(&[]).await, login.begin(&[]).await);
    assert_ne!(mine.cookie, other.cookie);
    let approval = login.records.decide(&mine.handle, true, "full");
    let foreign_approval = login.records.decide(&other.handle, true, "full");
    let random = "A".repeat(43);
    for (handle, approval, cookie) in [
        (mine.handle.as_str(), Some(approval.as_str()), None),
        (&mine.handle, Some(&approval), Some(other.cookie.as_str())),
        (&mine.handle, Some(&approval), Some("__Host-mcp_oauth=x")),
        (&mine.handle, Some(&approval), Some("mcp_oauth=x")),
        (&mine.handle, None, Some(&mine.cookie)),
        (&mine.handle, Some(&foreign_approval), Some(&mine.cookie)),
        (&mine.handle, Some(&random), Some(&mine.cookie)),
        (&random, Some(&approval), Some(&mine.cookie)),
        ("", Some(&approval), Some(&mine.cookie)),
        ("../../x", Some(&approval), Some(&mine.cookie)),
    ] {
        let page = login.resume(handle, approval, cookie).await;
        assert_is_page(&page, 400);
        assert_eq!((refresh_target(&page.text), link_target(&page.text)), (None, None));
        assert!(!page.text.contains("mcp_ac_") && page.text.contains("not known in this browser"));
    }
    // Two cookies of the name: another host of the domain may have set one.
    let two = format!("{}; {}", mine.cookie, other.cookie);
    assert_is_page(&login.resume(&mine.handle, Some(&approval), Some(&two)).await, 400);
    assert_is_page(&login.resume(&mine.handle, Some(&approval), Some(&mine.cookie)).await, 200);
}

#[tokio::test]
async fn odoo_gets_proofs_and_never_a_secret() {
    let login = Login::start().await;
    let begun = login.begin(&[]).await;
    let approval = login.records.decide(&begun.handle, true, "full");
    let page = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
    let code = param(&refresh_target(&page.text).unwrap(), "code").unwrap();
    let tokens = login.exchange(&code, &[]).await.json();
    let sent = login.server.odoo.requests("oauth_resume").pop().unwrap();
    assert_eq!(sent["code"], proof(&code).as_str());
    assert_eq!(sent["approval"], proof(&approval).as_str());
    let secrets = [
        begun.handle.as_str(),
        begun.cookie.split_once('=').unwrap().1,
        &approval,
        &code,
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    ];
    for call in login.server.odoo.calls() {
        for secret in secrets {
            assert!(!call.body.contains(secret), "{}", call.method);
        }
    }
}
