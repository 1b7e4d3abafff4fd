//! `serve` forwards nothing but the paths of its table, however they are written.

use crate::common::Sandbox;
use crate::common::gateway::{BATCH, Gateway, HOST, config};
use crate::common::recorder::Recorder;

const RULES: &str = "[limits]\nrate = \"1000/s\"\nburst = 1000\n[[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"interactions.read\"]\n";

/// Ways to write another path than the one that is meant, or to smuggle a second one.
pub const TRICKS: [&str; 71] = [
    "/corti/v2/languages/..",
    "/corti/v2/languages/../interactions/",
    "/corti/v2/languages/..%2finteractions/",
    "/corti/v2/languages/%2e%2e/interactions/",
    "/corti/v2/languages/%2e%2e%2finteractions/",
    "/corti/v2/languages/.%2e/interactions/",
    "/corti/v2/languages/./",
    "/corti/v2/./languages/",
    "/corti/v2//languages/",
    "/corti//v2/languages/",
    "//corti/v2/languages/",
    "/corti/v2/languages//",
    "/corti/v2/languages/;x=1",
    "/corti/v2/languages;/",
    "/corti/v2;x/languages/",
    "/corti/v2/languages/%00",
    "/corti/v2/languages%00/",
    "/corti/v2/languages/%0a",
    "/corti/v2/languages/%0d%0aHost:x",
    "/corti/v2/languages/%20",
    "/corti/v2/languages/%23",
    "/corti/v2/languages/%3f",
    "/corti/v2/languages/%3ftoken=x",
    "/corti/v2/languages\\",
    "/corti/v2\\languages/",
    "/corti/v2/languages/%5c..%5cinteractions/",
    "/corti/v2/languages/..\\interactions/",
    "/corti/v2/languages/%252e%252e/interactions/",
    "/corti/v2/languages/%c0%ae%c0%ae/",
    "/corti/v2/languages/%e0%80%ae/",
    "/corti/v2/languages/%u002e%u002e/",
    "/corti/v2/l%61nguages/",
    "/corti/%76%32/languages/",
    "/%63orti/v2/languages/",
    "/corti/v2/LANGUAGES/",
    "/CORTI/v2/languages/",
    "/corti/V2/languages/",
    "/corti/v2/languages",
    "/corti/v2/languages/x",
    "/corti/v2/languages.json",
    "/corti/v2/languages/.",
    "/corti/v1/languages/",
    "/corti/languages/",
    "/corti",
    "/corti/",
    "/v2/languages/",
    "/corti/v2/../../realms/base/protocol/openid-connect/token",
    "/corti/realms/base/protocol/openid-connect/certs",
    "/corti/_sandbox/counters",
    "/corti/v2/interactions/..",
    "/corti/v2/interactions/.",
    "/corti/v2/interactions/%2e%2e",
    "/corti/v2/interactions/x",
    "/corti/v2/interactions/7B1D1A52-5A4B-4C38-9C1E-0D6D6F1C2A3B",
    "/corti/v2/interactions/7b1d1a525a4b4c389c1e0d6d6f1c2a3b",
    "/corti/v2/interactions/urn:uuid:7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b",
    "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b/",
    "/corti/v2/interactions/7b1d1a52-5a4b-4c38-9c1e-0d6d6f1c2a3b%2f..",
    "http://evil.example/corti/v2/languages/",
    "http://localhost:1/corti/v2/languages/",
    "*",
    "",
    "/",
    "corti/v2/languages/",
    "?/corti/v2/languages/",
    "http:/corti/v2/languages/",
    "//localhost:1/corti/v2/languages/",
    "/corti/v2/languages/\u{e9}",
    "/corti/v2/languages/\u{ff0f}",
    "/corti/v2/languages/\t",
    "/corti/v2/languages/\0",
];

#[tokio::test]
async fn no_other_spelling_of_a_path_reaches_corti() {
    let (corti, idp) = (Recorder::start(), Sandbox::start());
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    assert_eq!(gateway.get("/corti/v2/languages/", BATCH).await.status, 200);
    assert_eq!(corti.take().len(), 1);
    for path in TRICKS {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {BATCH}\r\nConnection: close\r\n\r\n"
        );
        let answer = gateway.raw(head.as_bytes());
        let status = answer.get(9..12).unwrap_or_default();
        assert!(["400", "404"].contains(&status), "{path}: {answer}");
        assert_eq!(corti.take(), Vec::<String>::new(), "{path}");
    }
}
