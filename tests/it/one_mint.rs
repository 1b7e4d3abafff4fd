//! Processes that need the same token mint it once, however many they are, even if the one that mints is killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::cached::{Cached, silent_at_first, start, token, waits_for_a_lock};
use crate::common::fake_server::FakeServer;
use crate::common::{self, Running, wait_until};

/// Starts `count` commands at once, with a timeout for a loaded machine.
fn start_many(world: &Cached, count: usize, program: &[&str]) -> Vec<Child> {
    start_many_with_timeout(world, count, program, "120s")
}

/// The same, with this `--timeout`.
fn start_many_with_timeout(world: &Cached, count: usize, program: &[&str], timeout: &str) -> Vec<Child> {
    let spawn = || {
        let mut command = Command::new(program[0]);
        command.env_clear().envs(world.variables()).args(&program[1..]);
        command.args(["token", "--scope", "transcribe", "--quiet", "--timeout", timeout]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..count).map(|_| spawn()).collect()
}

/// The one token that all of them print.
fn same_token(children: Vec<Child>) -> String {
    let mut tokens = tokens(children);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "they have different tokens");
    tokens.remove(0)
}

/// The token that each of them prints, and nothing else.
fn tokens(children: Vec<Child>) -> Vec<String> {
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && stderr.is_empty(), "{stderr}");
            String::from_utf8(output.stdout).unwrap()
        })
        .inspect(|token| assert!(token.starts_with("eyJ")))
        .collect()
}

fn locks(world: &Cached) -> usize {
    std::fs::read_dir(world.home().join("run/corti-auth")).map(Iterator::count).unwrap_or_default()
}

#[tokio::test]
async fn two_hundred_commands_at_once_mint_once() {
    let (_sandbox, control, world) = start();
    let binary = common::binary();
    same_token(start_many(&world, 200, &[binary.to_str().unwrap()]));
    assert_eq!((control.token_requests().await, locks(&world)), (1, 1));
}

#[tokio::test]
async fn without_a_keyring_or_a_runtime_folder_they_mint_once_too() {
    let (_sandbox, control, mut world) = start();
    world.set("XDG_RUNTIME_DIR", "");
    let script = world.file("forbidden.py", common::cached::FORBID);
    let binary = common::binary();
    same_token(start_many(&world, 40, &["python3", &script, binary.to_str().unwrap()]));
    assert_eq!(
        (control.token_requests().await, world.token_files().len()),
        (1, 1),
        "{:?}",
        world.token_files()
    );
}

/// A server that never answers its first request, and the process that holds the lock and waits for that answer.
fn stuck_mint() -> (FakeServer, Cached, Running) {
    let (server, world) = silent_at_first();
    let holder = world.start("token --scope transcribe --timeout 500s");
    wait_until("its request is there", || server.requests().len() == 1);
    assert_eq!(locks(&world), 1);
    (server, world, holder)
}

#[test]
fn a_killed_mint_blocks_no_other_command() {
    let (server, world, holder) = stuck_mint();
    let binary = common::binary();
    let waiting = start_many(&world, 50, &[binary.to_str().unwrap()]);
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    assert!(common::signal(holder.0.id(), "KILL"));
    same_token(waiting);
    assert_eq!(server.requests().len(), 2, "its own, and one more");
}

#[test]
fn a_command_says_what_it_waits_for_and_how_long() {
    let (_server, world, _holder) = stuck_mint();
    let stderr = world.file("stderr", "");
    let mut command = Command::new(common::binary());
    command.env_clear().envs(world.variables());
    command.args(["token", "--scope", "transcribe", "--timeout", "500s"]);
    let _waiting = Running(
        command.stdin(Stdio::null()).stderr(std::fs::File::create(&stderr).unwrap()).spawn().unwrap(),
    );
    wait_until("it says so", || {
        let line = "waiting for another process that is minting the same token (up to 505 s)\n";
        std::fs::read_to_string(&stderr).unwrap() == line
    });
}

#[tokio::test]
async fn a_stopped_mint_is_waited_for_until_the_deadline() {
    let (_sandbox, control, world) = start();
    control.set(json!({ "latency_ms": 2000 })).await;
    let mut holder = world.start("token --scope transcribe --timeout 60s");
    wait_until("it has the lock", || locks(&world) == 1);
    assert!(common::signal(holder.0.id(), "STOP"));
    let binary = common::binary();
    let waiting = start_many_with_timeout(&world, 3, &[binary.to_str().unwrap()], "5s");
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    tokens(waiting);
    assert!(common::signal(holder.0.id(), "CONT"));
    assert_eq!(holder.wait(), Some(0));
}

#[test]
fn a_command_mints_itself_when_its_wait_is_over() {
    let (server, world, holder) = stuck_mint();
    let (_, cached) = token(&mut world.run("token --scope transcribe --timeout 1s"));
    assert!(!cached);
    assert_eq!(server.requests().len(), 2);
    drop(holder);
}

#[tokio::test]
async fn lock_files_are_used_again() {
    let (_sandbox, _control, world) = start();
    for _ in 0..3 {
        token(&mut world.run("token --full --no-cache"));
        assert_eq!(locks(&world), 0, "without the cache there is nothing to wait for");
    }
    for _ in 0..3 {
        token(&mut world.run("token --full --refresh"));
        world.run("logout").assert().success();
        token(&mut world.run("token --full"));
        assert_eq!(locks(&world), 1);
    }
}

#[tokio::test]
async fn a_failing_server_is_an_error_for_every_command() {
    let (_sandbox, control, world) = start();
    control.set(json!({ "fail_status": 500, "fail_count": 1000 })).await;
    let binary = common::binary();
    for child in start_many(&world, 20, &[binary.to_str().unwrap()]) {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(9));
    }
    control.set(json!({ "fail_count": 0 })).await;
    same_token(start_many(&world, 20, &[binary.to_str().unwrap()]));
    assert_eq!((control.token_requests().await, locks(&world)), (21, 1));
}

/// Six processes at a time use tokens of 2 s, as others use tokens of 300 s, over many lifetimes. Each token must
/// have had its margin left when the command was started.
#[tokio::test]
async fn every_token_has_its_margin_left() {
    let (_sandbox, control, world) = start();
    control.set(json!({ "token_lifetime": 2 })).await;
    let world = &world;
    let calls: usize = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..6).map(|_| scope.spawn(move || mint_repeatedly(world, Duration::from_secs(20)))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    let mints = usize::try_from(control.token_requests().await).unwrap();
    assert!(mints >= 8 && mints < calls, "{mints} mints for {calls} calls");
}

fn mint_repeatedly(world: &Cached, how_long: Duration) -> usize {
    use base64::Engine as _;
    let (begin, mut calls) = (Instant::now(), 0);
    while begin.elapsed() < how_long {
        let before = common::now().as_millisecond();
        let (token, _) = token(&mut world.run("token --full"));
        let claims =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        let left = claims["exp"].as_i64().unwrap() * 1000 - before;
        assert!(left >= 2000 / 3, "{left} ms left");
        calls += 1;
    }
    calls
}
