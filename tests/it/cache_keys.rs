//! The kernel lets an unprivileged user keep 200 keys, keyrings included, so no command may hold one for long. This
//! test has a file of its own because it counts keys.

use std::process::{Command, Stdio};

use crate::common::cached::{become_user, silent_at_first, waits_for_a_lock};
use crate::common::{Running, wait_until};

/// A user id that nobody else uses.
const USER: u32 = 65_531;

/// How many keys the kernel counts for a user: the third number of its line in `/proc/key-users`.
fn keys(user: u32) -> usize {
    let users = std::fs::read_to_string("/proc/key-users").unwrap();
    let own = users.lines().filter_map(|line| line.split_once(':'));
    let counts = own.filter(|(id, _)| id.trim() == user.to_string()).map(|(_, counts)| counts);
    let keys = counts.filter_map(|counts| counts.split_whitespace().nth(2)?.split('/').next());
    keys.map(|keys| keys.parse::<usize>().unwrap()).sum()
}

#[test]
fn a_command_that_waits_or_runs_a_program_holds_no_key() {
    let (server, world) = silent_at_first();
    let me = rustix::process::geteuid();
    let user = if me.is_root() { USER } else { me.as_raw() };
    let (words, binary) = become_user(&world, USER);
    let start = |arguments: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.env_clear().envs(world.variables()).args(&words[1..]).arg(&binary);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    };
    let holder = start(&["token", "--scope", "transcribe", "--timeout", "60s"]);
    wait_until("its request is there", || server.requests().len() == 1);
    let before = keys(user);
    let exec = ["exec", "--scope", "transcribe", "--timeout", "60s", "--refresh-url", "--"];
    let program = ["sh", "-c", "touch \"$HOME/$$.ran\"; exec cat"];
    let waiting: Vec<_> = (0..20).map(|_| start(&[&exec[..], &program].concat())).collect();
    wait_until("they wait", || waiting.iter().all(|it| waits_for_a_lock(it.0.id())));
    // The kernel removes keys with a delay.
    wait_until("they hold no keys", || keys(user) < before + 10);
    drop(holder);
    let running = || {
        let entries = std::fs::read_dir(world.home()).unwrap().flatten();
        entries.filter(|it| it.path().extension().is_some_and(|end| end == "ran")).count()
    };
    wait_until("the programs run", || running() == waiting.len());
    wait_until("those beside them hold no keys", || keys(user) < before + 10);
    assert_eq!(server.requests().len(), 2);
    drop(waiting);
    assert_eq!(start(&["logout"]).wait(), Some(0));
    assert_eq!(world.token_files().len(), 0, "the kernel had room");
}
