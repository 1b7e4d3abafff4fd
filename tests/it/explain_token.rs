//! `explain` of a refused token: a sandbox produces each cause, and its answer is explained.

use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::ready::mint;
use crate::common::saved::{
    Corti, Explained, Id, Saved, assert_among, assert_first, explain, form, get, grant, names, read,
};
use crate::common::{self, Said, Sandbox, World};

const LANGUAGES: &str = "/v2/languages/";
const TRANSCRIBE: &str = "/audio-bridge/v2/transcribe?tenant-name=base";

impl Corti {
    /// What `explain` says of an answer, given the token in a file.
    fn explain(&self, saved: &Saved, token: &str) -> Explained {
        let file = self.world.file("token.txt", token);
        explain(&self.world, saved, &format!("--token-file {file}"))
    }

    fn get(&self, path: &str, headers: &[&str]) -> Saved {
        get(&self.sandbox, path, headers)
    }
}

#[tokio::test]
async fn an_expired_token_is_explained() {
    let corti = Corti::start();
    let control = Control::of(&corti.sandbox);
    control.set(json!({ "token_lifetime": 1 })).await;
    let token = mint(&corti.world, "--full");
    let mut answer = Saved::default();
    common::wait_until("the token has expired", || {
        answer = read(&corti.sandbox, LANGUAGES, &token);
        answer.starts_with("HTTP/1.1 401")
    });
    // The server's message is enough; the token shows it too.
    assert_first(&explain(&corti.world, &answer, ""), Id("expired"), "The token has expired");
    let explained = corti.explain(&answer, &token);
    assert_first(&explained, Id("expired"), " before the answer");
    assert_eq!(explained["shape"], "an empty body");
    // For a WebSocket, the remedy is a token for that WebSocket.
    let limited = mint(&corti.world, "--scope streams");
    common::wait_until("the other has expired", || {
        answer = corti.get(&format!("{TRANSCRIBE}&token=Bearer%20{limited}"), &[]);
        answer.starts_with("HTTP/1.1 401")
    });
    let explained = corti.explain(&answer, &limited);
    assert_eq!(explained["causes"][0]["remedy"], "mint a new one: corti-auth token streams");
    // The token alone.
    let file = corti.world.file("token.txt", &token);
    let said = Said::by(&mut corti.world.run(&format!("explain --token-file {file}")));
    assert!(said.stdout.contains("the token expired") && said.stdout.contains(" ago"), "{}", said.stdout);
    let seen = Said::by(&mut corti.world.run(&format!("explain --json --token-file {file}"))).json();
    assert_eq!((&seen["token"]["reach"], &seen["shape"]), (&json!("full"), &Value::Null));
}

#[tokio::test]
async fn different_clocks_are_explained() {
    let corti = Corti::start();
    let control = Control::of(&corti.sandbox);
    let token = mint(&corti.world, "--full");
    control.set(json!({ "clock_skew": 9000 })).await;
    let explained = corti.explain(&read(&corti.sandbox, LANGUAGES, &token), &token);
    assert_eq!(names(&explained), ["expired", "clock-skew"], "{explained:#}");
    assert_among(&explained, Id("clock-skew"));
    let skew = explained["causes"][1]["evidence"].to_string();
    for words in ["the answer's Date is 2 h ", "by this machine's clock the token is valid for another"] {
        assert!(skew.contains(words), "{skew}");
    }
    // By this machine's clock, that server's token is issued in the future.
    let ahead = mint(&corti.world, "--full");
    let file = corti.world.file("token.txt", &ahead);
    let explained = Said::by(&mut corti.world.run(&format!("explain --json --token-file {file}"))).json();
    assert_eq!(names(&explained), ["clock-skew"], "{explained:#}");
    assert!(explained.to_string().contains("the token was issued 2 h "), "{explained:#}");
}

