//! The recipes of `deploy/limits/`, each with two engines: a limit holds over both of them together.
//!
//! Those for Envoy need its rate limit service: scripts/with-ratelimit.

use std::net::TcpListener;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};

use crate::common::control::client;
use crate::common::gateway::{BATCH, Gateway, HOST, sha256};
use crate::common::{Running, Sandbox, World, path, variable, wait_until};

const HAPROXY: &str = include_str!("../../deploy/limits/haproxy-limits.cfg");
const ENVOY: &str = include_str!("../../deploy/limits/envoy-ratelimit.yaml");
const RATELIMIT: &str = include_str!("../../deploy/limits/ratelimit.yaml");
const CREDENTIAL: &str = include_str!("../../deploy/limits/credential.lua");

/// One credential may be written in several ways, and twice.
const SPELLINGS: [&[&str]; 3] = [&["Bearer"], &["bearer"], &["BEARER", "BEARER"]];

/// Free ports of this machine.
fn ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// A recipe with the test's own addresses. Each must be in it.
fn with(recipe: &str, replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(recipe.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the recipe has no {from}");
        text.replace(from, to)
    })
}

/// A gateway, behind the engines.
fn gateway() -> (Sandbox, Gateway) {
    let corti = Sandbox::start();
    let config = format!(
        "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{HOST}\"\n[limits]\nrate = \"100000/s\"\nburst = 100000\n\
         [keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\"]\n",
        sha256(BATCH)
    );
    let gateway = Gateway::start(&corti, &config);
    (corti, gateway)
}

