//! `exec --refresh-url` and other users of the machine: to them, the bearer alone opens nothing.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::common::{self, Running, Sandbox, World, path};

/// The user that runs `exec`, and another one.
const USER: &str = "65534";
const OTHER: &str = "65533";

/// Runs a command as another user, which only root can do.
fn as_user(user: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    command
}

#[test]
fn a_peer_of_another_user_gets_no_token() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    // Other users may not be allowed into the build folder.
    let binary = world.file("corti-auth", std::fs::read(common::binary()).unwrap());
    common::chmod(&binary, 0o755);
    assert!(Command::new("chown").args(["-R", USER]).arg(world.home()).status().unwrap().success());
    let script = "echo $CORTI_AUTH_REFRESH_URL; echo $CORTI_AUTH_REFRESH_TOKEN; exec cat";
    let mut command = as_user(USER);
    command.args([&binary, "exec", "--scope", "streams", "--refresh-url", "--", "sh", "-c", script]);
    command.env_clear().envs(world.variables()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut exec = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(exec.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (url, bearer) = (lines.next().unwrap(), lines.next().unwrap());
    let ask = |user: &str, url: &str| {
        let mut curl = as_user(user);
        curl.env_clear().env("PATH", path());
        curl.args(["curl", "-s", "--noproxy", "*", "-w", " %{http_code}", "-H"]);
        let output = curl.arg(format!("Authorization: Bearer {bearer}")).arg(url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for user in [USER, "0"] {
        let said = ask(user, &url);
        assert!(said.contains("accessToken") && said.ends_with(" 200"), "{user}: {said}");
    }
    let said = ask(OTHER, &url);
    assert!(said.ends_with(" 403") && !said.contains("eyJ") && said.contains("another user"), "{said}");
    drop(exec.0.stdin.take());
    assert_eq!(exec.wait(), Some(0));
}
