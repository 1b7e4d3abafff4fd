//! The page of `examples/browser` in Chromium, with `serve` behind it. `tests/browser/checks.mjs` uses the page, and fails if
//! something is not as it should be.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::gateway::{BATCH, Gateway, sha256};
use crate::common::{self, Running, Sandbox, World, binary};

fn peer(name: &str) -> String {
    let found = common::variable(name);
    found.unwrap_or_else(|| panic!("{name} is not set: run this by scripts/with-browser"))
}

/// Starts a check.
fn start(world: &World, name: &str, given: &Value) -> Child {
    let mut node = Command::new("node");
    node.env_clear().envs(world.variables()).env("CHROMIUM", peer("CHROMIUM"));
    node.arg(format!("{}/checks.mjs", peer("BROWSER_PEER"))).args([name, &given.to_string()]);
    node.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

fn assert_passes(name: &str, given: &Value) {
    let world = World::new();
    assert!(start(&world, name, given).wait().unwrap().success(), "{name}: the reason is above");
}

/// A `serve --dev` with the page, in front of a sandbox of its own.
struct Dev {
    url: String,
    key: String,
    _process: Running,
    _world: World,
}

impl Dev {
    fn start(options: &[&str]) -> Self {
        let world = World::new();
        let mut serve = Command::new(binary());
        serve.env_clear().envs(world.variables()).args(["serve", "--dev", "--json", "--port", "0"]);
        serve.args(["--static", &peer("BROWSER_PAGE")]).args(options);
        let mut process = Running(serve.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { url: field("url"), key: field("key"), _process: process, _world: world }
    }
}

/// Passes connections on to one gateway, and new ones to another when it is told to.
struct Balancer {
    address: SocketAddr,
    gateway: Arc<Mutex<String>>,
}

impl Balancer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Arc::new(Mutex::new(String::new()));
        let current = Arc::clone(&gateway);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(gateway) = TcpStream::connect(current.lock().unwrap().as_str()) else { continue };
                pass(client.try_clone().unwrap(), gateway.try_clone().unwrap());
                pass(gateway, client);
            }
        });
        Self { address, gateway }
    }

    fn use_gateway(&self, gateway: &Gateway) {
        self.gateway.lock().unwrap().clone_from(&gateway.address);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

/// A gateway as in production: with rules, and behind `balancer`.
fn gateway(corti: &Sandbox, balancer: &Balancer, page: &Dev, more: &str) -> Gateway {
    let world = World::of(corti);
    let ticket_key = world.private_file("ticket.key", [7; 32]);
    let text = format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{}\"\norigins = [{:?}]\n[ticket]\nkey_file = {ticket_key:?}\n\
         [keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n{more}\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [\"streams\", \"session.streams\"]\n",
        balancer.address,
        page.url,
        sha256(BATCH),
    );
    Gateway::start_in(world, &text)
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn all_three_ways_work_and_the_key_is_kept_nowhere() {
    let dev = Dev::start(&[]);
    assert_passes("ways", &json!({ "page": dev.url, "gateway": dev.url, "key": dev.key }));
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn people_read_why_they_are_refused() {
    let (dev, other) = (Dev::start(&[]), Dev::start(&[]));
    assert_passes("refusals", &json!({ "page": other.url, "gateway": dev.url, "key": dev.key }));
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn people_can_refuse_the_microphone() {
    let dev = Dev::start(&[]);
    assert_passes("denied", &json!({ "page": dev.url, "key": dev.key }));
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn a_strangers_name_for_the_gateway_is_refused() {
    let dev = Dev::start(&[]);
    assert_passes("rebinding", &json!({ "gateway": dev.url, "key": dev.key }));
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn a_page_of_a_listed_origin_may_call() {
    let page = Dev::start(&[]);
    let dev = Dev::start(&["--origin", &page.url]);
    assert_passes("listed", &json!({ "page": page.url, "gateway": dev.url, "key": dev.key }));
}

/// Both gateways know the ticket, so the browser need not ask for another one.
#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn the_sdk_goes_on_with_another_gateway() {
    let (corti, page, balancer) = (Sandbox::start(), Dev::start(&[]), Balancer::start());
    let (mut first, second) = (gateway(&corti, &balancer, &page, ""), gateway(&corti, &balancer, &page, ""));
    balancer.use_gateway(&first);
    let world = World::new();
    let given = json!({ "page": page.url, "gateway": format!("http://{}", balancer.address), "key": BATCH });
    let mut check = start(&world, "replaced", &given);
    let mut line = String::new();
    BufReader::new(check.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n");
    balancer.use_gateway(&second);
    common::signal(first.process.0.id(), "TERM");
    assert!(check.wait().unwrap().success(), "the reason is above");
    assert_eq!(first.process.wait(), Some(0));
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn a_session_that_is_over_is_not_opened_again() {
    let (corti, page, balancer) = (Sandbox::start(), Dev::start(&[]), Balancer::start());
    // Longer than the SDK's own limit for opening a WebSocket.
    let gateway = gateway(&corti, &balancer, &page, "[limits]\nsession = \"6s\"");
    balancer.use_gateway(&gateway);
    let given = json!({ "page": page.url, "gateway": format!("http://{}", balancer.address), "key": BATCH });
    assert_passes("over", &given);
}

#[test]
#[ignore = "needs Chromium, Node and the SDK: scripts/with-browser"]
fn a_refused_upgrade_is_explained() {
    let (corti, page, balancer) = (Sandbox::start(), Dev::start(&[]), Balancer::start());
    let gateway = gateway(&corti, &balancer, &page, "[limits]\nsockets = 0");
    balancer.use_gateway(&gateway);
    let given = json!({ "page": page.url, "gateway": format!("http://{}", balancer.address), "key": BATCH });
    assert_passes("full", &given);
}
