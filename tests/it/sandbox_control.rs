//! The sandbox's control endpoint (who may use it and what it accepts), and the options that set the same at the
//! start.

use serde_json::json;

use crate::common::control::{Answer, Control, client, keys};
use crate::common::{Said, Sandbox, World};

#[tokio::test]
async fn the_control_endpoint_needs_its_bearer() {
    let sandbox = Sandbox::start();
    let control = Control::of(&sandbox);
    let url = |path: &str| format!("{}{path}", control.base);
    let bearer = format!("Bearer {}", control.token);
    let client_secret = format!("Bearer {}", sandbox.client_secret);
    for (method, path) in [
        ("GET", "/knobs"),
        ("PATCH", "/knobs"),
        ("DELETE", "/knobs"),
        ("GET", "/counters"),
        ("POST", "/rotate-keys"),
    ] {
        let bare = || client().request(method.parse().unwrap(), url(path)).body("{}");
        assert_eq!(Answer::to(bare()).await.status, 401, "{path}: no bearer");
        for wrong in ["Bearer wrong", "Bearer ", control.token.as_str(), client_secret.as_str()] {
            assert_eq!(
                Answer::to(bare().header("authorization", wrong)).await.status,
                401,
                "{path}: {wrong}"
            );
        }
        let right = || bare().header("authorization", &bearer);
        for origin in ["http://localhost:3000", "null", sandbox.environment.as_str()] {
            assert_eq!(Answer::to(right().header("origin", origin)).await.status, 403, "{path}: {origin}");
        }
        let port = sandbox.environment.rsplit_once(':').unwrap().1;
        for host in ["corti.example", &format!("corti.example:{port}"), &format!("localhost:{port}"), ""] {
            let refused = Answer::to(right().header("host", host)).await;
            assert_eq!(refused.status, 403, "{path}: {host}");
            let reason = refused.json()["error"].as_str().unwrap().to_owned();
            assert!(reason.contains(&format!("{}/_sandbox/", sandbox.environment)), "{reason}");
        }
        assert_eq!(Answer::to(right()).await.status, 200, "{path}");
        let lower = bare().header("authorization", bearer.replace("Bearer", "bearer"));
        assert_eq!(Answer::to(lower).await.status, 200, "{path}: the scheme in lower case");
    }
}

#[tokio::test]
async fn settings_are_shown_checked_and_reset() {
    let sandbox = Sandbox::start_with(&["--fail-count", "3", "--token-lifetime", "60s"]);
    let control = Control::of(&sandbox);
    let neutral = json!({
        "latency_ms": 0, "fail_status": 503, "fail_count": 0, "retry_after": null, "drop_connections": 0,
        "truncate_answers": 0, "api_fault": "gateway", "api_fail_count": 0, "ignore_scopes": false, "terse": false, "token_lifetime": 300, "clock_skew": 0,
    });
    let mut expected = neutral.clone();
    (expected["fail_count"], expected["token_lifetime"]) = (json!(3), json!(60));
    assert_eq!(Answer::to(control.request("GET", "/knobs")).await.json(), expected);
    for bad in ["", "[]", "{", r#"{"latency":1}"#, r#"{"fail_status":200}"#, r#"{"fail_count":-1}"#] {
        let answer = Answer::to(control.request("PATCH", "/knobs").body(bad)).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (400, true), "{bad}");
    }
    assert_eq!(Answer::to(control.request("GET", "/knobs")).await.json(), expected, "nothing was changed");
    assert_eq!(control.reset().await, neutral);
}

#[test]
fn options_with_bad_values_are_refused() {
    for (flags, named) in [
        ("--fail-count 1 --fail-status 200", "'200' for '--fail-status"),
        ("--fail-count x", "--fail-count"),
        ("--fail-status 429", "--fail-count"),
        ("--retry-after 1", "--fail-count <N>|--api-fail-count <N>"),
        ("--token-lifetime 2d", "--token-lifetime"),
        ("--api-fault quota", "--api-fail-count"),
        ("--api-fail-count 1 --api-fault nonsense", "it must be one of gateway, rate-limit"),
        (
            "--token-lifetime 1500ms",
            "'1500ms' for '--token-lifetime <DURATION>': a token's lifetime is in whole seconds",
        ),
        (
            "--token-lifetime 500ms",
            "'500ms' for '--token-lifetime <DURATION>': a token's lifetime is in whole seconds",
        ),
        ("--token-lifetime 86401", "--token-lifetime"),
        ("--latency 601s", "'601s' for '--latency"),
        ("--clock-skew 99999999999", "--clock-skew"),
        ("--clock-skew -9223372036854775808", "--clock-skew"),
    ] {
        let said = Said::by(&mut World::new().run(&format!("sandbox {flags}")));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{flags}: {}", said.stderr);
        assert!(said.stderr.contains(named), "{flags}: {}", said.stderr);
    }
}

#[tokio::test]
async fn a_rotation_refuses_unknown_members() {
    let sandbox = Sandbox::start();
    let control = Control::of(&sandbox);
    let rotate = |body: &'static str| Answer::to(control.request("POST", "/rotate-keys").body(body));
    let before = keys(&sandbox).await;
    for bad in ["x", "null", "[]", "[true]", "{", r#"{"forgot":true}"#, r#"{"forget":"yes"}"#] {
        let answer = rotate(bad).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (400, true), "{bad}");
    }
    assert_eq!(keys(&sandbox).await, before, "nothing was rotated");
    for (good, keys) in [("", 2), ("{}", 3), (r#"{"forget":true}"#, 1)] {
        let answer = rotate(good).await;
        assert_eq!((answer.status, answer.json()["keys"].as_array().unwrap().len()), (200, keys), "{good}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let sandbox = Sandbox::start();
    let control = Control::of(&sandbox);
    for (method, path) in [("PATCH", "/knobs"), ("POST", "/rotate-keys")] {
        let body = format!("{{}}{}", " ".repeat(1024 * 1024));
        let answer = Answer::to(control.request(method, path).body(body)).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (413, true), "{path}");
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
    }
}
