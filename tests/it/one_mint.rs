//! Any number of processes that need the same token make one request, also if the one that makes it is killed.

#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::cached::{Cached, silent_at_first, start, token, waits_for_a_lock};
use crate::common::rude::Rude;
use crate::common::{self, Running, wait_until};

/// Starts many at once. Their patience is that of a loaded machine.
fn many(world: &Cached, count: usize, program: &[&str]) -> Vec<Child> {
    impatient(world, count, program, "120s")
}

/// The same, with this `--timeout`.
fn impatient(world: &Cached, count: usize, program: &[&str], timeout: &str) -> Vec<Child> {
    let spawn = || {
        let mut command = Command::new(program[0]);
        command.env_clear().envs(world.variables()).args(&program[1..]);
        command.args(["token", "--scope", "transcribe", "--timeout", timeout]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..count).map(|_| spawn()).collect()
}

/// The one token that all of them print.
fn the_token_of(children: Vec<Child>) -> String {
    let mut tokens = tokens_of(children);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "they have different tokens");
    tokens.remove(0)
}

/// The token that each of them prints, and nothing else.
fn tokens_of(children: Vec<Child>) -> Vec<String> {
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
async fn two_hundred_at_once_mint_once() {
    let (_sandbox, control, world) = start();
    let binary = common::binary();
    the_token_of(many(&world, 200, &[binary.to_str().unwrap()]));
    assert_eq!((control.token_requests().await, locks(&world)), (1, 1));
}

#[tokio::test]
async fn so_do_those_without_a_kernel_keyring_or_a_runtime_folder() {
    let (_sandbox, control, mut world) = start();
    world.set("XDG_RUNTIME_DIR", "");
    let script = world.file("forbidden.py", common::cached::FORBID);
    let binary = common::binary();
    the_token_of(many(&world, 40, &["python3", &script, binary.to_str().unwrap()]));
    assert_eq!(
        (control.token_requests().await, world.token_files().len()),
        (1, 1),
        "{:?}",
        world.token_files()
    );
}

/// A server that never answers its first request, and a process that has the turn and waits for that.
fn a_holder_in_the_middle() -> (Rude, Cached, Running) {
    let (server, world) = silent_at_first();
    let holder = world.start("token --scope transcribe --timeout 500s");
    wait_until("its request is there", || server.requests().len() == 1);
    assert_eq!(locks(&world), 1);
    (server, world, holder)
}

#[test]
fn one_that_is_killed_while_it_mints_blocks_nobody() {
    let (server, world, holder) = a_holder_in_the_middle();
    let binary = common::binary();
    let waiting = many(&world, 50, &[binary.to_str().unwrap()]);
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    assert!(common::signal(holder.0.id(), "KILL"));
    the_token_of(waiting);
    assert_eq!(server.requests().len(), 2, "its own, and one more");
}

#[tokio::test]
async fn who_waits_longer_than_the_deadline_for_a_stopped_one_mints() {
    let (_sandbox, control, world) = start();
    control.turn(json!({ "latency_ms": 2000 })).await;
    let mut holder = world.start("token --scope transcribe --timeout 60s");
    wait_until("it has the lock", || locks(&world) == 1);
    assert!(common::signal(holder.0.id(), "STOP"));
    let binary = common::binary();
    let waiting = impatient(&world, 3, &[binary.to_str().unwrap()], "5s");
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    tokens_of(waiting);
    assert!(common::signal(holder.0.id(), "CONT"));
    assert_eq!(holder.wait(), Some(0));
}

#[test]
fn who_waits_in_vain_mints_by_itself() {
    let (server, world, holder) = a_holder_in_the_middle();
    let (_, cached) = token(&mut world.run("token --scope transcribe --timeout 1s"));
    assert!(!cached);
    assert_eq!(server.requests().len(), 2);
    drop(holder);
}

#[tokio::test]
async fn lock_files_stay_and_are_used_again() {
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
async fn a_server_that_fails_fails_for_each() {
    let (_sandbox, control, world) = start();
    control.turn(json!({ "fail_status": 500, "fail_count": 1000 })).await;
    let binary = common::binary();
    for child in many(&world, 20, &[binary.to_str().unwrap()]) {
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(9));
    }
    control.turn(json!({ "fail_count": 0 })).await;
    the_token_of(many(&world, 20, &[binary.to_str().unwrap()]));
    assert_eq!((control.token_requests().await, locks(&world)), (21, 1));
}

/// Tokens of 2 s stand for those of 300: six processes at a time, over many lives. A token that was minted before the
/// call began must have had its margin left then.
#[tokio::test]
async fn no_token_is_handed_out_with_less_than_its_margin_left() {
    let (_sandbox, control, world) = start();
    control.turn(json!({ "token_lifetime": 2 })).await;
    let world = &world;
    let calls: usize = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..6).map(|_| scope.spawn(move || call_for(world, Duration::from_secs(20)))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    let mints = usize::try_from(control.token_requests().await).unwrap();
    assert!(mints >= 8 && mints < calls, "{mints} mints for {calls} calls");
}

fn call_for(world: &Cached, while_under: Duration) -> usize {
    use base64::Engine as _;
    let (begin, mut calls) = (Instant::now(), 0);
    while begin.elapsed() < while_under {
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
