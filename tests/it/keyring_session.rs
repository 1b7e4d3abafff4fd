//! One command opens the keyring once: two connections to the bus (one to probe it, one for the keyring's client) and
//! one session, however many entries it reads.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::common::{self, Keyring, Said, Sandbox, World};

/// A `dbus-monitor` on the private bus.
struct Monitor<'a> {
    world: &'a World,
    child: Child,
    log: String,
    marks: u32,
}

impl<'a> Monitor<'a> {
    fn start(world: &'a World) -> Self {
        let log = world.file("bus.log", "");
        let child = Command::new("dbus-monitor")
            .env_clear()
            .envs(world.variables())
            .args([
                "--session",
                "type='method_call',member='Hello'",
                "type='method_call',member='OpenSession'",
            ])
            .arg("type='method_call',interface='test.Mark'")
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut monitor = Self { world, child, log, marks: 0 };
        common::wait_until("the monitor listens", || {
            monitor.mark();
            std::fs::read_to_string(&monitor.log).unwrap().contains("interface=test.Mark")
        });
        monitor.settle();
        monitor
    }

    /// Sends a call over a connection of its own. Nobody answers it, but the monitor logs it.
    fn mark(&mut self) -> String {
        self.marks += 1;
        let member = format!("M{}x", self.marks);
        let mut send = self.world.program("dbus-send");
        let call = format!("test.Mark.{member}");
        send.args(["--session", "--type=method_call", "--dest=org.freedesktop.DBus", "/", &call]);
        send.assert().success();
        member
    }

    /// The log up to now: a mark sent now is in it, and so is everything before.
    fn settle(&mut self) -> String {
        let mark = self.mark();
        let mut text = String::new();
        common::wait_until("the monitor has seen the mark", || {
            text = std::fs::read_to_string(&self.log).unwrap();
            text.contains(&mark)
        });
        text
    }

    /// How many connections and sessions a command opens.
    fn count(&mut self, words: &[&str]) -> (usize, usize) {
        let count = |text: &str, member: &str| text.matches(&format!("member={member}\n")).count();
        let before = self.settle();
        let said = Said::by(&mut self.world.run_words(words));
        assert_eq!(said.code, 0, "{words:?}: {}", said.stderr);
        let after = self.settle();
        let new = |member| count(&after, member) - count(&before, member);
        // One connection is the mark's.
        (new("Hello") - 1, new("OpenSession"))
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_command_opens_one_session_and_two_connections_at_most() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", &sandbox.client_secret);
    let login = |id: &'static str, profile: &'static str| {
        let place = ["login", "-e", sandbox.environment.as_str(), "--secret-file", &secret, "--no-verify"];
        [&place[..], &["--client-id", id, "-p", profile]].concat()
    };
    let mut monitor = Monitor::start(&world);
    assert_eq!(monitor.count(&login("sandbox", "a")), (2, 1), "login");
    assert_eq!(monitor.count(&["token", "--full"]), (2, 1), "token");
    assert_eq!(monitor.count(&["doctor"]), (2, 1), "doctor");
    assert_eq!(monitor.count(&login("other", "b")), (2, 1), "a second login");
    assert_eq!(monitor.count(&login("other", "b")), (2, 1), "a login of a profile that exists");
    // It reads no secret, so it needs no session.
    assert_eq!(monitor.count(&["status", "--all"]), (1, 0), "status");
    assert_eq!(monitor.count(&["profile", "rename", "b", "c"]), (0, 0), "rename");
    assert_eq!(monitor.count(&["rotate", "-p", "a", "--secret-file", &secret]), (2, 1), "rotate");
    assert_eq!(monitor.count(&["profile", "remove", "c"]), (2, 1), "remove");
    assert_eq!(monitor.count(&["logout", "--all"]), (2, 1), "logout");
}
