//! Three replicas behind an engine: one is killed, or each is restarted, or one cannot reach the realm. Requests go on, and every
//! WebSocket comes back.
//!
//! With `SDK_PEER`, some of the WebSockets are those of `@corti/sdk`. `--nocapture` shows the figures.

#![allow(clippy::print_stdout, reason = "the figures, for who asks for them: --nocapture")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message as Received, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get, post};
use rcgen::{CertifiedIssuer, KeyPair, SanType};
use serde_json::{Value, json};

use crate::common::clients::{Front, Seen};
use crate::common::control::Control;
use crate::common::engine::Engine::{Haproxy, Nginx};
use crate::common::engine::{API, Engine, free_addresses, named};
use crate::common::fake_corti::FakeCorti;
use crate::common::gateway::{BATCH, Gateway, sha256};
use crate::common::hosts::{API_ADDRESS, Hosts, REALM};
use crate::common::{
    PATIENCE, Running, World, binary, forged_token, path, raise_file_limit, signal, variable, wait_until,
};
use crate::tls;

const REPLICAS: usize = 3;

/// All WebSockets, and how many of them are the SDK's.
const SOCKETS: usize = 500;
const SDK_SOCKETS: usize = 20;

/// How many requests are under way at any time.
const CALLERS: usize = 12;

/// How many POSTs are under way, too, while replicas are restarted.
const POSTS: usize = 4;

/// How often the SDK may try to connect again after a loss. It waits 1 to 5 s before the first try and 1.3 times as long before the
/// second: together at most 11.5 s, while three tries may take 20 s.
const SDK_TRIES: usize = 2;

/// How long Corti takes to answer, so that requests are under way at any time.
const ANSWER: Duration = Duration::from_millis(100);

/// Corti's realm, one call of its API and dictations. Returns its environment, and a count of the calls.
fn corti() -> (String, Arc<AtomicUsize>) {
    let (listener, environment) = crate::common::fake_server::listen();
    listener.set_nonblocking(true).unwrap();
    let calls = Arc::<AtomicUsize>::default();
    let router = Router::new()
        .route("/realms/base/protocol/openid-connect/token", post(token))
        .route("/v2/languages/", get(languages))
        .route("/v2/interactions/", post(interaction))
        .route("/audio-bridge/v2/transcribe", any(dictation))
        .with_state(Arc::clone(&calls));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    (environment, calls)
}

async fn token(form: String) -> String {
    let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope=")).unwrap().replace('+', " ");
    let token = forged_token("https://x.example", &scope);
    json!({ "access_token": token, "expires_in": 300, "token_type": "Bearer", "scope": scope }).to_string()
}

async fn languages(State(calls): State<Arc<AtomicUsize>>) -> &'static str {
    calls.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(ANSWER).await;
    "{}"
}

async fn interaction(calls: State<Arc<AtomicUsize>>) -> (StatusCode, &'static str) {
    (StatusCode::CREATED, languages(calls).await)
}

async fn dictation(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(4096).on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let accepted = Received::text(r#"{"type":"CONFIG_ACCEPTED","sessionId":"1"}"#);
            if matches!(message, Received::Text(_)) && socket.send(accepted).await.is_err() {
                break;
            }
        }
    })
}

/// Three replicas, an engine, and clients at work.
struct Scene {
    engine: Engine,
    environment: String,
    calls: Arc<AtomicUsize>,
    config: String,
    addresses: [String; REPLICAS],
    replicas: Vec<Gateway>,
    front: Arc<Front>,
    seen: Arc<Seen>,
    clients: Vec<JoinHandle<()>>,
    node: Option<Running>,
    _keys: World,
}

impl Scene {
    fn start(engine: Engine) -> Self {
        raise_file_limit();
        let (environment, calls) = corti();
        let [public, addresses @ ..]: [String; 1 + REPLICAS] = free_addresses();
        let keys = World::new();
        let ticket_key = keys.private_file("ticket.key", "0123456789abcdef0123456789abcdef");
        let config = config(&public) + &format!("[ticket]\nkey_file = \"{ticket_key}\"\n");
        let replicas: Vec<_> =
            addresses.iter().map(|address| replica(&environment, &config, address)).collect();
        let named: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let front = Arc::new(Front::start(engine, &public, &public, &named));
        wait_until("the engine finds a replica", || front.call(&public, "GET").0 == 200);
        let (seen, clients, node) = (Arc::default(), Vec::new(), None);
        let mut scene = Self {
            engine,
            environment,
            calls,
            config,
            addresses,
            replicas,
            front,
            seen,
            clients,
            node,
            _keys: keys,
        };
        scene.open_all();
        scene
    }

