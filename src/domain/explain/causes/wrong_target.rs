//! The causes of requests with the wrong environment, tenant or client.

use crate::domain::client::identity::Tenant;
use crate::domain::explain::cause::{Cause, cause};
use crate::domain::explain::evidence::{Evidence, Place};
use crate::domain::text::shell::quote;

pub(super) fn causes(it: &Evidence) -> Vec<Cause> {
    let has_no_token = it.token.is_none();
    let only_403 = it.has_only_status(&[403]);
    let (is_403, concerns_a_token) = (it.is_status(&[403]), it.concerns_a_token());
    let issuer = it.claims().and_then(|claims| claims.place.as_ref());
    let configured = it.configured.place.as_ref();
    let environment_of = |place: Option<&Place>| place.map(|(environment, _)| environment.to_string());
    let tenant_of = |place: Option<&Place>| place.map(|(_, tenant)| tenant.to_string());
    let here = "is configured";
    let other_environment = mismatch("", environment_of(issuer), environment_of(configured), here);
    let says_key = it.says("issuer|key of the token|signature");
    let is_elsewhere = says_key && (other_environment.is_some() || it.says("issuer"));
    let environment = environment_of(configured).map_or("eu".to_owned(), |environment| quote(&environment));
    let named_tenant = it.request.as_ref().and_then(|request| request.tenant.clone());
    let sent = mismatch("tenant ", tenant_of(issuer), named_tenant, "was sent");
    let other_tenant = mismatch("tenant ", tenant_of(issuer), tenant_of(configured), here);
    let is_unsent = it.request.as_ref().is_some_and(|request| request.tenant.is_none());
    let says_tenant = is_403 && it.says("tenant");
    let says_missing = it.says("missing");
    let remedy_for = |place| {
        let tenant = tenant_of(place).unwrap_or_else(|| Tenant::default().to_string());
        format!("send `Tenant-Name: {tenant}` (WebSocket: `tenant-name={tenant}`): corti-auth status")
    };
    let own_client = it.claims().and_then(|claims| claims.client.clone());
    let client = it.configured.client.as_ref().map(ToString::to_string);
    let other_client = mismatch("client ", own_client, client, here);
    let is_about_client = it.is_status(&[403, 404]) || it.status.is_none() && concerns_a_token;
    vec![
        cause("wrong-environment", "the token is of another environment")
            .said(it, is_elsewhere)
            .shown(other_environment.filter(|_| concerns_a_token))
            .shown((says_key && has_no_token).then_some("a token of another environment has such a key"))
            .fits(it.has_only_status(&[401]) && has_no_token)
            .remedy(format!(
                "mint it in the environment you call: an eu token does not work in us: \
                 corti-auth token --full --environment {environment}"
            )),
        cause("wrong-tenant", "Tenant-Name is not the token's tenant")
            .said(it, says_tenant && !says_missing)
            .shown(sent.filter(|_| concerns_a_token))
            .shown(other_tenant.filter(|_| concerns_a_token))
            .fits(only_403 && has_no_token)
            .remedy(remedy_for(issuer)),
        cause("missing-tenant", "Tenant-Name is missing")
            .said(it, says_tenant && says_missing)
            .shown((is_unsent && is_403 && it.refuses_a_token()).then_some("the request names no tenant"))
            .fits(only_403 && it.request.is_none())
            .remedy(remedy_for(issuer.or(configured))),
        cause("wrong-client", "the token is of another client, which has its own interactions")
            .shown(other_client.filter(|_| is_about_client))
            .remedy("mint one for the client that made the interaction: corti-auth token --full"),
    ]
}

/// Says that the token's `own` environment, tenant or client is not the `other` one.
fn mismatch(what: &str, own: Option<String>, other: Option<String>, how: &str) -> Option<String> {
    let (own, other) = own.zip(other).filter(|(own, other)| own != other)?;
    Some(format!("the token is of {what}`{own}`, and `{other}` {how}"))
}
