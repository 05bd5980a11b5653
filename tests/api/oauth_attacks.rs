//! Attacks on a login that cross endpoints; those on one endpoint stand with its tests.

use futures_util::future::join_all;

use crate::support::oauth_flow::{CLIENT, Login, REDIRECT, changed, param, refresh_target};

/// An attacker's login that a victim approves: the code goes to the browser that began it only.
#[tokio::test]
async fn an_approval_of_a_victim_gives_an_attacker_no_code() {
    let login = Login::start().await;
    let attacker = login.begin(&[]).await;
    // The victim opens the link that the attacker sent, and allows. Its browser comes back without the cookie.
    let approval = login.records.decide(&attacker.handle, true, "full");
    let victim = login.resume(&attacker.handle, Some(&approval), None).await;
    assert_eq!((victim.status, refresh_target(&victim.text)), (400, None));
    // The attacker has the cookie but never saw the approval.
    let attempt = login.resume(&attacker.handle, None, Some(&attacker.cookie)).await;
    assert_eq!((attempt.status, refresh_target(&attempt.text)), (400, None));
    let sent = login.server.odoo.requests("oauth_resume");
    assert!(sent.iter().all(|request| request["approval"].is_null()), "the first never reached Odoo");
}

/// Login CSRF: a code of the attacker in the victim's client fails at the verifier.
#[tokio::test]
async fn a_code_of_another_login_fails_at_the_verifier() {
    let login = Login::start().await;
    let challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let code = login.code(&[("code_challenge", Some(challenge))]).await;
    let injected = login.exchange(&code, &[]).await;
    assert_eq!((injected.status, injected.json()["error"].as_str().unwrap()), (400, "invalid_grant"));
}

/// The issuer is in each redirect, so that a client with several servers knows whose answer it is (RFC 9207).
#[tokio::test]
async fn every_redirect_to_a_client_names_the_issuer() {
    let login = Login::start().await;
    let approved = login.callback(&[]).await;
    let begun = login.begin(&[]).await;
    let approval = login.records.decide(&begun.handle, false, "full");
    let denied = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
    let refused = login.authorize(&[("response_type", None)]).await;
    for url in [approved, refresh_target(&denied.text).unwrap(), refused.header("location").to_owned()] {
        assert_eq!(param(&url, "iss").as_deref(), Some("https://odoo.example.com"), "{url}");
        assert_eq!(url.matches("iss=").count(), 1);
    }
}

#[tokio::test]
async fn texts_of_a_client_are_never_markup_nor_headers() {
    let login = Login::start().await;
    let evil = "</title><script>alert(1)</script>\"'\r\nSet-Cookie: x=1\r\n\r\n<svg onload=alert(1)>";
    for name in ["client_id", "redirect_uri", "state", "scope", "resource", "response_type", "code_challenge"]
    {
        let answer = login.authorize(&[(name, Some(evil))]).await;
        assert!(!answer.text.contains("<script") && !answer.text.contains("<svg"), "{name}: {answer:?}");
        assert!(!answer.header("set-cookie").contains("x=1"));
        assert!(!answer.header("location").contains(['<', '"', '\r', '\n']), "{name}");
    }
    let begun = login.begin(&[("state", Some(evil))]).await;
    let approval = login.records.decide(&begun.handle, true, "full");
    let page = login.resume(&begun.handle, Some(&approval), Some(&begun.cookie)).await;
    assert!(
        !page.text.contains("<script") && !page.text.contains("<svg") && !page.text.contains("Set-Cookie: x")
    );
    for query in [format!("request={evil}"), format!("request={}&approval={evil}", begun.handle)] {
        let query = query.replace('\r', "%0d").replace('\n', "%0a").replace(' ', "+").replace('"', "%22");
        let request =
            login.http.get(format!("{}?{query}", login.url("/oauth/resume"))).header("cookie", &begun.cookie);
        assert!(!login.server.ask(request).await.text.contains("alert(1)"));
    }
}

#[tokio::test]
async fn huge_and_broken_requests_are_refused_without_a_call_to_odoo() {
    let login = Login::start().await;
    let before = login.server.odoo.calls().len();
    for query in [
        "a=b&".repeat(3000),
        format!("client_id={}", "c".repeat(5000)),
        "%".repeat(500),
        format!("client_id={CLIENT}&redirect_uri={}", "r".repeat(10_000)),
        format!("client_id={CLIENT}&redirect_uri={REDIRECT}{}", "/x".repeat(2000)),
    ] {
        let answer = login.authorize_with(&query, None).await;
        assert_eq!(answer.status, 400);
    }
    let bodies = [
        "&&&===".repeat(2000),
        "grant_type=%FF".to_owned(),
        "=".to_owned(),
        "\0\0".to_owned(),
        String::new(),
    ];
    for body in bodies {
        let request = login.http.post(login.url("/oauth/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(login.server.ask(request).await.status, 400);
    }
    let calls = login.server.odoo.calls().split_off(before);
    assert!(calls.iter().all(|call| !matches!(call.method.as_str(), "oauth_token" | "oauth_begin")));
    let asked = calls.iter().filter(|call| call.method == "oauth_client");
    assert!(asked.into_iter().all(|call| call.request["client_id"].as_str().unwrap().len() < 2000));
}

/// A flood of one kind is refused with the time to wait, and other endpoints go on.
#[tokio::test]
async fn a_flood_of_authorization_requests_is_refused() {
    let login = Login::start().await;
    let answers = join_all((0..100).map(|_| login.authorize(&[]))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!((20..=60).contains(&refused.len()), "{}", refused.len());
    assert!(refused.iter().all(|answer| !answer.header("retry-after").is_empty()));
    let form =
        changed(&[("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", "x")], &[]);
    assert_eq!(login.post("/oauth/token", &form).await.status, 400);
}