fn start(world: &World, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = Process::new(program);
    // Debian has HAProxy where only root looks.
    command
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/sbin", path()))
        .env("HOME", world.home());
    command.envs(variables.iter().copied()).current_dir(world.home());
    let log = std::fs::File::create(world.home().join(format!("{}.log", ports::<1>()[0]))).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Running(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")))
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

async fn ask(port: u16, credential: &str) -> Response {
    let request = client().get(format!("http://127.0.0.1:{port}/healthz"));
    request.bearer_auth(credential).send().await.unwrap()
}

/// Waits until both engines reach the gateway.
async fn ready(engines: [u16; 2]) {
    for port in engines {
        wait_until("the engine listens", || answers(port));
        let started = Instant::now();
        while ask(port, "ready").await.status() != 200 {
            assert!(started.elapsed() < Duration::from_secs(30), "no replica is up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Asks both engines in turn, in each spelling, and counts those let through and those refused. A refusal must say when to
/// come back.
async fn count(
    engines: [u16; 2],
    requests: usize,
    credential: impl Fn(usize) -> String,
    later: &str,
) -> (usize, usize) {
    let client = client();
    let (mut passed, mut refused) = (0, 0);
    for number in 0..requests {
        let url = format!("http://127.0.0.1:{}/healthz", engines[number % 2]);
        let mut request = client.get(url);
        for scheme in SPELLINGS[number % 3] {
            request = request.header("authorization", format!("{scheme} {}", credential(number)));
        }
        let answer = request.send().await.unwrap();
        if answer.status() == 200 {
            passed += 1;
        } else {
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(answer.headers()["retry-after"], later);
            refused += 1;
        }
    }
    (passed, refused)
}

/// Two processes of `haproxy` that are peers, as their files say.
async fn haproxys(gateway: &Gateway, changes: &[(&str, &str)]) -> (World, [u16; 2], [Running; 2]) {
    let world = World::new();
    let [one, two, peer_one, peer_two] = ports();
    let (peer_one, peer_two) = (format!("127.0.0.1:{peer_one}"), format!("127.0.0.1:{peer_two}"));
    let engines = [one, two];
    let processes = ["one", "two"].map(|name| {
        let port = if name == "one" { one } else { two };
        let listen = format!("bind 127.0.0.1:{port}");
        let mut replaced = vec![
            ("bind :443 ssl crt /etc/haproxy/gw.example.org.pem alpn h2,http/1.1", listen.as_str()),
            ("10.0.0.11:10000", &peer_one),
            ("10.0.0.12:10000", &peer_two),
            ("10.0.0.21:8744", &gateway.address),
            ("10.0.0.22:8744", &gateway.address),
            // No count ends during a test, however slow the machine is.
            ("gpc0_rate(10s)", "gpc0_rate(1h)"),
        ];
        // Only root may become another user.
        if !rustix::process::geteuid().is_root() {
            replaced.push(("    user haproxy\n    group haproxy\n", ""));
        }
        replaced.extend(changes);
        let file = world.file(&format!("{name}.cfg"), with(HAPROXY, &replaced));
        start(&world, "haproxy", &["-db", "-L", name, "-f", &file], &[])
    });
    ready(engines).await;
    (world, engines, processes)
}

#[tokio::test]
async fn a_credential_has_one_limit_over_two_haproxys() {
    let (_corti, gateway) = gateway();
    // All rounds together may come near the limit of their address.
    let (_world, engines, _processes) = haproxys(&gateway, &[("ge 5000", "ge 500000")]).await;
    // Each alone would let all through: it sees 150 of them. Peers that start at the same time lose each other again at first.
    let (started, mut in_a_row, mut number) = (Instant::now(), 0, 0);
    while in_a_row < 3 {
        assert!(started.elapsed() < Duration::from_secs(120), "it is not counted as one");
        let credential = format!("credential-{number}");
        let (passed, _) = count(engines, 300, |_| credential.clone(), "10").await;
        assert!(passed >= 200, "{passed}");
        in_a_row = if passed <= 220 { in_a_row + 1 } else { 0 };
        number += 1;
    }
    for port in engines {
        assert_eq!(ask(port, "another").await.status(), 200);
    }
}

#[tokio::test]
async fn an_address_has_one_limit_over_two_haproxys() {
    let (_corti, gateway) = gateway();
    let (_world, engines, _processes) =
        haproxys(&gateway, &[("ge 5000", "ge 600"), ("ge 200", "ge 5")]).await;
    let (started, mut in_a_row, mut number) = (Instant::now(), 0, 0);
    while in_a_row < 5 {
        assert!(started.elapsed() < Duration::from_secs(60), "they do not exchange counts");
        let credential = format!("first-{number}");
        for _ in 0..5 {
            ask(engines[number % 2], &credential).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let other = ask(engines[1 - number % 2], &credential).await.status();
        if other == 429 {
            in_a_row += 1;
        } else {
            // Not often enough to reach the limit of the address.
            tokio::time::sleep(Duration::from_millis(500)).await;
            in_a_row = 0;
        }
        number += 1;
    }
    // Each alone would let 600 through.
    let (_, refused) = count(engines, 1400, |number| format!("second-{number}"), "10").await;
    assert!(refused >= 400, "{refused}");
}

#[tokio::test]
#[ignore = "needs Envoy, its rate limit service and Redis: scripts/with-ratelimit"]
async fn a_credential_has_one_limit_over_two_envoys() {
    let variable = |name: &str| variable(name).unwrap_or_else(|| panic!("run it by scripts/with-ratelimit"));
    let envoy = format!("{}/envoy", variable("ENGINES"));
    let (_corti, gateway) = gateway();
    let world = World::new();
    let [one, two, redis, grpc, http, debug] = ports();
    let folder = world.home().join("ratelimit/config");
    std::fs::create_dir_all(&folder).unwrap();
    // No count ends during the test, however slow the machine is.
    let a_day =
        with(RATELIMIT, &[("unit: second, requests_per_unit: 20", "unit: day, requests_per_unit: 20")]);
    std::fs::write(folder.join("ratelimit.yaml"), a_day).unwrap();
    let lua = world.file("credential.lua", CREDENTIAL);
    let port = redis.to_string();
    let _redis = start(&world, "redis-server", &["--port", &port, "--bind", "127.0.0.1", "--save", ""], &[]);
    wait_until("Redis listens", || answers(redis));
    let root = world.home().join("ratelimit").display().to_string();
    let [address, grpc_port, http, debug] =
        [format!("127.0.0.1:{redis}"), grpc.to_string(), http.to_string(), debug.to_string()];
    let mut service = start(
        &world,
        &variable("RATELIMIT"),
        &[],
        &[
            ("RUNTIME_ROOT", &root),
            ("RUNTIME_WATCH_ROOT", "false"),
            ("REDIS_SOCKET_TYPE", "tcp"),
            ("REDIS_URL", &address),
            ("USE_STATSD", "false"),
            ("HOST", "127.0.0.1"),
            ("PORT", &http),
            ("GRPC_HOST", "127.0.0.1"),
            ("GRPC_PORT", &grpc_port),
            ("DEBUG_HOST", "127.0.0.1"),
            ("DEBUG_PORT", &debug),
        ],
    );
    wait_until("the rate limit service listens", || answers(grpc));
    let tls = ENVOY.split_once("    - transport_socket:").unwrap().1.split_once("      filters:").unwrap().0;
    let tls = format!("    - transport_socket:{tls}      filters:");
    let replica = format!("address: 127.0.0.1, port_value: {}", gateway.address.rsplit(':').next().unwrap());
    let service_address = format!("address: 127.0.0.1, port_value: {grpc}");
    let _envoys = [one, two].map(|port| {
        let listen = format!("address: 127.0.0.1, port_value: {port}");
        let text = with(
            ENVOY,
            &[
                (&tls, "    - filters:"),
                ("address: 0.0.0.0, port_value: 443", &listen),
                ("/etc/envoy/credential.lua", &lua),
                ("address: 10.0.0.21, port_value: 8744", &replica),
                ("address: 10.0.0.22, port_value: 8744", &replica),
                ("address: 10.0.0.31, port_value: 8081", &service_address),
            ],
        );
        let file = world.file(&format!("{port}.yaml"), text);
        let id = port.to_string();
        start(&world, &envoy, &["-c", &file, "--base-id", &id, "--concurrency", "1"], &[])
    });
    let engines = [one, two];
    ready(engines).await;

    // 20 in a day. If the service is slow, a request is let through.
    let (passed, refused) = count(engines, 100, |_| "one-credential".to_owned(), "1").await;
    assert!(passed >= 20 && refused >= 65, "{passed} {refused}");
    assert_eq!(ask(two, "another").await.status(), 200);

    // Credentials of every length around a block of SHA-256, and a JWT's: Redis has their hashes and nothing else of them.
    let credentials: Vec<String> =
        (47..67).chain([1400]).map(|length| "canary".chars().cycle().take(length).collect()).collect();
    for credential in &credentials {
        ask(one, credential).await;
    }
    let keys = Process::new("redis-cli").args(["-p", &port, "keys", "*"]).output().unwrap();
    let keys = String::from_utf8(keys.stdout).unwrap();
    for credential in &credentials {
        assert!(keys.contains(&sha256(credential)), "{credential}: {keys}");
    }
    assert!(!keys.contains("canary"), "{keys}");

    // Without the service, each replica's own limits are left.
    service.0.kill().unwrap();
    service.end();
    assert_eq!(count(engines, 60, |_| "without".to_owned(), "1").await, (60, 0));
}
