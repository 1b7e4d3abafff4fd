//! Corti's own client, `@corti/sdk`, through `serve`: `tests/sdk/gateway.mjs` does what frontends and jobs do.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::{Shutdown, TcpStream};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::common::control::Control;
use crate::common::fake_server::{listen, serve};
use crate::common::gateway::{BATCH, Gateway, HOST, config, sha256};
use crate::common::{self, Running, Said, Sandbox, World};

/// An API key that may list interactions, and nothing else.
const READER: &str = "ck_reader-012345678901234567890123456789012345678";

/// The same, ten seconds after the last request.
const SLOW: &str = "ck_slow-01234567890123456789012345678901234567890";

const RULES: &str = r#"
[limits]
rate = "1000/s"
burst = 1000
tokens = "1000/s"
sockets = 20

[[rule]]
groups = ["offline_access", "batch"]
allow = ["interactions.*", "factgroups.list", "facts.*", "recordings.*", "transcripts.*", "documents.*", "agents.*",
  "contexts.*", "transcribe", "streams", "token.*", "session.*"]

[[rule]]
groups = ["reader"]
allow = ["interactions.list"]

[[rule]]
groups = ["slow"]
allow = ["interactions.list"]
limits = { rate = "6/min", burst = 1 }
"#;

/// A port that leads to one gateway, and later to another, as that of a load balancer does.
struct Front {
    address: String,
    target: Arc<Mutex<String>>,
}

impl Front {
    fn new() -> Self {
        let (listener, url) = listen();
        let target = Arc::new(Mutex::new(String::new()));
        let current = Arc::clone(&target);
        serve(listener, move |_, client| {
            let address = current.lock().unwrap().clone();
            let Ok(server) = TcpStream::connect(address) else { return };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || relay(from, to));
            relay(server, client);
        });
        Self { address: url.replace("http://", ""), target }
    }

    fn lead_to(&self, gateway: &Gateway) {
        self.target.lock().unwrap().clone_from(&gateway.address);
    }
}

/// Copies until one side ends, and then ends the other.
fn relay(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Corti, the clinic's identity provider, and a gateway that is reached by a front.
struct Setting {
    front: Front,
    gateway: Gateway,
    idp: Sandbox,
}

impl Setting {
    /// One with `corti` behind it.
    fn new(corti: World) -> Self {
        let (front, idp) = (Front::new(), Sandbox::start());
        let gateway = Gateway::start_in(corti, &file(&front, &idp, ""));
        front.lead_to(&gateway);
        Self { front, gateway, idp }
    }

    /// The program with groups of its checks.
    fn node(&self, corti: &str, groups: &[&str]) -> assert_cmd::Command {
        let program = format!("{}/gateway.mjs", sdk());
        let mut command = World::new().program("node");
        command.arg(program).args(groups).envs(self.variables(corti)).timeout(Duration::from_secs(300));
        command
    }

    fn variables(&self, corti: &str) -> [(&'static str, String); 6] {
        let user = World::of(&self.idp).run("token --full").output().unwrap().stdout;
        [
            ("GATEWAY", format!("http://{}", self.front.address)),
            ("CORTI", corti.to_owned()),
            ("USER_TOKEN", String::from_utf8(user).unwrap().trim().to_owned()),
            ("KEY", BATCH.to_owned()),
            ("READER", READER.to_owned()),
            ("SLOW", SLOW.to_owned()),
        ]
    }

    /// Runs groups of checks, all of which must pass.
    fn assert_pass(&self, corti: &str, groups: &[&str], checks: usize) {
        let said = Said::by(&mut self.node(corti, groups));
        let failed: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("not ok")).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        let last = said.stdout.lines().last().unwrap_or_default();
        assert_eq!((said.code, last), (0, format!("{checks} passed, 0 failed").as_str()), "{}", said.stderr);
    }
}

/// A `serve.toml` for gateways behind `front`. `more` stands before its rules.
fn file(front: &Front, idp: &Sandbox, more: &str) -> String {
    let keys = [("reader", READER), ("slow", SLOW)]
        .map(|(name, key)| format!("{name} = {{ sha256 = \"{}\", groups = [\"{name}\"] }}\n", sha256(key)));
    config(idp, &format!("{}{more}{RULES}", keys.concat())).replace(HOST, &front.address)
}

/// The folder with the SDK and its programs.
fn sdk() -> String {
    common::variable("SDK_PEER").expect("SDK_PEER is not set: run this by scripts/with-sdk")
}

/// Starts a program of Node, and returns it with its output.
fn start(command: &mut Process) -> (Running, impl Iterator<Item = String> + use<>) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (Running(child), lines)
}

