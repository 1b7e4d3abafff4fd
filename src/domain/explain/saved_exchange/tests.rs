//! Tests the forms in which curl saves an exchange. `tests/it/explain_curl.rs` tests them with curl itself.

use super::*;

fn read(text: &str) -> (Option<u16>, Option<String>, String) {
    let exchange = SavedExchange::read(text);
    (exchange.status, exchange.header("x").map(str::to_owned), exchange.body)
}

#[test]
fn the_last_of_several_heads_counts() {
    let table = [
        ("HTTP/1.1 401 Unauthorized\r\nX: 1\r\n\r\nbody", (Some(401), Some("1"), "body")),
        ("HTTP/2 403 \nx:2\n\n{\n\n}", (Some(403), Some("2"), "{\n\n}")),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\nX: 3\r\n\r\nb", (Some(409), Some("3"), "b")),
        ("HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 500\r\n\r\n", (Some(500), None, "")),
        ("HTTP/1.1 404 Not Found\r\nX: 4", (Some(404), Some("4"), "")),
        ("{\"a\":1}", (None, None, "{\"a\":1}")),
        ("", (None, None, "")),
        ("HTTP/", (None, None, "")),
    ];
    for (text, (status, header, body)) in table {
        assert_eq!(read(text), (status, header.map(str::to_owned), body.to_owned()), "{text}");
    }
}

#[test]
fn a_verbose_log_has_the_request_too() {
    let log = "* Connected\n> GET /v2/languages/?a=b HTTP/1.1\r\n> Host: h\r\n> Authorization: eyJx\r\n> \r\n\
               * remark\n< HTTP/1.1 401 Unauthorized\r\n< X: 1\r\n< \r\n{ [5 bytes data]\nbody\n* done\n";
    let exchange = SavedExchange::read(log);
    assert_eq!(
        (exchange.status, exchange.header("x"), exchange.body.as_str()),
        (Some(401), Some("1"), "body")
    );
    let request = SavedRequest { path: "/v2/languages/".into(), token: Some(BearerForm::Bare), tenant: None };
    assert_eq!(exchange.request, Some(request));
}

#[test]
fn a_token_is_presented_in_one_of_four_forms() {
    let table = [
        ("Bearer eyJ", BearerForm::Bearer),
        ("bearer  eyJ", BearerForm::Bearer),
        ("eyJ", BearerForm::Bare),
        ("Bearereyj", BearerForm::Bare),
        ("Bearer%20eyJ", BearerForm::Encoded),
        ("Bearer Bearer eyJ", BearerForm::Doubled),
    ];
    for (text, form) in table {
        assert_eq!(BearerForm::of(text), form, "{text}");
    }
    for (value, form) in [
        ("Bearer%20eyJ", BearerForm::Bearer),
        ("Bearer+eyJ", BearerForm::Bearer),
        ("eyJ", BearerForm::Bare),
        ("Bearer%2520eyJ", BearerForm::Encoded),
    ] {
        let log = format!("> GET /x?token={value} HTTP/1.1\n> \n< HTTP/1.1 401 Unauthorized\n");
        let request = SavedExchange::read(&log).request.unwrap();
        assert_eq!(request.token, Some(form), "{value}");
    }
}

#[test]
fn an_address_is_cut_where_a_secret_may_begin() {
    let table = [
        ("https://h/a/b", "https://h/a/b"),
        ("https://h?x=1", "https://h"),
        ("https://user:p@ss@h:1/a@b#f", "https://h:1/a@b"),
        ("//u@h", "//h"),
        ("/a?b", "/a"),
        ("/a%3fb", "/a"),
        ("", ""),
    ];
    for (text, bare) in table {
        assert_eq!(bare_address(text), bare, "{text}");
    }
}

#[test]
fn of_a_har_the_failed_exchange_with_corti_is_read() {
    let entry = |url: &str, status: u16, text: &str, encoding: Option<&str>| {
        serde_json::json!({
            "request": { "url": url, "headers": [
                { "name": "Authorization", "value": "Bearer eyJx" }, { "name": "Tenant-Name", "value": "base" }] },
            "response": { "status": status, "headers": [{ "name": "X", "value": text }],
                "content": { "text": text, "encoding": encoding } },
        })
    };
    let corti = "https://api.eu.corti.app/v2/languages/?a=b";
    let good = entry(corti, 200, "good", None);
    let other = entry("https://x.example/corti.app", 404, "other", None);
    let bad = entry(corti, 403, "YmFk", Some("base64"));
    let socket =
        entry("wss://api.eu.corti.app/audio-bridge/v2/transcribe?token=Bearer%20eyJx", 401, "later", None);
    let table = [
        (vec![&good, &other, &bad, &socket], 403, "bad"),
        (vec![&good, &other], 404, "other"),
        (vec![&other, &socket], 401, "later"),
        (vec![&good], 200, "good"),
    ];
    for (entries, status, body) in table {
        let har = serde_json::json!({ "log": { "version": "1.2", "entries": entries } }).to_string();
        let exchange = SavedExchange::read(&har);
        assert_eq!((exchange.status, exchange.body.as_str()), (Some(status), body));
        assert!(!exchange.credentials.is_empty(), "{body}");
    }
    let har = serde_json::json!({ "log": { "entries": [bad] } }).to_string();
    let SavedExchange { request, headers, .. } = SavedExchange::read(&har);
    let token = Some(BearerForm::Bearer);
    assert_eq!(
        request,
        Some(SavedRequest { path: "/v2/languages/".into(), token, tenant: Some("base".into()) })
    );
    assert_eq!(headers, [("x".to_owned(), "YmFk".to_owned())]);
    let none = SavedExchange::read(r#"{"log":{"entries":[]}}"#);
    assert_eq!((none.status, none.body.as_str()), (None, ""));
}