    /// Opens all WebSockets and starts the callers.
    fn open_all(&mut self) {
        let has_sdk = variable("SDK_PEER").is_some();
        if has_sdk {
            self.node = Some(self.start_sdk());
        } else {
            println!("SKIPPED: the WebSockets of @corti/sdk, which need scripts/with-sdk");
            assert_ne!(variable("CI").as_deref(), Some("true"));
        }
        let sdk_sockets = if has_sdk { SDK_SOCKETS } else { 0 };
        for number in 0..(SOCKETS - sdk_sockets) as u64 {
            let (seen, front) = (Arc::clone(&self.seen), Arc::clone(&self.front));
            self.clients
                .push(std::thread::spawn(move || seen.dictate(&front, number * 4000 / SOCKETS as u64)));
        }
        let took = wait_until("every WebSocket is open", || self.all_are_open());
        self.calls.store(0, Ordering::SeqCst);
        self.seen.refused.store(0, Ordering::SeqCst);
        self.start_callers(CALLERS, "GET");
        wait_until("requests are answered", || self.seen.answers.lock().unwrap().len() > 10 * CALLERS);
        println!(
            "{:?}: {SOCKETS} WebSockets open after {:.1} s, {sdk_sockets} of them by the SDK",
            self.engine,
            took.as_secs_f64()
        );
    }

    fn start_callers(&mut self, count: usize, method: &'static str) {
        for _ in 0..count {
            let (seen, front) = (Arc::clone(&self.seen), Arc::clone(&self.front));
            let call = move || seen.call(&front, &front.address, method, Duration::ZERO);
            self.clients.push(std::thread::spawn(call));
        }
    }

    fn start_sdk(&self) -> Running {
        let folder = variable("SDK_PEER").unwrap();
        let mut node = Command::new("node");
        node.arg(format!("{folder}/replicas.mjs")).env_clear().env("PATH", path());
        node.env("NODE_EXTRA_CA_CERTS", self.front.folder.path().join("ca.pem"));
        node.env("GATEWAY", format!("https://{}", self.front.address)).env("KEY", BATCH);
        node.env("SOCKETS", SDK_SOCKETS.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = node.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || seen.follow(lines));
        Running(child)
    }

    fn all_are_open(&self) -> bool {
        self.seen.open.load(Ordering::SeqCst) == SOCKETS
    }

    fn lost(&self) -> usize {
        self.seen.lost.lock().unwrap().len() + self.seen.sdk_lost.load(Ordering::SeqCst)
    }

    /// Restarts a replica at its address, and returns the log of the old process.
    fn restart(&mut self, number: usize) -> Vec<Value> {
        let new = || replica(&self.environment, &self.config, &self.addresses[number]);
        let old = &mut self.replicas[number];
        signal(old.process.0.id(), "TERM");
        let took = wait_until("it has drained", || old.process.0.try_wait().unwrap().is_some());
        println!("{:?}: a replica drained in {:.1} s", self.engine, took.as_secs_f64());
        let lines = log(old);
        self.replicas[number] = new();
        lines
    }

    /// Ends the clients and the replicas, and returns the rest of the log.
    fn end(&mut self) -> Vec<Value> {
        self.seen.ended.store(true, Ordering::SeqCst);
        self.clients.drain(..).for_each(|client| client.join().unwrap());
        drop(self.node.take());
        for replica in &self.replicas {
            signal(replica.process.0.id(), "TERM");
        }
        let mut lines = Vec::new();
        for replica in &mut self.replicas {
            wait_until("it has drained", || replica.process.0.try_wait().unwrap().is_some());
            lines.extend(log(replica));
        }
        lines
    }

