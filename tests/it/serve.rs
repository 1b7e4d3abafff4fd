//! `serve`: callers get what the rules of their groups allow, with the gateway's own token, and nothing else.

use serde_json::{Value, json};

use crate::common::control::{Answer, Control};
use crate::common::gateway::{BATCH, Gateway, HOST, ORIGIN, code, config};
use crate::common::ready::mint;
use crate::common::{Said, Sandbox, World};

const RULES: &str = r#"
[[rule]]
groups = ["offline_access"]
allow = ["token.transcribe", "session.streams", "streams", "interactions.*", "languages.list"]
own = true

[[rule]]
groups = ["batch"]
allow = ["interactions.*", "token.streams", "token.transcribe"]
limits = { tokens = "100/s" }
"#;

/// Two sandboxes: Corti, and the identity provider of the clinic, with a user's token.
fn start() -> (Sandbox, Sandbox, Gateway, String) {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let gateway = Gateway::start(&corti, &config(&idp, RULES));
    let user = World::of(&idp).run("token --full").output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap().trim().to_owned();
    (corti, idp, gateway, user)
}

#[tokio::test]
async fn a_caller_gets_limited_tokens_of_its_groups() {
    let (corti, _idp, gateway, user) = start();
    let ask = async |bearer: &str, scopes: Value| {
        gateway.post("/broker/v1/token", bearer, &json!({ "scopes": scopes })).await
    };
    let answer = ask(&user, json!(["transcribe"])).await;
    assert_eq!((answer.status, &answer.json()["tokenType"]), (200, &json!("Bearer")), "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!((290..=300).contains(&answer.json()["expiresIn"].as_i64().unwrap()), "{}", answer.body);
    let world = World::of(&corti);
    let token = world.file("token", answer.json()["accessToken"].as_str().unwrap());
    let inspected = Said::by(&mut world.run(&format!("inspect --json {token}"))).json();
    assert_eq!(inspected["reach"], "limited", "{inspected}");
    assert_eq!(ask(BATCH, json!(["openid", "streams", "transcribe"])).await.status, 200);
    for (bearer, scopes, refusal) in [
        (user.as_str(), json!(["streams"]), "operation_denied"),
        (BATCH, json!([]), "operation_denied"),
        (BATCH, json!(["openid"]), "operation_denied"),
        (BATCH, json!(["transcribe", "admin"]), "operation_denied"),
        (BATCH, json!("transcribe"), "request_invalid"),
        ("ck_unknown", json!(["transcribe"]), "credential_invalid"),
    ] {
        let answer = ask(bearer, scopes.clone()).await;
        assert_eq!(code(&answer).1, refusal, "{scopes}");
        assert!(!answer.body.contains("eyJ"), "{}", answer.body);
    }
    for (bearer, detail) in [
        ("x", "this is neither an API key nor a JWT"),
        (mint(&world, "--full").as_str(), "this gateway does not trust the token's issuer"),
    ] {
        assert_eq!(ask(bearer, json!(["transcribe"])).await.json()["detail"], detail);
    }
    let form = gateway.request("POST", "/broker/v1/token", BATCH).body("{\"scopes\":[\"streams\"]}");
    assert_eq!(code(&Answer::to(form).await), (400, "request_invalid".to_owned()));
}

#[tokio::test]
async fn everybody_reaches_their_own_interactions_only() {
    let (_corti, _idp, gateway, user) = start();
    let session = gateway.post("/broker/v1/sessions", &user, &json!({ "kind": "streams" })).await;
    assert_eq!(session.status, 201, "{}", session.body);
    let session = session.json();
    let own = session["interactionId"].as_str().unwrap();
    assert_eq!(
        session["websocketUrl"],
        format!("ws://{HOST}/corti/audio-bridge/v2/interactions/{own}/streams")
    );
    let read = gateway.get(&format!("/corti/v2/interactions/{own}"), &user).await;
    assert_eq!(read.status, 200, "{}", read.body);
    let me = gateway.get("/broker/v1/me", &user).await.json();
    assert_eq!(read.json()["assignedUserId"], me["assignedUserId"]);
    // The user has more groups. Those that no rule names decide nothing.
    assert_eq!(me["groups"], json!(["offline_access"]));
    let dictation = json!({ "kind": "transcribe", "interaction": {} });
    let dictation = gateway.post("/broker/v1/sessions", &user, &dictation).await;
    assert_eq!(code(&dictation), (400, "request_invalid".to_owned()));

    let encounter = json!({ "identifier": "other", "status": "planned", "type": "first_consultation" });
    let other = gateway.post("/corti/v2/interactions/", BATCH, &json!({ "encounter": encounter })).await;
    assert_eq!(other.status, 201, "{}", other.body);
    let other = other.json()["interactionId"].as_str().unwrap().to_owned();
    for method in ["GET", "PATCH", "DELETE"] {
        let request = gateway.request(method, &format!("/corti/v2/interactions/{other}"), &user);
        assert_eq!(code(&Answer::to(request).await), (403, "not_owner".to_owned()), "{method}");
    }
    let given = gateway.request("PATCH", &format!("/corti/v2/interactions/{own}"), &user);
    let given =
        given.header("content-type", "application/json").body(format!("{{\"assignedUserId\":\"{other}\"}}"));
    assert_eq!(code(&Answer::to(given).await), (403, "operation_denied".to_owned()));
    // What is everybody's is nobody's own.
    let list = gateway.get("/corti/v2/interactions/", &user).await;
    assert_eq!(code(&list), (403, "operation_denied".to_owned()));
    assert_eq!(gateway.get("/corti/v2/interactions/", BATCH).await.status, 200);
}

#[tokio::test]
async fn what_a_caller_sends_never_replaces_the_gateways_own() {
    let (_corti, _idp, gateway, _) = start();
    let request =
        gateway.request("GET", "/corti/v2/interactions/?token=x&tenant-name=evil&pageSize=1", BATCH);
    let request =
        request.header("tenant-name", "evil").header("cookie", "a=b").header("connection", "tenant-name");
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.headers.contains_key("set-cookie") && answer.headers.contains_key("x-request-id"));
    // A second credential is not ignored: one of the two may be an attacker's.
    let twice = gateway.request("GET", "/corti/v2/interactions/", BATCH).header("authorization", "Bearer y");
    assert_eq!(code(&Answer::to(twice).await), (400, "credential_repeated".to_owned()));
}