#[test]
fn a_token_in_a_wrong_form_is_explained() {
    let corti = Corti::start();
    let token = mint(&corti.world, "--scope transcribe");
    let none = corti.get(LANGUAGES, &["Tenant-Name: base"]);
    assert_first(&explain(&corti.world, &none, ""), Id("no-token"), "only that a token is required");
    let bare = corti.get(LANGUAGES, &[&format!("Authorization: {token}"), "Tenant-Name: base"]);
    let explained = corti.explain(&bare, &token);
    assert_first(&explained, Id("missing-bearer"), "not preceded by Bearer");
    // To the server, a space that was encoded twice looks like a missing `Bearer`.
    assert_eq!(names(&explained), ["missing-bearer", "encoded-twice"], "{explained:#}");
    assert_eq!(explained["causes"][1]["confidence"], "medium");
    let twice = corti.get(&format!("{TRANSCRIBE}&token=Bearer%2520{token}"), &[]);
    let explained = corti.explain(&twice, &format!("Bearer%20{token}"));
    assert_first(&explained, Id("encoded-twice"), "`%20` is sent in place of the space");
    assert_eq!((names(&explained).len(), &explained["token"]["reach"]), (1, &json!("limited")));
    let doubled = corti.get(LANGUAGES, &[&format!("Authorization: Bearer Bearer {token}")]);
    let explained = corti.explain(&doubled, &format!("Bearer Bearer {token}"));
    assert_first(&explained, Id("malformed-token"), "the word Bearer is written twice");
    let half: String = token.chars().take(200).collect();
    let explained = corti.explain(&read(&corti.sandbox, LANGUAGES, &half), &half);
    assert_first(&explained, Id("malformed-token"), "cannot be decoded");
}

#[test]
fn a_token_of_another_kind_or_key_is_explained() {
    let corti = Corti::start();
    let answer = grant(&corti.sandbox, &form(&corti.sandbox, "openid"));
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let id_token = serde_json::from_str::<Value>(body).unwrap()["id_token"].as_str().unwrap().to_owned();
    let refused = read(&corti.sandbox, LANGUAGES, &id_token);
    assert_first(&corti.explain(&refused, &id_token), Id("not-an-access-token"), "it is an ID token");
    let token = mint(&corti.world, "--full");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let altered = format!("{signed}.{other}{}", signature.chars().skip(1).collect::<String>());
    let refused = read(&corti.sandbox, LANGUAGES, &altered);
    assert_first(
        &corti.explain(&refused, &altered),
        Id("unknown-key"),
        "The signature of the token is invalid",
    );
    // An unknown message is shown, together with the causes that fit the status.
    let none = token.replacen(token.split('.').next().unwrap(), &rewritten_header(&token), 1);
    let refused = read(&corti.sandbox, LANGUAGES, &none);
    let explained = corti.explain(&refused, &none);
    assert_eq!(names(&explained), ["missing-bearer", "refused-token"], "{explained:#}");
    assert_among(&explained, Id("refused-token"));
    assert!(explained.to_string().contains("The algorithm of the token is not RS256"), "{explained:#}");
}

/// The token's header with another algorithm.
fn rewritten_header(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    URL_SAFE_NO_PAD.encode(String::from_utf8(header).unwrap().replace("RS256", "RS512"))
}

#[test]
fn a_token_of_another_environment_is_explained() {
    let (here, there) = (Corti::start(), Corti::start());
    let foreign = mint(&there.world, "--full");
    let refused = read(&here.sandbox, LANGUAGES, &foreign);
    let explained = here.explain(&refused, &foreign);
    assert_first(
        &explained,
        Id("wrong-environment"),
        &format!("the token is for `{}`", there.sandbox.environment),
    );
    let remedy = explained["causes"][0]["remedy"].as_str().unwrap();
    assert!(remedy.ends_with(&format!("--environment {}", here.sandbox.environment)), "{remedy}");
    // Without the token it is only a possible cause.
    let explained = explain(&here.world, &refused, "");
    assert_eq!(names(&explained), ["unknown-key", "wrong-environment"], "{explained:#}");
    // The token alone, compared with the configured environment.
    let file = here.world.file("token.txt", &foreign);
    let alone = Said::by(&mut here.world.run(&format!("explain --json --token-file {file}"))).json();
    assert_eq!(names(&alone), ["wrong-environment"], "{alone:#}");
    // The same host with another realm.
    let other = Sandbox::start_with(&["--tenant", "other"]);
    let refused = read(&other, LANGUAGES, &foreign);
    assert!(names(&here.explain(&refused, &foreign)).contains(&"wrong-environment"));
}

