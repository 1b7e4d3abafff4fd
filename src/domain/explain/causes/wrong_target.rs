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
    let differs = |part: fn(&Place) -> String| {
        let pair = issuer.map(part).zip(configured.map(part));
        pair.filter(|(issuer, configured)| issuer != configured)
    };
    let other_environment = differs(|(environment, _)| environment.to_string());
    let says_key = it.says(&["issuer", "key of the token", "signature"]);
    let is_elsewhere = says_key && (other_environment.is_some() || it.says(&["issuer"]));
    let environment = configured.map_or("eu".to_owned(), |(environment, _)| quote(&environment.to_string()));
    let issuing_tenant = issuer.map(|(_, tenant)| tenant.to_string());
    let named_tenant = it.request.as_ref().and_then(|request| request.tenant.clone());
    let sent = issuing_tenant.zip(named_tenant).filter(|(own, sent)| own != sent);
    let other_tenant = differs(|(_, tenant)| tenant.to_string());
    let is_unsent = it.request.as_ref().is_some_and(|request| request.tenant.is_none());
    let says_tenant = is_403 && it.says(&["tenant"]);
    let says_missing = it.says(&["missing"]);
    let remedy_for = |place: Option<&Place>| {
        let tenant = place.map_or_else(Tenant::default, |(_, tenant)| tenant.clone());
        format!("send `Tenant-Name: {tenant}` (WebSocket: `tenant-name={tenant}`): corti-auth status")
    };
    let client = it.claims().and_then(|claims| claims.client.as_ref());
    let clients = client.zip(it.configured.client.as_ref()).filter(|(own, here)| *own != here.as_str());
    let is_about_client = it.is_status(&[403, 404]) || it.status.is_none() && concerns_a_token;
    vec![
        cause("wrong-environment", "the token is of another environment")
            .said(it, is_elsewhere)
            .shown(other_environment.filter(|_| concerns_a_token).map(|(own, configured)| {
                format!("the token is of `{own}`, and `{configured}` is configured")
            }))
            .shown((says_key && has_no_token).then_some("a token of another environment has such a key"))
            .fits(it.has_only_status(&[401]) && has_no_token)
            .remedy(format!(
                "mint it in the environment you call: an eu token does not work in us: \
                 corti-auth token --full --environment {environment}"
            )),
        cause("wrong-tenant", "Tenant-Name is not the token's tenant")
            .said(it, says_tenant && !says_missing)
            .shown(
                sent.filter(|_| concerns_a_token)
                    .map(|(own, sent)| format!("the token is of tenant `{own}`, and `{sent}` was sent")),
            )
            .shown(other_tenant.filter(|_| concerns_a_token).map(|(own, configured)| {
                format!("the token is of tenant `{own}`, and `{configured}` is configured")
            }))
            .fits(only_403 && has_no_token)
            .remedy(remedy_for(issuer)),
        cause("missing-tenant", "Tenant-Name is missing")
            .said(it, says_tenant && says_missing)
            .shown((is_unsent && is_403 && it.refuses_a_token()).then_some("the request names no tenant"))
            .fits(only_403 && it.request.is_none())
            .remedy(remedy_for(issuer.or(configured))),
        cause("wrong-client", "the token is of another client, which has its own interactions")
            .shown(
                clients
                    .filter(|_| is_about_client)
                    .map(|(own, here)| format!("the token is of client `{own}`, and `{here}` is configured")),
            )
            .remedy("mint one for the client that made the interaction: corti-auth token --full"),
    ]
}