#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_calls_rest_and_opens_websockets_through_the_gateway() {
    let corti = Sandbox::start();
    let setting = Setting::new(World::of(&corti));
    setting.assert_pass(&corti.environment, &["rest", "broker", "sockets"], 9);
}

/// With the gateway's URLs as its environment, as for REST.
#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdks_ordinary_client_opens_websockets_through_the_gateway() {
    let corti = Sandbox::start();
    let setting = Setting::new(World::of(&corti));
    setting.assert_pass(&corti.environment, &["ordinary"], 2);
}

/// With `encodeHeadersAsWsProtocols`, the SDK's way for a proxy that reads headers of a browser's WebSocket.
#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdks_headers_as_protocols_open_websockets_through_the_gateway() {
    let corti = Sandbox::start();
    let setting = Setting::new(World::of(&corti));
    setting.assert_pass(&corti.environment, &["protocols"], 1);
}

/// What the sandbox lacks, at an API that knows the gateway's token and refuses all others.
#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_calls_the_rest_of_the_api_through_the_gateway() {
    let (_api, mut lines) = start(Process::new("node").arg(format!("{}/api.mjs", sdk())));
    let api = lines.next().unwrap();
    let setting = Setting::new(World::client_of(&api));
    setting.assert_pass(&api, &["api"], 11);
}

#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_takes_a_refused_upgrade_as_final() {
    let corti = Sandbox::start();
    let mut setting = Setting::new(World::of(&corti));
    setting.assert_pass(&corti.environment, &["refused"], 3);
    let lines = setting.gateway.stop();
    let upgrades = lines.iter().filter(|line| line["operation"] != "session.transcribe");
    let statuses: Vec<_> = upgrades.map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [401, 401, 403, 403, 403, 403], "one for each connect(): {lines:#?}");
}

#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdk_waits_for_its_rate() {
    let corti = Sandbox::start();
    let mut setting = Setting::new(World::of(&corti));
    setting.assert_pass(&corti.environment, &["limits"], 1);
    assert_eq!(setting.gateway.stop().len(), 3);
}

#[tokio::test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
async fn the_sdk_sees_no_401_of_cortis() {
    let corti = Sandbox::start();
    let control = Control::of(&corti);
    let setting = Setting::new(World::of(&corti));
    setting.gateway.ready().await;
    let before = control.token_requests().await;
    control.rotate(true).await;
    setting.assert_pass(&corti.environment, &["one list"], 1);
    assert_eq!(control.token_requests().await, before + 1);
    // A new one within 30 s is not asked for, however often the SDK tries again.
    control.rotate(true).await;
    setting.assert_pass(&corti.environment, &["no list"], 1);
    assert_eq!(control.token_requests().await, before + 1);
}

/// Two replicas. The SDK connects again by itself, with the same ticket, and sends its configuration again.
#[test]
#[ignore = "needs Node and the SDK: scripts/with-sdk"]
fn the_sdks_websockets_come_back_after_a_drain() {
    let (corti, front, idp, world) = (Sandbox::start(), Front::new(), Sandbox::start(), World::new());
    let key = world.private_file("ticket.key", "0123456789abcdef0123456789abcdef");
    let more = format!("[ticket]\nkey_file = '{key}'\n[drain]\ndelay = \"100ms\"\nspread = \"500ms\"\n");
    let config = file(&front, &idp, &more);
    let mut replica = Gateway::start(&corti, &config);
    let mut setting = Setting { gateway: Gateway::start(&corti, &config), front, idp };
    setting.front.lead_to(&setting.gateway);
    let mut command = Process::new("node");
    command
        .args([format!("{}/gateway.mjs", sdk()).as_str(), "reconnect"])
        .envs(setting.variables(&corti.environment));
    let (mut node, mut lines) = start(&mut command);
    assert_eq!(lines.next().as_deref(), Some("open"));
    setting.front.lead_to(&replica);
    let drained = setting.gateway.stop();
    let said: Vec<String> = lines.collect();
    assert_eq!(said.last().unwrap(), "1 passed, 0 failed", "{said:#?}");
    assert_eq!(node.wait(), Some(0));
    let of = |lines: &[Value], outcome: &str| {
        let upgrades = lines.iter().filter(|line| line["status"] == 101 && line["outcome"] == outcome);
        upgrades.map(|line| line["operation"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from(["streams", "transcribe"].map(str::to_owned));
    assert_eq!(of(&drained, "draining"), both);
    assert_eq!(of(&replica.stop(), "ok"), both);
}
