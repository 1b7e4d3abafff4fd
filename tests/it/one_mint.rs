//! Any number of processes that need the same token make one request, whatever becomes of the one that makes it.

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
    let mut tokens: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && stderr.is_empty(), "{stderr}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "they have different tokens");
    assert!(tokens[0].starts_with("eyJ"));
    tokens.remove(0)
}

fn locks(world: &Cached) -> usize {
    std::fs::read_dir(world.home().join("run/corti-auth")).map(Iterator::count).unwrap_or_default()
}

#[tokio::test]
async fn two_hundred_at_once_mint_once() {
    let (_sandbox, control, world) = start();
    let binary = common::binary();
    the_token_of(many(&world, 200, &[binary.to_str().unwrap()]));
    assert_eq!((control.token_requests().await, locks(&world)), (1, 0));
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
fn one_that_is_killed_while_it_mints_holds_nobody_up() {
    let (server, world, holder) = a_holder_in_the_middle();
    let binary = common::binary();
    let waiting = many(&world, 50, &[binary.to_str().unwrap()]);
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    assert!(common::signal(holder.0.id(), "KILL"));
    the_token_of(waiting);
    assert_eq!((server.requests().len(), locks(&world)), (2, 0), "its own, and one more");
}

#[tokio::test]
async fn one_that_is_stopped_while_it_mints_is_passed_over_once() {
    let (_sandbox, control, world) = start();
    // So long that all of them have waited in vain before the first that passes it over has its token.
    control.turn(json!({ "latency_ms": 2000 })).await;
    let mut holder = world.start("token --scope transcribe --timeout 60s");
    wait_until("it has its turn", || locks(&world) == 1);
    assert!(common::signal(holder.0.id(), "STOP"));
    let binary = common::binary();
    let waiting = impatient(&world, 10, &[binary.to_str().unwrap()], "5s");
    wait_until("they wait", || waiting.iter().all(|child| waits_for_a_lock(child.id())));
    the_token_of(waiting);
    let requests = control.token_requests().await;
    assert!(requests <= 2, "{requests}: its own, and one more");
    assert_eq!(locks(&world), 1, "the second lock is gone, the first is its own");
    // It goes on where it was, and takes its lock with it.
    assert!(common::signal(holder.0.id(), "CONT"));
    holder.wait();
    assert_eq!(locks(&world), 0);
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
async fn locks_that_were_left_behind_do_not_pile_up() {
    let (_sandbox, _control, world) = start();
    let folder = world.home().join("run/corti-auth");
    std::fs::create_dir(&folder).unwrap();
    let lock = |name: &str, age: u64| {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
        file
    };
    let held = lock("held.lock", 7200);
    held.lock().unwrap();
    drop((lock("new.lock", 60), lock("old.lock", 7200), lock("old.1.lock", 7200), lock("other", 7200)));
    token(&mut world.run("token --full"));
    let entries = std::fs::read_dir(&folder).unwrap().flatten();
    let mut left: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["held.lock", "new.lock", "other"]);
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
    assert_eq!((control.token_requests().await, locks(&world)), (21, 0));
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
