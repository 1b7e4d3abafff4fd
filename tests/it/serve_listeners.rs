//! Who reaches `serve` at all: the modes of its Unix socket, its metrics, and configurations that would let strangers in (A23,
//! A24, A27).

use crate::common::gateway::{BATCH, Gateway, HOST, config_of};
use crate::common::recorder::Recorder;
use crate::common::{Said, World};

const RULES: &str = "[[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\"]\n";
const ISSUER: &str = "https://idp.example";

/// Sends a request and returns all that comes back.
fn ask(address: &str, host: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {BATCH}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_and_calls_have_listeners_of_their_own() {
    let corti = Recorder::start();
    // Without a place for them, there are none.
    for (more, count) in [("", 1), ("metrics = \"127.0.0.1:0\"\n", 2)] {
        let text = format!("{more}{}", config_of("http://127.0.0.1:1", RULES));
        let gateway = Gateway::start_in(corti.world(), &text);
        let listeners: Vec<&String> = std::iter::once(&gateway.address).chain(&gateway.metrics).collect();
        assert_eq!(listeners.len(), count);
        for path in ["/metrics", "/metrics/", "/debug", "/admin", "/_sandbox/counters"] {
            let answer = ask(&gateway.address, HOST, path);
            assert!(
                answer.starts_with("HTTP/1.1 404 ") && !answer.contains("corti_auth_"),
                "{path}: {answer}"
            );
        }
        let Some(metrics) = &gateway.metrics else { continue };
        for path in ["/broker/v1/me", "/broker/v1/token", "/corti/v2/languages/", "/"] {
            let answer = ask(metrics, metrics, path);
            assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        }
        let answer = ask(metrics, metrics, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("corti_auth_requests"), "{answer}");
        // Labels are of closed sets, whatever is asked for.
        assert!(!answer.contains("languages/") && !answer.contains("admin"), "{answer}");
    }
    assert_eq!(corti.take(), Vec::<String>::new());
}

/// Nothing is served, not even for a moment.
#[test]
fn a_configuration_that_lets_strangers_in_does_not_start() {
    let good = config_of(ISSUER, RULES);
    let world = World::client_of("http://127.0.0.1:9");
    for (from, to, words) in [
        ("\"127.0.0.1:0\"", "\"0.0.0.0:0\"", "trust_network"),
        ("\"127.0.0.1:0\"", "\"[::]:0\"", "trust_network"),
        ("\"127.0.0.1:0\"", "\"127.0.0.1:0\", \"192.0.2.1:0\"", "trust_network"),
        ("listen =", "metrics = \"0.0.0.0:0\"\nlisten =", "trust_network"),
        ("origins = [", "origins = [\"*\", ", "any page"),
        ("origins = [", "origins = [\"null\", ", "any page"),
        (ISSUER, "http://idp.example", "not https"),
        ("\"account\"", "\"\"", "empty audience"),
        ("\"RS256\"", "\"HS256\"", "public key"),
        ("\"RS256\"", "\"none\"", "`none`"),
        ("http://localhost:1", "http://gateway.example.org", "plain http"),
        ("[\"languages.list\"]", "[\"*\"]", "is not an operation"),
        ("[\"languages.list\"]", "[\"streams\", \"token.streams\"]\nown = true", "every user's"),
        ("[[rule]]", "[ticket]\n[[rule]]", "key_file"),
        ("[[rule]]", "[ticket]\nkey_file = \"/dev/null\"\n[[rule]]", "ticket key"),
    ] {
        assert!(good.contains(from), "{from}");
        let file = world.file("serve.toml", good.replacen(from, to, 1));
        let said = Said::by(&mut world.run(&format!("serve --config {file}")));
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{to}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{to}: {}", said.stderr);
    }
}

/// Only its owner and the owner's group reach it: an engine in front is given that group.
#[cfg(unix)]
#[test]
fn another_user_does_not_reach_a_unix_socket() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    let corti = Recorder::start();
    let folder = World::new();
    let path = folder.home().join("serve.sock").display().to_string();
    let text = config_of("http://127.0.0.1:1", RULES).replace("127.0.0.1:0", &format!("unix:{path}"));
    let gateway = Gateway::start_in(corti.world(), &text);
    assert_eq!(gateway.address, format!("unix:{path}"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let request = format!("GET /broker/v1/me HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n");
    stream.write_all(format!("{request}Authorization: Bearer {BATCH}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // It is no credential: a caller needs its own here, too.
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    answer.clear();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    // Only root can run something as another user.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    crate::common::chmod(folder.home(), 0o755);
    let connect = || {
        let script =
            "import socket, sys\nsocket.socket(socket.AF_UNIX).connect(sys.argv[1])\nprint('connected')";
        let mut command = folder.program("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", script, &path]);
        // A python of root's own would not be another user's to run.
        Said::by(command.env("PATH", "/usr/bin:/bin"))
    };
    let said = connect();
    assert!(said.stderr.contains("PermissionError") && said.stdout.is_empty(), "{}", said.stderr);
    // With another mode, it would be reached.
    crate::common::chmod(&path, 0o666);
    assert_eq!(connect().stdout, "connected\n");
}

/// A page whose name leads to this machine must not read them (DNS rebinding).
#[test]
fn metrics_are_for_their_own_host() {
    let corti = Recorder::start();
    let text = format!("metrics = \"127.0.0.1:0\"\n{}", config_of("http://127.0.0.1:1", RULES));
    let gateway = Gateway::start_in(corti.world(), &text);
    let metrics = gateway.metrics.as_ref().unwrap();
    let port = metrics.rsplit(':').next().unwrap();
    for host in ["attacker.test".to_owned(), format!("attacker.test:{port}"), String::new()] {
        let answer = ask(metrics, &host, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("corti_auth_"), "{host}: {answer}");
    }
    for host in [metrics.clone(), format!("localhost:{port}")] {
        assert!(ask(metrics, &host, "/metrics").starts_with("HTTP/1.1 200 "), "{host}");
    }
}

/// A full disk loses lines, and says how many.
#[cfg(target_os = "linux")]
#[test]
fn lines_that_cannot_be_written_are_counted() {
    let corti = Recorder::start();
    let text = format!("metrics = \"127.0.0.1:0\"\n{}", config_of("http://127.0.0.1:1", RULES));
    let mut full = std::process::Command::new("/bin/sh");
    full.args(["-c", "exec \"$0\" \"$@\" > /dev/full"]).arg(crate::common::binary());
    let gateway = Gateway::start_by(full, corti.world(), &text);
    let metrics = gateway.metrics.as_ref().unwrap();
    for _ in 0..5 {
        assert!(ask(&gateway.address, HOST, "/broker/v1/me").starts_with("HTTP/1.1 200 "));
    }
    crate::common::wait_until("5 lines are lost", || {
        ask(metrics, metrics, "/metrics").contains("corti_auth_lost_lines_total 5\n")
    });
}