#[tokio::test]
async fn pages_and_hosts_that_are_not_listed_are_refused() {
    let (_corti, _idp, gateway, user) = start();
    let ask = |name: &'static str, value: &'static str| {
        gateway.request("GET", "/corti/v2/languages/", &user).header(name, value)
    };
    let page = Answer::to(ask("origin", ORIGIN)).await;
    assert_eq!((page.status, page.headers["access-control-allow-origin"].to_str().unwrap()), (200, ORIGIN));
    for origin in ["https://evil.example", "null", "https://app.example.org.evil", "http://app.example.org"] {
        let answer = Answer::to(ask("origin", origin)).await;
        assert_eq!(code(&answer), (403, "origin_denied".to_owned()), "{origin}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
    }
    let hidden = Answer::to(ask("sec-fetch-site", "cross-site")).await;
    assert_eq!(code(&hidden), (403, "origin_denied".to_owned()));
    let preflight = gateway.request("OPTIONS", "/corti/v2/languages/", "").header("origin", ORIGIN);
    let preflight = Answer::to(preflight.header("access-control-request-method", "GET")).await;
    assert_eq!(preflight.status, 200);
    assert!(preflight.headers["access-control-allow-headers"].to_str().unwrap().contains("tenant-name"));
    for host in ["evil.example", "localhost", "localhost:2"] {
        let raw = gateway.raw(
            format!("GET /broker/v1/me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        assert!(raw.starts_with("HTTP/1.1 421 "), "{host}: {raw}");
    }
}

#[tokio::test]
async fn a_log_line_says_who_did_what_and_nothing_else() {
    let (_corti, _idp, gateway, user) = start();
    gateway.get("/corti/v2/languages/?secret-canary=1", &user).await;
    let line = gateway.line();
    assert_eq!(line["operation"], "languages.list");
    assert_eq!((&line["outcome"], &line["status"]), (&json!("ok"), &json!(200)));
    assert!(line["caller"].as_str().unwrap().contains("/realms/base#"), "{line}");
    assert!(!line.to_string().contains("canary"), "{line}");
    let body = json!({ "scopes": ["full"] });
    let refused = gateway.post("/broker/v1/token", &user, &body).await;
    let line = gateway.line();
    let (sent, got) = (line["bytes_in"].as_u64(), line["bytes_out"].as_u64());
    assert_eq!((sent, got), (Some(body.to_string().len() as u64), Some(refused.body.len() as u64)), "{line}");
    assert_eq!(refused.headers["content-length"], refused.body.len().to_string().as_str());
}

#[tokio::test]
async fn a_refused_token_is_minted_again_once() {
    let (corti, _idp, gateway, _) = start();
    let control = Control::of(&corti);
    // The token of the sockets was minted, too.
    gateway.ready().await;
    assert_eq!(gateway.get("/corti/v2/interactions/", BATCH).await.status, 200);
    let before = control.token_requests().await;
    control.rotate(true).await;
    assert_eq!(gateway.get("/corti/v2/interactions/", BATCH).await.status, 200);
    assert_eq!(control.token_requests().await, before + 1);
    // A second one within 30 s is not minted: a revoked client must not become a flood.
    control.rotate(true).await;
    let refused = gateway.get("/corti/v2/interactions/", BATCH).await;
    assert_eq!(code(&refused), (502, "upstream_rejected_us".to_owned()));
    assert_eq!(control.token_requests().await, before + 1);
}

#[test]
fn a_key_is_made_and_the_rules_are_shown() {
    let world = World::new();
    let made = Said::by(&mut world.run("serve --new-key batch --json")).json();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("ck_") && key.len() >= 46, "{made}");
    assert_eq!(made["sha256"], crate::common::gateway::sha256(key));
    let config = format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{HOST}\"\n{}\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [\"facts.*\", \"interactions.list\"]\nown = true\n",
        made["lines"].as_str().unwrap()
    );
    let file = world.file("serve.toml", config);
    let checked = Said::by(&mut world.run(&format!("serve --check --config {file} --json"))).json();
    let operations = checked["groups"]["batch"]["operations"].as_array().unwrap();
    let names: Vec<&str> = operations.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["facts.create", "facts.extract", "facts.list", "facts.update"]);
}

