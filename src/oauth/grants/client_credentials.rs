//! The grant `client_credentials`: an access token for a confidential client that an administrator bound to one user.

use super::Issued;
use crate::oauth::error::OauthError;
use crate::oauth::form_endpoint::ClientForm;
use crate::oauth::store::ClientCredentialsRequest;
use crate::oauth::{resource, scopes};
use crate::vocab::{CredentialKind, Proof};

pub(in crate::oauth) async fn issue(form: &ClientForm<'_>) -> Result<Issued, OauthError> {
    let params = &form.params;
    if form.client.secret.is_none() {
        return Err(OauthError::invalid_client(
            "method",
            "This grant is for clients with a secret; none was sent",
        ));
    }
    let resource = resource::requested(form.server, params)?;
    let scope = params.get("scope")?.and_then(scopes::requested).map(scopes::to_list);
    let access = CredentialKind::AccessToken.text_of(&rand::random());
    let request = |client| ClientCredentialsRequest {
        client,
        scope: scope.clone(),
        resource: resource.clone(),
        access: Proof::of_text(access.expose()),
        ip: form.ip(),
    };
    let store = &form.server.store;
    let granted = form.send(|client| {
        let request = request(client);
        Box::pin(async move { store.client_credentials(&request).await })
    });
    let granted = granted.await?;
    Ok(Issued { access, refresh: None, granted })
}
