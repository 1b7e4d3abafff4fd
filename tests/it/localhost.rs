//! `localhost` is this machine, whatever a hosts file says, because plain http must not leave it.

use crate::common::{self, Said, World};

/// Listens on 127.0.0.1 and 192.0.2.1, runs each line of its input as a command, and prints who was connected to and
/// the method of each request.
const OBSERVE: &str = r#"
import os, shlex, socket, subprocess, sys, threading
seen = []
def serve(address):
    listener = socket.create_server((address, 8080), backlog=64)
    def loop():
        while True:
            peer, _ = listener.accept()
            peer.settimeout(5)
            try: first = peer.recv(65536).split(b"\r\n")[0]
            except OSError: first = b""
            words = first.split() if first.isascii() else [b"TLS"]
            seen.append(address + " " + (words[0].decode("latin-1") if words else "-"))
            try: peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError: pass
            peer.close()
    threading.Thread(target=loop, daemon=True).start()
for address in ("127.0.0.1", "192.0.2.1"): serve(address)
for line in sys.stdin:
    words = shlex.split(line)
    variables = [word for word in words if word.split("=")[0].isupper()]
    words = words[len(variables):]
    environment = dict(os.environ, **dict(word.split("=", 1) for word in variables))
    subprocess.run([os.environ["CORTI_AUTH"], *words], env=environment, capture_output=True, stdin=subprocess.DEVNULL)
    print(line.strip(), "->", sorted(set(seen)))
    seen.clear()
"#;

/// The connections that each of `commands` makes while a hosts file says that `localhost` is 192.0.2.1, in a network
/// that leads nowhere else.
fn observe(commands: &[&str]) -> Vec<String> {
    let mut world = World::client_of("http://localhost:8080");
    let hosts = world.file("hosts", "192.0.2.1 localhost localhost. LOCALHOST\n");
    let observer = world.file("observer.py", OBSERVE);
    world.set("CORTI_AUTH", &common::binary().display().to_string());
    let script = format!(
        "set -e; ip link set lo up; ip address add 192.0.2.1/32 dev lo; mount --bind '{hosts}' /etc/hosts
         exec python3 '{observer}'"
    );
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--net", "--mount", "sh", "-c", &script]);
    let said = Said::by(shell.write_stdin(format!("{}\n", commands.join("\n"))));
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_hosts_file_does_not_send_localhost_elsewhere() {
    let socket = "CORTI_ACCESS_TOKEN=eyJhbGciOiJub25lIn0.e30. CORTI_CLIENT_SECRET= CORTI_CLIENT_ID=";
    let commands = [
        ("token --full", "127.0.0.1 POST"),
        ("token --full -e http://LOCALHOST:8080", "127.0.0.1 POST"),
        ("token --full -e http://localhost.:8080", "127.0.0.1 POST"),
        ("token --full -e https://localhost:8080", "127.0.0.1 TLS"),
        ("token --full -e https://localhost.:8080", "127.0.0.1 TLS"),
        ("HTTPS_PROXY=http://192.0.2.1:8080 token --full -e https://localhost.:8080", "127.0.0.1 TLS"),
        ("HTTPS_PROXY=http://localhost:8080 token --full -e eu", "127.0.0.1 CONNECT"),
        ("inspect --verify x", ""),
        ("doctor", "127.0.0.1 GET"),
    ];
    let with_socket = [
        format!("{socket} probe transcribe"),
        format!("{socket} probe transcribe -e http://localhost:8080 --json"),
    ];
    let lines: Vec<&str> =
        commands.iter().map(|(line, _)| *line).chain(with_socket.iter().map(String::as_str)).collect();
    let observed = observe(&lines);
    let elsewhere: Vec<_> = observed.iter().filter(|line| line.contains("'192.0.2.1")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    for ((_, expected), line) in commands.iter().zip(&observed) {
        assert!(line.contains(expected), "{line}");
    }
    for line in &observed[commands.len()..] {
        assert!(line.contains("'127.0.0.1 GET'"), "{line}");
    }
}
