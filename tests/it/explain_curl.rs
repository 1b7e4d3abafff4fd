//! `explain` of what curl saves (the answer with its head, the head alone, the whole exchange), and what only the
//! request shows.

use serde_json::Value;

use crate::common::ready::mint;
use crate::common::saved::{Corti, Explained, Id, assert_among, assert_first, explain, names};

impl Corti {
    fn explain_output(&self, path: &str, arguments: &[&str]) -> Explained {
        explain(&self.world, &self.curl(path, arguments), "")
    }
}

#[test]
fn every_way_that_curl_saves_an_answer_is_understood() {
    let corti = Corti::start();
    let token = mint(&corti.world, "--scope streams");
    let bearer = format!("Authorization: Bearer {token}");
    let send = ["-H", &bearer, "-H", "Tenant-Name: base"];
    for how in [&["-si"][..], &["-sv"], &["-siv"], &["-s"], &["-s", "-D", "-"]] {
        let explained = corti.explain_output("/v2/languages/", &[&send[..], how].concat());
        // Without a head, the status comes from the body.
        let seen = (&explained["status"], names(&explained)[0]);
        assert_eq!(seen, (&Value::from(403), "limited-token-on-rest"), "{how:?}");
        assert_eq!(explained["shape"], "an error of the v2 API", "{how:?}");
        assert!(!explained.to_string().contains("eyJ"), "{how:?}");
    }
    let head = corti.explain_output("/v2/languages/", &["-s", "-D", "-", "-o", "/dev/null"]);
    assert_first(&head, Id("no-token"), "only that a token is required");
    let alone = corti.explain_output("/realms/nowhere/protocol/openid-connect/token", &["-s"]);
    assert_first(&alone, Id("unknown-tenant"), "Realm does not exist");
    // An interim `100 Continue` comes first where curl waits before it sends a body.
    let form = "grant_type=client_credentials&client_id=nobody&client_secret=x";
    let path = "/realms/base/protocol/openid-connect/token";
    let saved = corti.curl(path, &["-si", "-H", "Expect: 100-continue", "--data", form]);
    assert!(saved.starts_with("HTTP/1.1 100 Continue"), "{saved}");
    assert_first(&explain(&corti.world, &saved, ""), Id("unknown-client"), "invalid_client");
}

#[test]
fn a_head_alone_has_the_causes_of_its_status() {
    let corti = Corti::start();
    let form = "grant_type=client_credentials&client_id=sandbox&client_secret=x";
    let head = ["-s", "-D", "-", "-o", "/dev/null", "--data", form];
    let saved = corti.curl("/realms/base/protocol/openid-connect/token", &head);
    assert!(saved.starts_with("HTTP/1.1 401") && saved.ends_with("\r\n\r\n"), "{saved}");
    assert_among(&explain(&corti.world, &saved, ""), Id("bad-credentials"));
}

#[test]
fn the_saved_request_shows_the_cause() {
    let corti = Corti::start();
    let (full, limited) = (mint(&corti.world, "--full"), mint(&corti.world, "--scope transcribe"));
    let socket = |token: &str| format!("/audio-bridge/v2/transcribe?tenant-name=base&token={token}");
    let explained = corti.explain_output(&socket(&format!("Bearer%2520{limited}")), &["-sv"]);
    assert_first(&explained, Id("encoded-twice"), "`%20` is sent in place of the space");
    assert_eq!(names(&explained), ["encoded-twice"], "{explained:#}");
    let explained = corti.explain_output(&socket(&limited), &["-sv"]);
    assert_first(&explained, Id("missing-bearer"), "the saved request has the token without Bearer");
    assert_eq!(names(&explained), ["missing-bearer"], "{explained:#}");
    assert_first(
        &corti.explain_output("/v2/languages/", &["-sv"]),
        Id("no-token"),
        "the saved request has no token",
    );
    let bearer = format!("Authorization: Bearer {full}");
    let explained = corti.explain_output("/v2/languages/", &["-sv", "-H", &bearer]);
    assert_first(&explained, Id("missing-tenant"), "the request names no tenant");
    let file = corti.world.file("token.txt", &full);
    let saved = corti.curl("/v2/languages/", &["-sv", "-H", &bearer, "-H", "Tenant-Name: other"]);
    let explained = explain(&corti.world, &saved, &format!("--token-file {file}"));
    assert_first(&explained, Id("wrong-tenant"), "the token is for tenant `base`, but `other` was sent");
    // A path that is nearly a WebSocket's.
    let path = format!("/audio-bridge/v2/interactions/{}/stream?tenant-name=base", uuid::Uuid::new_v4());
    let explained = corti.explain_output(&path, &["-sv"]);
    assert_first(&explained, Id("misspelt-path"), "/stream`");
    // A token for another WebSocket, and a full token where a limited one would do.
    let streams = mint(&corti.world, "--scope streams");
    let saved = corti.curl(&socket(&format!("Bearer%20{streams}")), &["-sv"]);
    let file = corti.world.file("token.txt", &streams);
    let explained = explain(&corti.world, &saved, &format!("--token-file {file}"));
    assert_first(&explained, Id("wrong-scope-for-the-socket"), "streams`");
    let saved = corti.curl(&socket(&format!("Bearer%20{full}")), &["-sv"]);
    let file = corti.world.file("token.txt", &full);
    let explained = explain(&corti.world, &saved, &format!("--token-file {file}"));
    assert_among(&explained, Id("full-token"));
}
