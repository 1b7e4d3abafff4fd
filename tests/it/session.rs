//! `session`: what a frontend gets, in each format, and that its token is always limited.

use serde_json::{Value, json};

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{self, Said, Sandbox, World, forged};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn scopes(world: &World, token: &str) -> String {
    let inspected = Said::by(world.run("inspect --json").write_stdin(token)).json();
    assert_eq!(inspected["reach"], "limited", "{inspected}");
    inspected["scopes"].to_string()
}

#[test]
fn a_session_for_transcribe_has_a_token_and_a_url() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let said = Said::by(&mut world.run("session transcribe"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let json = said.json();
    assert_eq!(keys(&json), ["accessToken", "environment", "expiresAt", "tenantName", "websocketUrl"]);
    let socket = sandbox.environment.replace("http", "ws");
    assert_eq!(json["websocketUrl"], format!("{socket}/audio-bridge/v2/transcribe?tenant-name=base"));
    let scopes = scopes(&world, json["accessToken"].as_str().unwrap());
    assert!(scopes.contains("transcribe") && !scopes.contains("streams"), "{scopes}");
    let expiry: jiff::Timestamp = json["expiresAt"].as_str().unwrap().parse().unwrap();
    let left = expiry.duration_since(common::now()).as_secs();
    assert!((200..=300).contains(&left), "{left}");
    assert_eq!(Said::by(&mut world.run("interaction list")).stdout, "", "nothing is created");
}

#[test]
fn a_session_for_streams_has_an_interaction_that_its_token_opens() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let json = Said::by(&mut world.run("session streams --format json")).json();
    let id = json["interactionId"].as_str().unwrap();
    assert!(json["websocketUrl"].as_str().unwrap().contains(&format!("/{id}/streams?tenant-name=base")));
    assert!(scopes(&world, json["accessToken"].as_str().unwrap()).contains("streams"));
    world.run(&format!("interaction get {id}")).assert().success();
    world.set("CORTI_ACCESS_TOKEN", json["accessToken"].as_str().unwrap());
    world.set("CORTI_CLIENT_SECRET", "not used");
    world.run(&format!("probe streams --interaction {id}")).assert().success();
}

#[test]
fn json_has_a_schema() {
    let sandbox = Sandbox::start();
    let json = Said::by(&mut World::of(&sandbox).run("session streams --json")).json();
    assert_eq!(json["schema"], "corti-auth/session/v1");
    for name in ["interaction_id", "websocket_url", "access_token", "tenant", "environment", "expires_at"] {
        assert!(json[name].is_string(), "{name}: {json}");
    }
    assert_eq!(json["expires_in"], 300);
    World::of(&sandbox).run("session streams --json --format env").assert().code(2).stdout("");
}

#[test]
fn the_variables_work_in_a_shell() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (format, before) in [("env", "eval \"$SESSION\""), ("dotenv", "set -a; eval \"$SESSION\"")] {
        let session = Said::by(&mut world.run(&format!("session streams --format {format}"))).stdout;
        let mut sh = world.program("sh");
        let script = format!(
            "{before}; unset CORTI_CLIENT_ID CORTI_CLIENT_SECRET; \
             echo \"$CORTI_WEBSOCKET_URL\"; \"$CORTI_AUTH\" probe streams --interaction \"$CORTI_INTERACTION_ID\""
        );
        sh.env("SESSION", session).env("CORTI_AUTH", common::binary()).args(["-c", &script]);
        let said = Said::by(&mut sh);
        assert_eq!(said.code, 0, "{format}: {}", said.stderr);
        assert!(said.stdout.contains("/streams?tenant-name=base"), "{}", said.stdout);
    }
}

#[test]
fn the_sdk_format_has_the_clients_options() {
    let sandbox = Sandbox::start();
    let json = Said::by(&mut World::of(&sandbox).run("session streams --format sdk")).json();
    assert_eq!(keys(&json), ["auth", "environment", "interactionId", "queryParameters", "tenantName", "url"]);
    assert_eq!(keys(&json["auth"]), ["accessToken", "expiresIn"]);
    let base = &sandbox.environment;
    let environment = json!({
        "base": format!("{base}/v2"),
        "wss": format!("{}/audio-bridge/v2", base.replace("http", "ws")),
        "login": format!("{base}/realms"),
        "agents": base,
    });
    assert_eq!(json["environment"], environment);
    let id = json["interactionId"].as_str().unwrap();
    let url = format!("{}/audio-bridge/v2/interactions/{id}/streams", base.replace("http", "ws"));
    assert_eq!(json["url"], url, "without a query, which the SDK appends");
    let token = json["auth"]["accessToken"].as_str().unwrap();
    let query = json!({ "tenant-name": "base", "token": format!("Bearer {token}") });
    assert_eq!(json["queryParameters"], query);
}

fn jwt(scope: &str) -> String {
    forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "scope": scope }))
}

fn against(answers: Vec<Answer>) -> (FakeServer, World) {
    let server = FakeServer::start(answers);
    let world = World::client_of(&server.environment);
    (server, world)
}

#[test]
fn a_token_that_may_not_be_limited_is_not_printed() {
    let limited = "openid streams";
    let without_scope = forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer" }));
    for (token, scope) in [
        ("opaque".to_owned(), limited),
        (without_scope, limited),
        (jwt("openid"), limited),
        (jwt("openid streams interactions:read"), limited),
        (jwt(limited), "openid"),
        (jwt(limited), "openid streams transcribe"),
    ] {
        let (server, world) = against(vec![Answer::granted(&token, scope)]);
        let said = Said::by(&mut world.run("session streams"));
        assert_eq!((said.code, said.stdout.as_str()), (6, ""), "{scope}: {}", said.stderr);
        assert!(!said.stderr.contains(&token) && said.stderr.contains("hint: "), "{}", said.stderr);
        assert_eq!(server.requests().len(), 1, "no full token is minted and nothing created");
    }
}

#[test]
fn a_failed_session_prints_nothing() {
    let refusal = r#"{"requestid":"r","status":403,"type":"A0001","detail":"no"}"#;
    let (server, world) = against(vec![
        Answer::granted(&jwt("openid streams"), "openid streams"),
        Answer::granted(&jwt("openid"), "openid"),
        Answer::http("403 Forbidden", &[], refusal),
    ]);
    let said = Said::by(&mut world.run("session streams"));
    assert_eq!((said.code, said.stdout.as_str()), (5, ""), "{}", said.stderr);
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "a refused creation is not tried again");
    assert!(
        requests[0].contains("scope=openid+streams") && requests[2].starts_with("POST /v2/interactions/")
    );
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CORTI_CLIENT_SECRET", "wrong");
    world.run("session streams").assert().code(5).stdout("");
}

/// An interaction whose id could not be printed can still be deleted.
#[cfg(target_os = "linux")]
#[test]
fn an_interaction_that_cannot_be_printed_is_named() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for words in ["session streams", "interaction create -t base", "session streams --format env"] {
        let mut shell = world.program("sh");
        shell.args([
            "-c",
            &format!("exec \"$0\" {words} > /dev/full"),
            &common::binary().display().to_string(),
        ]);
        let said = Said::by(&mut shell);
        assert_eq!(said.code, 1, "{words}: {}", said.stderr);
        let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: corti-auth ")).unwrap();
        assert!(hint.starts_with("interaction delete "), "{words}: {}", said.stderr);
        assert!(hint.ends_with(" --yes"), "{words}: {hint}");
        world.run(hint).assert().success();
    }
    assert_eq!(Said::by(&mut world.run("interaction list")).stdout, "");
}