    /// Waits until the log has all that the clients have seen by now, and returns it.
    fn log_until_now(&self) -> Vec<Value> {
        let sockets = self.seen.sockets.lock().unwrap().clone();
        let answers = self.seen.answers.lock().unwrap().clone();
        let sdk = self.seen.sdk_accepted.load(Ordering::SeqCst);
        let mut lines = Vec::new();
        wait_until("the log has all that was seen", || {
            for replica in &self.replicas {
                lines.extend(replica.log.try_iter().map(|line| parsed(&line)));
            }
            let (opened, logged) = (ids(&lines, is_opening), ids(&lines, |_| true));
            // The SDK shows no ids.
            opened.is_superset(&sockets)
                && opened.len() >= sockets.len() + sdk
                && logged.is_superset(&answers)
        });
        lines
    }

    fn print_figures(&self, what: &str) {
        let seen = &self.seen;
        let (answers, failures) = (seen.answers.lock().unwrap().len(), seen.failures.lock().unwrap());
        let away = seen.away.lock().unwrap();
        let longest = away.iter().max().copied().unwrap_or_default().as_secs_f64();
        let repeated = self.calls.load(Ordering::SeqCst).saturating_sub(answers);
        println!(
            "{:?}: {what}: {} WebSockets lost, all back, the last after {longest:.1} s, the SDK's by try {} \
             at most; {} tries refused; {answers} requests, {} of them failed, {repeated} repeated",
            self.engine,
            self.lost(),
            seen.sdk_tries.lock().unwrap().iter().max().copied().unwrap_or_default(),
            seen.refused.load(Ordering::SeqCst),
            failures.len(),
        );
    }

    /// No request failed, and each WebSocket that was lost has come back. The aim is 15 s. On a slow machine it takes longer, so
    /// the time is only printed, and the tries of the SDK are bounded.
    fn assert_none_failed(&self) {
        let (seen, away) = (&self.seen, self.seen.away.lock().unwrap());
        assert_eq!(*seen.failures.lock().unwrap(), Vec::<u16>::new(), "{:?}", self.engine);
        assert_eq!(away.len(), self.lost());
        // The SDK would not try again.
        assert_eq!(seen.refused.load(Ordering::SeqCst), 0, "{:?}", self.engine);
        assert!(away.iter().all(|away| *away < PATIENCE));
        let tries = seen.sdk_tries.lock().unwrap();
        assert_eq!(tries.len(), seen.sdk_lost.load(Ordering::SeqCst));
        assert!(tries.iter().all(|tries| *tries <= SDK_TRIES), "{:?}: {tries:?}", self.engine);
    }

    /// The log has each WebSocket that was opened, and the ends of all but those of `killed`. Returns the ids of the answers that it
    /// lacks.
    fn assert_logged(&self, lines: &[Value], killed: &BTreeSet<String>) -> BTreeSet<String> {
        let opened = ids(lines, is_opening);
        let ended = ids(lines, |line| line["status"] == 101 && !is_opening(line));
        let answers = ids(lines, |line| line["outcome"] == "ok" && line["status"] != 101);
        let seen = self.seen.sockets.lock().unwrap();
        assert_eq!(seen.difference(&opened).collect::<Vec<_>>(), Vec::<&String>::new(), "{:?}", self.engine);
        let endless: BTreeSet<_> = seen.difference(&ended).cloned().collect();
        assert!(endless.is_subset(killed), "{:?}: {endless:?}", self.engine);
        // The SDK shows no ids.
        let [sdk_opened, sdk_ended] = [&opened, &ended].map(|logged| logged.difference(&seen).count());
        let accepted = self.seen.sdk_accepted.load(Ordering::SeqCst);
        let lost = if killed.is_empty() { 0 } else { self.seen.sdk_lost.load(Ordering::SeqCst) };
        assert!(sdk_opened >= accepted, "{:?}: {sdk_opened} of {accepted}", self.engine);
        assert!(sdk_ended + lost >= accepted, "{:?}: {sdk_ended} + {lost} of {accepted}", self.engine);
        let missing: BTreeSet<_> = self.seen.answers.lock().unwrap().difference(&answers).cloned().collect();
        println!(
            "{:?}: {} lines; not written: {} ends of WebSockets, {} requests",
            self.engine,
            lines.len(),
            endless.len() + accepted.saturating_sub(sdk_ended),
            missing.len()
        );
        missing
    }
}

/// A `serve.toml` without an address to listen on.
fn config(public: &str) -> String {
    format!(
        "listen = [\"LISTEN\"]\npublic_url = \"https://{public}\"\n\
         [keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n\
         [limits]\nrate = \"100000/s\"\nburst = 100000\nrequests = 1000\nsockets = 1000\ntokens = \"1000/s\"\n\
         [drain]\ndelay = \"5s\"\nspread = \"20s\"\n\
         [[rule]]\ngroups = [\"batch\"]\n\
         allow = [\"languages.list\", \"interactions.create\", \"transcribe\", \"session.transcribe\"]\n",
        sha256(BATCH)
    )
}

