//! Where the API takes the token and refuses the request, where it is busy or broken, and where something in front of it
//! answers. The numbered types are those of Corti's documentation.

use crate::domain::explain::explanation::Shape;

use super::{NO_PATH, Rule, Signs, fitting};

pub(super) const RULES: [Rule; 12] = [
    Rule {
        id: "duplicate-identifier",
        cause: "the client has an encounter with this identifier already",
        signs: |it| {
            let is_duplicate = it.is_status(&[409]) || it.problem() == Some("A0017");
            let words = it.words().filter(|_| is_duplicate && it.problem().is_some());
            Signs::none().said(words).fits(fitting(it, &[409]))
        },
        remedy: |_| {
            "use each identifier once; a fresh one is the default: corti-auth interaction create".to_owned()
        },
    },
    Rule {
        id: "no-such-interaction",
        cause: "there is no such interaction, or it belongs to another client",
        signs: |it| {
            let is_missing = it.problem() == Some("A0007") || it.said(&["interaction"]).is_some();
            let words = it.words().filter(|_| is_missing && it.is_status(&[404]));
            Signs::none().said(words).fits(fitting(it, &[404]))
        },
        remedy: |_| {
            "what is another client's is not found either; make one: corti-auth interaction create".to_owned()
        },
    },
    Rule {
        id: "misspelt-path",
        cause: "the path is misspelt: the WebSocket's is /streams",
        signs: |it| {
            let path = it.asked.as_ref().map(|asked| asked.path.as_str()).unwrap_or_default();
            let is_stream = path.trim_end_matches('/').ends_with("/stream");
            Signs::none()
                .shown((is_stream && it.is_status(&[404])).then(|| format!("the path is `{path}`")))
                .said(it.words().filter(|_| is_stream && it.is_status(&[404])))
        },
        remedy: |_| "use the websocketUrl as the API returns it: corti-auth interaction create".to_owned(),
    },
    Rule {
        id: "unknown-path",
        cause: "there is no such path, or it takes another method",
        signs: |it| {
            let api = it.said(&["path"]).filter(|_| it.is_status(&[404]) && it.problem().is_some());
            let realm = it.said(&NO_PATH).filter(|_| it.oauth().is_some());
            Signs::none().said(api.or(realm)).fits(fitting(it, &[404, 405]))
        },
        remedy: |_| {
            "a token is a POST to .../protocol/openid-connect/token; the API's paths begin with /v2/ or /audio-bridge/v2/, \
             and those of lists end with a slash: corti-auth status -v"
                .to_owned()
        },
    },
    Rule {
        id: "invalid-request",
        cause: "the request does not say what the API expects",
        signs: |it| {
            let is_duplicate = it.problem() == Some("A0017");
            let words = it.words().filter(|_| it.is_status(&[400, 422]) && it.problem().is_some());
            Signs::none().said(words.filter(|_| !is_duplicate)).fits(fitting(it, &[400, 422]))
        },
        remedy: |_| {
            "mend the named fields and leave the rest; compare with a request that works: \
             corti-auth interaction create -v"
                .to_owned()
        },
    },
    Rule {
        id: "quota",
        cause: "the credits are used up, or the trial is over",
        signs: |it| {
            let is_quota = it.problem() == Some("A0021") || it.said(&["balance", "quota", "trial"]).is_some();
            let words = it.words().filter(|_| it.is_status(&[429]) && is_quota);
            Signs::none().said(words).fits(fitting(it, &[429]).filter(|_| it.retry_after.is_none()))
        },
        remedy: |_| "trying again does not help: look at the balance in the Corti Console".to_owned(),
    },
    Rule {
        id: "rate-limit",
        cause: "too many requests in a short time",
        signs: |it| {
            let is_quota = it.problem() == Some("A0021") || it.said(&["balance", "quota", "trial"]).is_some();
            let wait = it.retry_after.as_ref().filter(|_| it.is_status(&[429]) && !is_quota);
            Signs::none()
                .said(it.words().filter(|_| it.is_status(&[429]) && !is_quota))
                .shown(wait.map(|wait| format!("Retry-After is {wait}")))
                .fits(fitting(it, &[429]))
        },
        remedy: |it| {
            let wait =
                it.retry_after.as_ref().map_or_else(|| "a little".to_owned(), |wait| format!("{wait} s"));
            format!("wait {wait}, and use a token until it expires instead of minting for every call")
        },
    },
    Rule {
        id: "gateway",
        cause: "something in front of the API answered, not the API",
        signs: |it| {
            let page = it.shape == Shape::Html;
            Signs::none()
                .certain(
                    page.then(|| "the answer is a page of HTML, which no API of Corti's sends".to_owned()),
                )
                .fits(fitting(it, &[502, 503, 504]))
        },
        remedy: |_| {
            "look for a proxy, a wrong host or an outage (https://status.corti.ai): corti-auth doctor"
                .to_owned()
        },
    },
    Rule {
        id: "server-trouble",
        cause: "the server failed; the request may be fine",
        signs: |it| {
            let is_trouble = it.status.is_some_and(|status| (500..600).contains(&status));
            let words = it.words().filter(|_| is_trouble);
            let bare = it.status.filter(|_| is_trouble && it.words().is_none() && it.shape != Shape::Html);
            Signs::none().said(words).fits(bare.map(|status| format!("{status} fits")))
        },
        remedy: |_| {
            "wait a little and try again; https://status.corti.ai shows outages: corti-auth doctor".to_owned()
        },
    },
    Rule {
        id: "agents-refusal",
        cause: "the agents API refused the request",
        signs: |it| {
            let words = it.words().filter(|_| matches!(it.shape, Shape::Agents { .. }));
            Signs::none().said(words)
        },
        remedy: |it| match &it.shape {
            Shape::Agents { fix: Some(fix), .. } => format!("the server advises: {fix}"),
            _ => "its errors name a code, which Corti documents: corti-auth status".to_owned(),
        },
    },
    Rule {
        id: "broken-off",
        cause: "the answer broke off on its way",
        signs: |it| {
            let cut = it.shape == Shape::Broken;
            Signs::none().certain(cut.then(|| "the body is a JSON text that has no end".to_owned()))
        },
        remedy: |_| "try again; if it stays so, look for a proxy in between: corti-auth doctor".to_owned(),
    },
    Rule {
        id: "no-failure",
        cause: "this is no failure",
        signs: |it| {
            let is_fine = it.status.is_some_and(|status| status == 101 || (200..300).contains(&status));
            let is_api = matches!(it.shape, Shape::Empty | Shape::Other);
            Signs::none().shown(
                it.status.filter(|_| is_fine && is_api).map(|status| format!("the status is {status}")),
            )
        },
        remedy: |_| "look at what came before or after it: corti-auth doctor".to_owned(),
    },
];
