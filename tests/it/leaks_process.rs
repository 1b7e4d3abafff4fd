//! Other processes cannot read a secret of this one, and it leaves no core dump.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::common::diagnosis::CANARY;
use crate::common::{self, Sandbox, World};

#[test]
fn another_process_of_the_same_user_cannot_read_this_one() {
    let sandbox = Sandbox::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", sandbox.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // Root can read every process, so as root both run as another user.
    let world = World::new();
    let as_user = |program: &str| {
        let mut command = std::process::Command::new("setpriv");
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.arg(program).env("HOME", world.home()).stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let environment = format!("http://{}", silent.local_addr().unwrap());
    let client = [
        ("CORTI_ENVIRONMENT", environment.as_str()),
        ("CORTI_CLIENT_ID", "x"),
        ("CORTI_CLIENT_SECRET", CANARY),
    ];
    let copy = copy_for_everybody(&world);
    let target = common::Running(as_user(&copy).args(["token", "--full"]).envs(client).spawn().unwrap());
    // It has the secret in memory, and waits for an answer.
    silent.set_nonblocking(true).unwrap();
    let mut connection = None;
    common::wait_until("it asks for a token", || {
        connection = silent.accept().ok();
        connection.is_some()
    });
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", target.0.id())).unwrap();
    assert_eq!(words, format!("{copy}\0token\0--full\0"), "argv is what it was given");
    let look = |id: u32| as_user("cat").arg(format!("/proc/{id}/environ")).output().unwrap();
    let refusal = String::from_utf8(look(target.0.id()).stderr).unwrap();
    assert!(refusal.contains("Permission denied") && look(target.0.id()).stdout.is_empty(), "{refusal}");
    // The environment of another program of the same user can be read.
    let other = common::Running(as_user("sleep").arg("60").envs(client).spawn().unwrap());
    let shown = || String::from_utf8(look(other.0.id()).stdout).unwrap();
    common::wait_until("the other program is there", || shown().contains(CANARY));
}

/// A copy of the binary that any user can run.
fn copy_for_everybody(world: &World) -> String {
    let copy = world.home().join("corti-auth");
    std::fs::copy(common::binary(), &copy).unwrap();
    for path in [world.home(), &copy] {
        common::chmod(path, 0o755);
    }
    copy.display().to_string()
}

#[test]
fn a_crash_leaves_no_core_dump() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$CORTI_AUTH\" sandbox"]).current_dir(folder.path());
    shell.env("CORTI_AUTH", common::binary()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut sandbox = common::Running(shell.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(sandbox.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(common::signal(sandbox.0.id(), "ABRT"));
    assert_eq!(sandbox.wait(), None, "{line}: it was ended by the signal");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