/// A replica that is ready.
fn replica(environment: &str, config: &str, address: &str) -> Gateway {
    let replica = Gateway::start_in(World::client_of(environment), &config.replace("LISTEN", address));
    wait_until("it is ready", || is_ready(&replica));
    replica
}

fn is_ready(replica: &Gateway) -> bool {
    let answer = replica.raw(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    answer.starts_with("HTTP/1.1 200 ")
}

/// The log of a replica that has ended.
fn log(replica: &Gateway) -> Vec<Value> {
    replica.log.iter().map(|line| parsed(&line)).collect()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Whether a WebSocket was opened.
fn is_opening(line: &Value) -> bool {
    line["outcome"] == "opened"
}

/// The ids of requests in the log.
fn ids(lines: &[Value], is_wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let wanted = lines.iter().filter(|line| is_wanted(line));
    wanted.map(|line| line["request"].as_str().unwrap().to_owned()).collect()
}

/// `kill -9` of one replica.
fn check_kill(engine: Engine) {
    let mut scene = Scene::start(engine);
    let mut lines = scene.log_until_now();
    let killed = &mut scene.replicas[1];
    killed.process.0.kill().unwrap();
    killed.process.end();
    let (killed_at, answers) = (Instant::now(), scene.seen.answers.lock().unwrap().clone());
    lines.extend(log(killed));
    wait_until("WebSockets are lost", || scene.lost() > SOCKETS / REPLICAS / 2);
    wait_until("every WebSocket is back", || scene.all_are_open());
    println!("{engine:?}: all are open {:.1} s after the kill", killed_at.elapsed().as_secs_f64());
    scene.replicas.remove(1);
    lines.extend(scene.end());
    scene.print_figures("kill -9");
    scene.assert_none_failed();
    let lost = scene.seen.lost.lock().unwrap().clone();
    let missing = scene.assert_logged(&lines, &lost);
    // A line is written just after its answer. Each caller may have got the last one of the killed replica after the kill.
    assert!(missing.difference(&answers).count() <= CALLERS, "{engine:?}: {missing:?}");
}

/// Each replica is restarted, one after the other.
fn check_restart(engine: Engine) {
    let mut scene = Scene::start(engine);
    scene.start_callers(POSTS, "POST");
    let mut lines = Vec::new();
    for number in 0..REPLICAS {
        lines.extend(scene.restart(number));
    }
    wait_until("every WebSocket is back", || scene.all_are_open());
    lines.extend(scene.end());
    scene.print_figures("rolling restart");
    scene.assert_none_failed();
    let missing = scene.assert_logged(&lines, &BTreeSet::new());
    assert_eq!(missing, BTreeSet::new(), "{engine:?}");
}

/// Calls by an engine.
struct Calls {
    engine: Engine,
    seen: Arc<Seen>,
    callers: Vec<JoinHandle<()>>,
}

impl Calls {
    fn start(engine: Engine, address: &str, public: &str, replicas: &[&str]) -> Self {
        let (front, seen) =
            (Arc::new(Front::start(engine, address, public, replicas)), Arc::<Seen>::default());
        wait_until("the engine finds a replica", || front.call(public, "GET").0 == 200);
        let callers = (0..CALLERS).map(|_| {
            let (seen, front, public) = (Arc::clone(&seen), Arc::clone(&front), public.to_owned());
            std::thread::spawn(move || seen.call(&front, &public, "GET", ANSWER))
        });
        Self { engine, callers: callers.collect(), seen }
    }

    /// How many were answered, and how many failed.
    fn count(&self) -> (usize, usize) {
        (self.seen.answers.lock().unwrap().len(), self.seen.failures.lock().unwrap().len())
    }

    /// Ends them, and returns the statuses of those that failed.
    fn end(self) -> Vec<u16> {
        self.seen.ended.store(true, Ordering::SeqCst);
        self.callers.into_iter().for_each(|caller| caller.join().unwrap());
        let failures = self.seen.failures.lock().unwrap().clone();
        let all = self.seen.answers.lock().unwrap().len() + failures.len();
        println!(
            "{:?}: {all} requests while a replica could not reach the realm, {} failed",
            self.engine,
            failures.len()
        );
        failures
    }
}

/// Corti for other hosts, with tokens that live for 40 s.
fn corti_for(authority: &CertifiedIssuer<'static, KeyPair>) -> FakeCorti {
    let mut named = named(API);
    named.subject_alt_names.push(SanType::DnsName("auth.eu.corti.app".try_into().unwrap()));
    let tls = tls::config_of(&named, authority);
    let corti = FakeCorti::start(Arc::clone(&tls));
    for address in [REALM, API_ADDRESS] {
        corti.listen_at(TcpListener::bind((address, 443)).unwrap(), Arc::clone(&tls));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Control::of(&corti.realm).set(json!({ "token_lifetime": 40 })));
    corti
}

#[test]
#[ignore = "needs engines: scripts/with-engines"]
fn one_that_cannot_reach_the_realm_is_not_ready() {
    let Some(hosts) = Hosts::start() else {
        println!("SKIPPED: `ip` could not make network namespaces, which needs root");
        assert_ne!(variable("CI").as_deref(), Some("true"));
        return;
    };
    let authority = tls::authority();
    let corti = corti_for(&authority);
    let [haproxy, nginx] = free_addresses();
    let config = format!("trust_network = true\n{}", config(&haproxy));
    let start = |number| {
        let mut world = corti.world();
        world.set("CORTI_ENVIRONMENT", "eu");
        let ca = world.file("ca.pem", authority.pem());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &hosts.name(number)]).arg(binary()).args(["--ca-cert", &ca]);
        let address = format!("{}:8744", Hosts::address(number));
        Gateway::start_by(command, world, &config.replace("LISTEN", &address))
    };
    let replicas: [Gateway; REPLICAS] = std::array::from_fn(start);
    for replica in &replicas {
        wait_until("it is ready", || is_ready(replica));
    }
    let addresses: Vec<&str> = replicas.iter().map(|replica| &*replica.address).collect();
    let by_haproxy = Calls::start(Haproxy, &haproxy, &haproxy, &addresses);
    let gets_requests = |wanted: bool| {
        let _ = replicas[0].log.try_iter().count();
        std::thread::sleep(5 * ANSWER);
        (replicas[0].log.try_iter().count() > 0) == wanted
    };
    wait_until("it gets requests", || gets_requests(true));
    hosts.cut_off(0);
    let unready = wait_until("it is not ready", || !is_ready(&replicas[0]));
    let out = wait_until("it gets no more requests", || gets_requests(false));
    // Only now: nginx does not ask /readyz and would still send requests to it.
    let by_nginx = Calls::start(Nginx, &nginx, &haproxy, &addresses);
    for calls in [&by_haproxy, &by_nginx] {
        let (answered, _) = calls.count();
        wait_until("requests go on", || calls.count().0 > answered + 20 * CALLERS);
    }
    assert!(!is_ready(&replicas[0]) && is_ready(&replicas[1]) && is_ready(&replicas[2]));
    hosts.reconnect(0);
    let ready = wait_until("it is ready again", || is_ready(&replicas[0]));
    println!(
        "not ready {:.1} s after the cut, without requests {:.1} s later, ready {:.1} s after its end",
        unready.as_secs_f64(),
        out.as_secs_f64(),
        ready.as_secs_f64(),
    );
    let failed = by_nginx.count().1;
    let by_nginx = by_nginx.end();
    assert!(
        by_nginx.len() <= failed + CALLERS,
        "{} of nginx's requests failed later",
        by_nginx.len() - failed
    );
    wait_until("it gets requests again", || gets_requests(true));
    assert_eq!(by_haproxy.end(), Vec::<u16>::new());
    // nginx passes on the replica's own 503.
    assert!(by_nginx.iter().all(|status| *status == 503), "{by_nginx:?}");
}

macro_rules! engines {
    ($($name:ident: $engine:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            #[ignore = "needs engines: scripts/with-engines"]
            fn go_on_when_one_is_killed() {
                check_kill($engine);
            }

            #[test]
            #[ignore = "needs engines: scripts/with-engines"]
            fn go_on_while_each_is_restarted() {
                check_restart($engine);
            }
        })*
    };
}

engines! {
    nginx: Nginx;
    haproxy: Haproxy;
}