#[test]
fn a_missing_or_wrong_tenant_is_explained() {
    let corti = Corti::start();
    let token = mint(&corti.world, "--full");
    let bearer = format!("Authorization: Bearer {token}");
    let missing = corti.explain(&corti.get(LANGUAGES, &[&bearer]), &token);
    assert_first(&missing, Id("missing-tenant"), "the tenant name is missing");
    assert_eq!(missing["shape"], "an error of the v2 API");
    let saved = corti.get(LANGUAGES, &[&bearer, "Tenant-Name: other"]);
    let wrong = corti.explain(&saved, &token);
    assert_first(&wrong, Id("wrong-tenant"), "the tenant name is not the token's");
    assert!(wrong["causes"][0]["remedy"].to_string().contains("`Tenant-Name: base`"), "{wrong:#}");
    // The configured tenant shows where the wrong one came from.
    let file = corti.world.file("token.txt", &token);
    let wrong = explain(&corti.world, &saved, &format!("--token-file {file} --tenant other"));
    assert_first(&wrong, Id("wrong-tenant"), "the token is for tenant `base`, but `other` is configured");
}

#[test]
fn a_token_with_the_wrong_scope_is_explained() {
    let corti = Corti::start();
    let transcribe = mint(&corti.world, "--scope transcribe");
    let rest = corti.explain(&read(&corti.sandbox, LANGUAGES, &transcribe), &transcribe);
    assert_first(&rest, Id("limited-token-on-rest"), "transcribe`");
    let streams = mint(&corti.world, "--scope streams");
    let saved = corti.get(&format!("{TRANSCRIBE}&token=Bearer%20{streams}"), &[]);
    let socket = corti.explain(&saved, &streams);
    assert_first(&socket, Id("wrong-scope-for-the-socket"), "streams`");
    let remedy = socket["causes"][0]["remedy"].as_str().unwrap();
    assert!(remedy.ends_with("corti-auth token transcribe"), "{remedy}");
    let id = uuid::Uuid::new_v4();
    let path =
        format!("/audio-bridge/v2/interactions/{id}/streams?tenant-name=base&token=Bearer%20{transcribe}");
    let socket = corti.explain(&corti.get(&path, &[]), &transcribe);
    let remedy = socket["causes"][0]["remedy"].as_str().unwrap();
    assert!(remedy.ends_with("corti-auth token streams"), "{remedy}");
    // Without a file, CORTI_ACCESS_TOKEN is the token in use.
    let mut world = World::new();
    world.set("CORTI_ACCESS_TOKEN", &transcribe);
    let refused = read(&corti.sandbox, LANGUAGES, &transcribe);
    assert_first(&explain(&world, &refused, ""), Id("limited-token-on-rest"), "the token's scopes are");
}

#[test]
fn a_token_of_another_client_is_explained() {
    let corti = Corti::start();
    let token = mint(&corti.world, "--full");
    let path = format!("/v2/interactions/{}", uuid::Uuid::new_v4());
    let refused = read(&corti.sandbox, &path, &token);
    let mut world = World::of(&corti.sandbox);
    world.set("CORTI_CLIENT_ID", "another");
    let file = world.file("token.txt", &token);
    let explained = explain(&world, &refused, &format!("--token-file {file}"));
    assert_eq!(names(&explained), ["no-such-interaction", "wrong-client"], "{explained:#}");
    assert_among(&explained, Id("wrong-client"));
    assert!(explained["causes"][1]["evidence"][0].as_str().unwrap().contains("`another` is configured"));
}