#[test]
fn a_file_that_others_can_change_is_refused() {
    let world = World::new();
    let file = world.file("serve.toml", "");
    crate::common::chmod(&file, 0o666);
    let said = Said::by(&mut world.run(&format!("serve --config {file}")));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("hint: chmod go-w"), "{}", said.stderr);
}

#[test]
fn a_missing_file_is_named_with_its_folder() {
    for (words, message) in
        [("serve", "there is no serve.toml in `/"), ("serve --config no.toml", "no no.toml in `.`")]
    {
        let said = Said::by(&mut World::new().run(words));
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains(message) && said.stderr.contains("serve --dev"), "{}", said.stderr);
    }
}

#[test]
fn the_documented_file_is_accepted() {
    let page =
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/serve.md"))
            .unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let world = World::new();
    let file = world.file("serve.toml", example);
    let said = Said::by(&mut world.run(&format!("serve --check --config {file}")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("clinician") && said.stdout.contains("own only"), "{}", said.stdout);
}

/// Whoever reads the log must not be able to stop the server.
#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let (_corti, _idp, mut gateway, _) = start();
    gateway.stop_reading();
    for _ in 0..1000 {
        assert_eq!(gateway.get("/broker/v1/me", "ck_wrong").await.status, 401);
    }
    assert_eq!(gateway.get("/healthz", "").await.status, 200);
    crate::common::signal(gateway.process.0.id(), "TERM");
    assert_eq!(gateway.process.wait(), Some(0));
}

#[test]
fn an_ordinary_file_is_no_stale_socket() {
    let world = World::new();
    let file = world.file("precious", "x");
    let text = format!(
        "listen = [\"unix:{file}\"]\npublic_url = \"http://{HOST}\"\n[keys]\na = {{ sha256 = \"{}\", groups = [\"a\"] }}\n\
         [[rule]]\ngroups = [\"a\"]\nallow = [\"languages.list\"]\n",
        crate::common::gateway::sha256("x")
    );
    let config = world.file("serve.toml", text);
    let mut command = World::client_of("http://127.0.0.1:9").run(&format!("serve --config {config}"));
    let said = Said::by(&mut command);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "x");
}

/// A sandbox takes the place of a client that nobody named, and of no other.
#[test]
fn for_development_a_wrong_configuration_is_an_error() {
    let mut world = World::new();
    world.set("CORTI_AUTH_PROFILE", "nosuch");
    let said = Said::by(&mut world.run("serve --dev --port 0"));
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    assert!(said.stderr.contains("nosuch"), "{}", said.stderr);
}

/// Some clients offer HTTP/2 with each request. Such an offer neither fails nor escapes a limit.
#[tokio::test]
async fn an_offer_of_another_protocol_changes_nothing() {
    let (corti, idp) = (Sandbox::start(), Sandbox::start());
    let rules = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\"]\n";
    let gateway = Gateway::start(&corti, &config(&idp, rules));
    let request = gateway.request("GET", "/corti/v2/languages/", BATCH).header("upgrade", "h2c");
    assert_eq!(Answer::to(request).await.status, 200);
    let gateway = Gateway::start(&corti, &config(&idp, &format!("[limits]\nrequests = 0\n{rules}")));
    for offer in ["h2c", "websocket", "x"] {
        let request = gateway.request("GET", "/broker/v1/me", BATCH).header("upgrade", offer);
        assert_eq!(code(&Answer::to(request).await), (429, "rate_limited".to_owned()), "{offer}");
    }
}
