//! `scripts/load`, the model behind docs/capacity.md.

use std::process::Command as Process;

use serde_json::Value;

use crate::common::path;
use crate::documents::page;

/// What it prints with these options.
fn run(options: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/load");
    let mut command = Process::new("python3");
    command.arg(script).args(options.split_whitespace());
    let output = command.env_clear().env("PATH", path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it says of the vendor with these options.
fn load(options: &str) -> Value {
    let text = run(&format!("--json --customer vendor {options}"));
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

/// The page has the figures of all customers; the first takes a second.
#[test]
fn the_page_has_its_figures() {
    let page = page("docs/capacity.md");
    for line in run("--customer hospitals").lines().skip(1) {
        let (label, figure) = line.trim_end().rsplit_once(' ').unwrap();
        let row = format!("| {} | {figure} |", label.trim_end());
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn a_seed_gives_the_same_day() {
    assert_eq!(load("--clinicians 300"), load("--clinicians 300"));
    assert_ne!(load("--clinicians 300"), load("--clinicians 300 --seed 2"));
}

#[test]
fn figures_follow_what_is_assumed() {
    let (once, twice) = (load("--clinicians 2000"), load("--clinicians 4000"));
    for name in ["sockets", "messages_per_second", "cores", "broker_mints_per_day"] {
        let ratio = twice[name].as_f64().unwrap() / once[name].as_f64().unwrap();
        assert!((1.85..2.15).contains(&ratio), "{name}: {ratio}");
    }
    // Without conversations and dictations there are only REST calls: one appointment has one.
    let calls = load("--clinicians 2000 --streamed 0 --dictated 0 --calls 1 --reload 0");
    assert_eq!((&calls["sockets"], &calls["broker_mints_per_day"]), (&0.into(), &0.into()));
    assert!(calls["requests_per_second"].as_u64() >= Some(1) && calls["replicas"] == 2, "{calls}");
    // No WebSocket goes to Corti directly: no token of the broker, and the gateway has all of them.
    let inline = load("--clinicians 2000 --direct 0");
    assert_eq!(inline["broker_mints_per_day"], 0);
    assert!(inline["sockets"].as_u64() > once["sockets"].as_u64());
    // Half of a process's connections may be WebSockets, however little they do.
    let idle = load("--clinicians 5000 --conversation 300 --audio 0 --handshake-cpu 0");
    let most = 16 * 1024 / 2;
    assert!(idle["sockets"].as_u64() > Some(most) && idle["sockets_of_a_replica"].as_u64() <= Some(most));
}
