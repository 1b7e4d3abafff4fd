//! Servers that send without end: every deadline is kept, a signal ends the command, and memory stays bounded.

use std::time::{Duration, Instant};

use crate::common::flood_server::{Flood, FloodServer, frame, text};
use crate::common::ready::with_token;
use crate::common::{self, Running, World, forged_token};

/// Longer than any healthy machine needs for a deadline of 1 s, or of 4 s where the end of a session is awaited.
const PATIENCE: Duration = Duration::from_secs(30);

/// A signal is to end a command within a second; the rest is for a machine under load.
const PROMPT: Duration = Duration::from_secs(8);

/// In KiB: ten times what a debug build needs.
const MEMORY: u64 = 256 * 1024;

const ACCEPTED: &str = r#"{"type":"CONFIG_ACCEPTED"}"#;

/// A world with a token that this environment issued.
fn world(environment: &str) -> World {
    with_token(environment, &forged_token(environment, "openid transcribe"))
}

/// Waits at most `bound` for a command, and returns its exit code and its peak memory.
fn end(mut command: Running, bound: Duration) -> (Option<i32>, u64) {
    let (began, mut peak) = (Instant::now(), 0);
    while began.elapsed() < bound {
        peak = peak.max(common::memory(command.0.id(), "VmHWM").unwrap_or_default());
        if let Some(status) = command.0.try_wait().unwrap() {
            return (status.code(), peak);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (None, peak)
}

/// A text message that needs far more memory once it is parsed.
fn large_once_parsed() -> Vec<u8> {
    text(&format!("[{}0]", r#"{"":0},"#.repeat(140_000)))
}

/// Frames without end on an open WebSocket, by name.
fn open_floods() -> Vec<(&'static str, Flood)> {
    let never_reads = |flood: Flood| Flood { never_reads: true, ..flood };
    let slow = |flood: Flood| Flood { pause: Some(Duration::from_millis(20)), ..flood };
    let accepted = || text(ACCEPTED);
    vec![
        ("texts", Flood::of(text(r#"{"type":"hello"}"#))),
        ("empty texts", Flood::of(text(""))),
        ("binaries", Flood::of(frame(0x82, &[7; 500]))),
        ("empty binaries", Flood::of(frame(0x82, b""))),
        ("pings", Flood::of(frame(0x89, b""))),
        ("pings whose answers nobody reads", never_reads(Flood::of(frame(0x89, &[7; 125])))),
        ("pongs", Flood::of(frame(0x8a, b""))),
        ("fragments", Flood::after(frame(0x01, b"x"), frame(0x00, &[b'x'; 1000]))),
        ("empty fragments", Flood::after(frame(0x01, b"x"), frame(0x00, b""))),
        ("one byte at a time", slow(Flood::after(frame(0x01, b"x"), frame(0x00, b"yy")))),
        ("a frame of an exabyte", Flood::after(b"\x81\x7f\x0f\xff\xff\xff\xff\xff\xff\xff".into(), b"x")),
        ("large messages", Flood::of(text(&"x".repeat(900_000)))),
        ("messages that grow when they are parsed", Flood::of(large_once_parsed())),
        ("accepted, then texts", Flood::after(accepted(), text(r#"{"type":"hello"}"#))),
        (
            "accepted, then transcripts",
            Flood::after(accepted(), text(r#"{"type":"transcript","data":{"text":"a"}}"#)),
        ),
        (
            "accepted, then errors",
            Flood::after(accepted(), text(r#"{"type":"error","error":{"title":"a"}}"#)),
        ),
        ("accepted, then pings", Flood::after(accepted(), frame(0x89, b""))),
        (
            "accepted, then empty fragments",
            Flood::after([accepted(), frame(0x01, b"x")].concat(), frame(0x00, b"")),
        ),
        ("accepted, then nothing is read", never_reads(Flood::after(accepted(), text("{}")))),
    ]
}

/// Answers to the upgrade without end, by name.
fn answer_floods() -> Vec<(&'static str, Flood)> {
    let slow = |flood: Flood| Flood { pause: Some(Duration::from_millis(20)), ..flood };
    let refusal = "HTTP/1.1 403 Forbidden\r\n";
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(4000));
    vec![
        ("headers", Flood::answer(refusal, b"X-Header: value\r\n")),
        ("one header", Flood::answer("HTTP/1.1 403 Forbidden\r\nX-Header: ", b"value")),
        ("interim answers", Flood::answer("", interim)),
        ("a body", Flood::answer("HTTP/1.1 403 Forbidden\r\n\r\n", b"value")),
        (
            "chunks of one byte",
            Flood::answer("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ),
        ("headers, byte by byte", slow(Flood::answer(refusal, b"X-Header: value\r\n"))),
        ("a body, byte by byte", slow(Flood::answer("HTTP/1.1 403 Forbidden\r\n\r\n", b"value"))),
    ]
}

/// Runs `command` against each server, and returns the failures.
fn failures(floods: Vec<(&'static str, Flood)>, command: &str, codes: &[i32]) -> Vec<String> {
    let judge = |(name, flood): (&'static str, Flood)| {
        let server = FloodServer::start(flood);
        let (code, peak) = end(world(&server.environment).start(command), PATIENCE);
        let is_kept = code.is_some_and(|code| codes.contains(&code)) && peak < MEMORY;
        (!is_kept).then(|| format!("{command}, {name}: exit {code:?}, {peak} KiB"))
    };
    floods.into_iter().filter_map(judge).collect()
}

#[test]
fn a_probe_keeps_its_deadline_whatever_the_server_sends() {
    let failed = failures(open_floods(), "probe transcribe --timeout 1s", &[8]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_probe_with_json_keeps_its_deadline() {
    let failed = failures(open_floods(), "probe transcribe --timeout 1s --json", &[8]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_probe_ends_though_the_server_goes_on_sending() {
    let over =
        [text(ACCEPTED), text(r#"{"type":"usage","credits":1}"#), text(r#"{"type":"ended"}"#)].concat();
    let floods = [text("{}"), frame(0x89, b""), frame(0x82, &[7; 500]), frame(0x88, b"")];
    for (never_reads, rest) in [(false, &floods), (true, &floods)]
        .into_iter()
        .flat_map(|(never_reads, all)| all.iter().map(move |it| (never_reads, it)))
    {
        let flood = Flood { never_reads, ..Flood::after(over.clone(), rest.clone()) };
        let failed = failures(vec![("after the end", flood)], "probe transcribe --timeout 20s", &[0]);
        assert!(failed.is_empty(), "{never_reads} {rest:?}: {failed:#?}");
    }
}

#[test]
fn a_probe_keeps_its_deadline_while_the_answer_to_the_upgrade_goes_on() {
    let failed = failures(answer_floods(), "probe transcribe --timeout 1s", &[8]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_check_keeps_its_deadlines() {
    // 0, as an inconclusive check is no failure; 10 where the flood begins with an acceptance.
    let failed = failures([open_floods(), answer_floods()].concat(), "check --timeout 1s", &[0, 10]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn an_endless_answer_of_the_token_endpoint_or_the_api_is_bounded() {
    for (name, flood) in answer_floods() {
        let flood = Flood { every_request: true, ..flood };
        let server = FloodServer::start(flood);
        for command in ["session streams", "doctor"] {
            let world = World::client_of(&server.environment);
            let (code, peak) = end(world.start(&format!("{command} --timeout 1s")), PATIENCE);
            assert!(code == Some(8) && peak < MEMORY, "{command}, {name}: exit {code:?}, {peak} KiB");
        }
    }
}

#[test]
fn a_signal_ends_a_probe_or_a_check_whatever_the_server_sends() {
    let mut failed = Vec::new();
    for (name, flood) in open_floods() {
        // These end by themselves, without a deadline.
        if ["fragments", "a frame of an exabyte"].contains(&name) {
            continue;
        }
        for (signal, command) in
            [("TERM", "probe transcribe"), ("INT", "probe transcribe --json"), ("TERM", "check")]
        {
            let server = FloodServer::start(flood.clone());
            let running = world(&server.environment).start(&format!("{command} --timeout 600s"));
            // Some runs of `check` end with the first message.
            let began = Instant::now();
            while server.sent() < 100 && began.elapsed() < PROMPT {
                std::thread::sleep(Duration::from_millis(5));
            }
            common::signal(running.0.id(), signal);
            let (code, peak) = end(running, PROMPT);
            let is_over = command == "check" && matches!(code, Some(0 | 10));
            if !(code == Some(130) || is_over) || peak >= MEMORY {
                failed.push(format!("{command}, {name}, {signal}: exit {code:?}, {peak} KiB"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
