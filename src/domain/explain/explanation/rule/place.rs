//! Where the place is wrong: the environment, the tenant, the client.

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::explain::explanation::Evidence;
use crate::domain::text::shell::quote;

use super::{Rule, Signs, fitting};

pub(super) const RULES: [Rule; 4] = [
    Rule {
        id: "wrong-environment",
        cause: "the token is of another environment than the one it was sent to",
        signs: |it| {
            let differing = differing(it, |(environment, _)| environment.to_string());
            let words = it.said(&["issuer", "key of the token", "signature"]);
            let concerned = it.concerns_a_token();
            let shown = differing.as_ref().filter(|_| concerned);
            let of = |(own, configured): &(String, String)| {
                format!("the token is of `{own}`, and `{configured}` is configured")
            };
            Signs::none()
                .said(words.clone().filter(|_| differing.is_some() || it.said(&["issuer"]).is_some()))
                .shown(shown.map(of))
                .shown(
                    words
                        .filter(|_| it.token().is_none())
                        .map(|_| "a token of elsewhere has such a key".to_owned()),
                )
                .fits(fitting(it, &[401]).filter(|_| it.token().is_none()))
        },
        remedy: |it| {
            let place = it.configured.place.as_ref();
            let flag = place.map(|(environment, _)| quote(&environment.to_string()));
            let flag = flag.unwrap_or_else(|| "eu".to_owned());
            format!(
                "mint it where it is used; eu and us take no tokens of each other: corti-auth token --full --environment {flag}"
            )
        },
    },
    Rule {
        id: "wrong-tenant",
        cause: "Tenant-Name is not the token's tenant",
        signs: |it| {
            let missing = it.said(&["missing"]).is_some();
            let named = it.asked.as_ref().and_then(|asked| asked.tenant.clone());
            let own = own_place(it).map(|(_, tenant)| tenant.to_string());
            let sent = own.as_ref().zip(named).filter(|(own, sent)| **own != *sent);
            let differing = differing(it, |(_, tenant)| tenant.to_string());
            let concerned = it.concerns_a_token();
            Signs::none()
                .said(it.said(&["tenant"]).filter(|_| it.is_status(&[403]) && !missing))
                .shown(
                    sent.filter(|_| concerned)
                        .map(|(own, sent)| format!("the token is of tenant `{own}`, and `{sent}` was sent")),
                )
                .shown(differing.filter(|_| concerned).map(|(own, configured)| {
                    format!("the token is of tenant `{own}`, and `{configured}` is configured")
                }))
                .fits(fitting(it, &[403]).filter(|_| it.token().is_none()))
        },
        remedy: |it| {
            let tenant = own_place(it).map_or_else(Tenant::default, |(_, tenant)| tenant.clone());
            format!("send `Tenant-Name: {tenant}`, at a WebSocket `tenant-name={tenant}`: corti-auth status")
        },
    },
    Rule {
        id: "missing-tenant",
        cause: "Tenant-Name is missing",
        signs: |it| {
            let unsent = it.asked.as_ref().is_some_and(|asked| asked.tenant.is_none());
            let unsent = unsent && it.is_status(&[403]) && it.refuses_a_token();
            Signs::none()
                .said(it.said(&["tenant"]).filter(|words| it.is_status(&[403]) && words.contains("missing")))
                .shown(unsent.then(|| "the request names no tenant".to_owned()))
                .fits(fitting(it, &[403]).filter(|_| it.asked.is_none()))
        },
        remedy: |it| {
            let tenant = own_place(it).or(it.configured.place.as_ref());
            let tenant = tenant.map_or_else(Tenant::default, |(_, tenant)| tenant.clone());
            format!("send `Tenant-Name: {tenant}`, at a WebSocket `tenant-name={tenant}`: corti-auth status")
        },
    },
    Rule {
        id: "wrong-client",
        cause: "the token is of another client, whose interactions are its own",
        signs: |it| {
            let own = it.token().and_then(|token| token.inspection.as_ref()?.client.clone());
            let pair = own.zip(it.configured.client.as_ref()).filter(|(own, here)| own != here.as_str());
            let alone = it.status.is_none() && it.concerns_a_token();
            let concerned = it.is_status(&[403, 404]) || alone;
            let text = |(own, here)| format!("the token is of client `{own}`, and `{here}` is configured");
            Signs::none().shown(pair.filter(|_| concerned).map(text))
        },
        remedy: |_| "mint one for the client that made the interaction: corti-auth token --full".to_owned(),
    },
];

type Place = (Environment, Tenant);

/// The place that the token names as its own.
fn own_place(evidence: &Evidence) -> Option<&Place> {
    evidence.token().and_then(|token| token.inspection.as_ref()?.place.as_ref())
}

/// The token's own and what is configured here, where one part of the two differs.
fn differing(evidence: &Evidence, part: fn(&Place) -> String) -> Option<(String, String)> {
    let own = own_place(evidence)?;
    let configured = evidence.configured.place.as_ref()?;
    Some((part(own), part(configured))).filter(|(own, configured)| own != configured)
}
