//! `explain` where the request did not reach the API: a redirect, and a proxy that asks for credentials.

use serde_json::Value;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::saved::{Explained, Id, assert_first, exchange_at, explain, names};
use crate::common::{Said, World};

fn explain_answer(status: &str, headers: &[&str], body: &str) -> Explained {
    let server = FakeServer::start(vec![Answer::http(status, headers, body)]);
    explain(&World::new(), &exchange_at(&server.environment, "GET /v2/languages/", &[], ""), "")
}

#[test]
fn a_redirect_is_named_with_its_target_and_without_secrets() {
    let secret = "sixteen-and-more-hidden-characters";
    let table = [
        (
            "301 Moved Permanently",
            "https://api.eu.corti.app/v2/languages/".to_owned(),
            "`https://api.eu.corti.app/v2/languages/`",
        ),
        (
            "302 Found",
            format!("https://portal.example/login?token={secret}&x=1"),
            "`https://portal.example/login`",
        ),
        ("303 See Other", format!("/login?ticket={secret}"), "`/login`"),
        (
            "307 Temporary Redirect",
            format!("//user:{secret}@h.example/a#access_token={secret}"),
            "`//h.example/a`",
        ),
        ("308 Permanent Redirect", format!("/a;jsessionid={secret}"), "`/a`"),
        ("302 Found", format!("/a%3Ftoken%3D{secret}"), "`/a`"),
    ];
    for (status, location, words) in table {
        let header = format!("Location: {location}");
        // With and without the page that a server like nginx adds.
        for body in ["", "<html><head><title>302 Found</title></head></html>"] {
            let explained = explain_answer(status, &[&header, "Content-Type: text/html"], body);
            assert_first(&explained, Id("redirect"), words);
            assert!(!explained.to_string().contains("hidden"), "{explained:#}");
            assert!(status.starts_with(&explained["status"].to_string()), "{status}");
            let remedy = explained["causes"][0]["remedy"].as_str().unwrap();
            assert!(
                remedy.contains("compare that address") && remedy.ends_with("corti-auth doctor"),
                "{remedy}"
            );
        }
    }
    let lost = explain_answer("302 Found", &[], "");
    assert_eq!((names(&lost), &lost["causes"][0]["confidence"]), (vec!["redirect"], &Value::from("low")));
    assert!(lost["causes"][0]["remedy"].as_str().unwrap().contains("curl -i"), "{lost:#}");
    // With another status, a Location means nothing.
    assert_eq!(names(&explain_answer("201 Created", &["Location: /a"], "")), ["no-failure"]);
}

#[test]
fn a_proxy_that_asks_for_credentials_is_named_with_its_scheme() {
    let page = "<!DOCTYPE html><html><title>ERROR: Cache Access Denied</title></html>";
    let basic = ["Proxy-Authenticate: Basic realm=\"the proxy, NTLM\"", "Content-Type: text/html"];
    for body in ["", page] {
        let explained = explain_answer("407 Proxy Authentication Required", &basic, body);
        assert_first(&explained, Id("proxy-credentials"), "Proxy-Authenticate asks for Basic");
        assert!(!explained.to_string().contains("the proxy, "), "the realm is not repeated: {explained:#}");
        let remedy = explained["causes"][0]["remedy"].as_str().unwrap();
        assert!(remedy.contains("HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT"), "{remedy}");
        assert!(!remedy.contains("Basic"), "{remedy}");
    }
    for (headers, words) in [
        (vec!["Proxy-Authenticate: Negotiate", "Proxy-Authenticate: NTLM"], "asks for NTLM or Negotiate"),
        (vec!["Proxy-Authenticate: Custom x=y"], "names no known scheme"),
    ] {
        let explained = explain_answer("407 Proxy Authentication Required", &headers, "");
        assert_first(&explained, Id("proxy-credentials"), words);
        assert!(
            explained["causes"][0]["remedy"].as_str().unwrap().contains("use a proxy with Basic"),
            "{words}"
        );
    }
}

#[test]
fn the_status_of_a_redirect_or_a_proxy_is_enough() {
    let world = World::new();
    for (status, id) in [
        (301, "redirect"),
        (302, "redirect"),
        (303, "redirect"),
        (307, "redirect"),
        (308, "redirect"),
        (407, "proxy-credentials"),
    ] {
        let explained = Said::by(&mut world.run(&format!("explain --json --status {status}"))).json();
        assert_eq!(names(&explained), [id], "{status}");
        assert_eq!(explained["causes"][0]["confidence"], "low");
    }
    assert_eq!(Said::by(&mut world.run("explain --status 304")).code, 1);
}
