//! `scripts/load`, the model behind docs/capacity.md.

use std::process::Command as Process;

use serde_json::Value;

use crate::common::path;
use crate::documents::page;

const SCRIPT: &str = include_str!("../../scripts/load");

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

/// Checks that each line of a table, but its first, is the begin of a row of the page.
fn check_figures(table: &str) {
    let page = page("docs/capacity.md");
    for line in table.lines().skip(1) {
        // Two spaces or more are between two columns.
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let row = format!("\n| {} |", cells.collect::<Vec<_>>().join(" | "));
        assert!(page.contains(&row), "{row}");
    }
}

/// The first customer takes a second.
#[test]
fn the_page_has_the_figures_of_the_first_customer() {
    check_figures(&run("--customer hospitals"));
}

#[test]
#[ignore = "takes a minute: scripts/full"]
fn the_page_has_all_figures() {
    check_figures(&run(""));
}

#[test]
fn the_page_has_what_is_assumed() {
    let page = page("docs/capacity.md");
    let number = |name: &str| -> f64 {
        let rest =
            SCRIPT.split_once(&format!("number(\"{name}\", ")).unwrap_or_else(|| panic!("no {name}")).1;
        rest.split(',').next().unwrap().parse().unwrap()
    };
    let percent = |name: &str| (100.0 * number(name)).round();
    for row in [
        format!("each at a quarter of an hour, {} minutes early or late | assumed", number("punctuality")),
        format!(
            "conversations | in {} % of appointments, {} minutes",
            percent("streamed"),
            number("conversation")
        ),
        format!(
            "dictations | after {} % of appointments, {} minutes",
            percent("dictated"),
            number("dictation")
        ),
        format!(
            "REST calls | {} for an appointment, {} when a shift begins; {} % are sent again",
            number("calls"),
            number("reload"),
            percent("retries")
        ),
        format!("WebSockets directly to Corti | {} %, each", percent("direct")),
        format!("audio messages | {} a second", number("audio")),
        format!("an audio message | {} KiB", number("message-bytes") / 1024.0),
        format!("CPU of an audio message and its answer | {} µs", number("message-cpu")),
        format!("CPU of a REST call | {} µs", number("request-cpu")),
        format!("CPU to open a WebSocket | {} µs", number("handshake-cpu")),
        format!("memory of a WebSocket | {} KiB", number("socket-memory")),
        format!("tokens of a realm | {} a second", number("realm-rate")),
    ] {
        assert!(page.contains(&row), "{row}");
    }
    // What the page has in other words.
    for (in_script, in_page) in [
        (r#""hospitals": (5_000, 0.45, HOSPITAL, 14)"#, "14 in hospitals, 22 in clinics"),
        (r#""country": (200_000, 0.45, HOSPITAL, 14)"#, "5,000; 200,000; 40,000"),
        (r#""vendor": (10_000 * 4, 0.70, CLINIC, 22)"#, "45 % in hospitals, 70 % in clinics"),
        (
            "HOSPITAL = [(0.65, 7.5, 8.5), (0.20, 14.5, 8.5), (0.15, 22.5, 9.5)]",
            "hospitals: 65 % from 7:30, 20 % from 14:30, 15 % from 22:30",
        ),
        ("CLINIC = [(1.0, 8.0, 9.0)]", "clinics: from 8:00"),
        ("RENEWALS = 3 / (0.6 * 300)", "300 s; the gateway renews its own after 55 to 65 %"),
        ("RECONNECT_SPREAD = 4\n", "after 1 to 5 s"),
        ("PORTS = 60_999 - 32_767", "28,232 from one address"),
        (r#"number("slot", 15,"#, "each at a quarter of an hour"),
        (r#"number("drops", 0.5,"#, "one in two hours of an open WebSocket"),
        (r#"number("target-utilization", 0.5,"#, "Plan half a core at the peak"),
    ] {
        assert!(SCRIPT.contains(in_script) && page.contains(in_page), "{in_script}: {in_page}");
    }
}

#[test]
fn a_seed_gives_the_same_day() {
    assert_eq!(load("--clinicians 300"), load("--clinicians 300"));
    assert_ne!(load("--clinicians 300"), load("--clinicians 300 --seed 2"));
}

#[test]
fn figures_follow_what_is_assumed() {
    // Much CPU, because cores have only two decimals.
    let [once, twice] = [2000, 4000].map(|count| load(&format!("--clinicians {count} --message-cpu 1000")));
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
