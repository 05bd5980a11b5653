//! The grant `refresh_token`: rotation. The next pair follows from the presented token, so parallel retries get the same.

use super::{Issued, Pair};
use crate::oauth::error::OauthError;
use crate::oauth::form_endpoint::ClientForm;
use crate::oauth::store::RefreshRequest;
use crate::oauth::{resource, scopes};
use crate::vocab::Proof;

pub(in crate::oauth) async fn rotate(form: &ClientForm<'_>) -> Result<Issued, OauthError> {
    let params = &form.params;
    let token = params.get("refresh_token")?;
    let token = token.ok_or_else(|| OauthError::invalid_request("refresh_token is missing"))?;
    let pair = Pair::of(form, token)?;
    let resource = resource::requested_for_grant(form.server, &form.policy, params)?;
    let scope = params.get("scope")?.and_then(scopes::requested).map(scopes::to_list);
    let request = |client| RefreshRequest {
        client,
        token: Proof::of_text(token),
        scope: scope.clone(),
        resource: resource.clone(),
        access: Proof::of_text(pair.access.expose()),
        refresh: Proof::of_text(pair.refresh.expose()),
        ip: form.ip(),
    };
    let store = &form.server.store;
    let granted = form.send(|client| {
        let request = request(client);
        Box::pin(async move { store.refresh(&request).await })
    });
    let granted = granted.await?;
    Ok(pair.issued(granted))
}
