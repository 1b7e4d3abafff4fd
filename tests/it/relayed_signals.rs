//! `exec --refresh-url` passes on every signal that can be passed on, and where the signal ends the program, both
//! end.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::common::lines::lines;
use crate::common::shell::Shell;
use crate::common::{self, Running, Sandbox, World, wait_until};

/// Signals that end a program by default, by their names in kill(1).
const DEADLY: [&str; 23] = [
    "HUP", "INT", "QUIT", "TRAP", "ABRT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "XCPU", "XFSZ",
    "VTALRM", "PROF", "IO", "PWR", "SYS", "RTMIN", "RTMIN+1", "RTMIN+15", "RTMIN+29", "RTMAX",
];

/// Signals that do not.
const HARMLESS: [&str; 4] = ["TSTP", "CONT", "URG", "WINCH"];

/// A program that prints the number of each signal that it gets.
const PRINT_SIGNALS: &str = "
import os, signal
heard = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
for number in heard:
    signal.signal(number, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
print('ready', os.getpid(), flush=True)
while True:
    print(int(signal.sigwait(heard)), flush=True)
";

/// A running `exec --refresh-url`, and the process id of its program.
struct Exec {
    process: Running,
    lines: Receiver<String>,
    program: u32,
}

impl Exec {
    /// Starts a program that first prints `ready` and its process id.
    fn start(world: &World, program: &[&str]) -> Self {
        let mut command = Command::new(common::binary());
        command.env_clear().envs(world.variables()).args(["exec", "--full", "--refresh-url", "--"]);
        command.args(program).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let lines = lines(stdout);
        let mut exec = Self { process: Running(child), lines, program: 0 };
        exec.program = exec.line().strip_prefix("ready ").unwrap().parse().unwrap();
        exec
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn id(&self) -> u32 {
        self.process.0.id()
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        common::signal(self.program, "KILL");
    }
}

/// The number of a signal.
fn number(name: &str) -> i32 {
    if let Some(offset) = name.strip_prefix("RTMIN") {
        return 34 + offset.parse::<i32>().unwrap_or_default();
    }
    if name == "RTMAX" {
        return 64;
    }
    // bash's own kill knows all of them.
    let output = Command::new("bash").args(["-c", &format!("kill -l {name}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A process's state, as in proc(5). `None` once it is gone.
fn state(process: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn every_signal_reaches_the_program() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let script = world.file("telling.py", PRINT_SIGNALS);
    let exec = Exec::start(&world, &["python3", &script]);
    for name in DEADLY.into_iter().chain(HARMLESS) {
        assert!(common::signal(exec.id(), &number(name).to_string()), "{name}");
        let got = exec.lines.recv_timeout(Duration::from_secs(20));
        assert_eq!(got, Ok(number(name).to_string()), "{name}");
    }
}

#[test]
fn a_signal_that_ends_the_program_ends_both() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for name in DEADLY {
        let mut exec = Exec::start(&world, &["sh", "-c", "echo ready $$; exec sleep 600"]);
        assert!(common::signal(exec.id(), &number(name).to_string()), "{name}");
        let status = exec.process.end();
        let said = status.signal().or_else(|| Some(status.code()? - 128));
        assert_eq!(said, Some(number(name)), "{name}: {status}");
        assert_eq!(state(exec.program), None, "{name}: the program is still there");
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let auth = common::binary().display().to_string();
    // A trap would run if the signal arrived.
    let handlers =
        "trap 'echo usr1; exit 7' USR1; trap 'echo alrm' ALRM; echo ready $$; while :; do sleep 0.1; done";
    let script = format!("trap '' ALRM; exec '{auth}' exec --full --refresh-url -- bash -c \"$0\"");
    let mut command = Command::new("sh");
    command.env_clear().envs(world.variables()).args(["-c", &script, handlers]);
    let mut child = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with("ready "));
    for name in ["ALRM", "USR1"] {
        assert!(common::signal(child.0.id(), name));
    }
    assert_eq!((lines.next().as_deref(), child.wait()), (Some("usr1"), Some(7)));
}

/// A signal that the program sends to its group has reached it already.
#[test]
fn a_signal_of_the_program_to_its_group_is_not_sent_back() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let script = "import os, signal, time
count = 0
def came(*_):
    global count
    count += 1
signal.signal(signal.SIGUSR1, came)
# Not print: it fails in a handler that interrupts another print.
signal.signal(signal.SIGUSR2, lambda *_: (os.write(1, b'count %d\\n' % count), os._exit(3)))
os.kill(0, signal.SIGUSR1)
print('ready', os.getpid(), flush=True)
while True:
    time.sleep(1)
";
    let script = world.file("group.py", script);
    // In a group of its own, or the signal would reach the test.
    let auth = common::binary().display().to_string();
    let mut command = Command::new("setsid");
    command.env_clear().envs(world.variables()).arg(auth);
    command.args(["exec", "--full", "--refresh-url", "--", "python3", &script]);
    let mut child = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with("ready "));
    assert!(common::signal(child.0.id(), "USR2"));
    assert_eq!((lines.next().as_deref(), child.wait()), (Some("count 1"), Some(3)));
}

#[test]
fn a_stop_signal_stops_both_and_both_continue() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let go = world.home().join("go");
    // The script does not read from the terminal, which would stop it in the background.
    let script =
        "'echo \"ready\" $PPID $$ :; while [ ! -e \"$HOME/go\" ]; do sleep 0.1; done; echo \"we\"nt; exit 7'";
    for (by_key, by_fg) in [(true, true), (false, true), (false, false)] {
        let mut shell = Shell::start(&world);
        shell.send_line(&format!("\"$CORTI_AUTH\" exec --full --refresh-url -- sh -c {script}"));
        shell.expect("ready ");
        let ids = shell.expect(" :");
        let (parent, program) = ids.split_once(' ').unwrap();
        let both = [parent, program].map(|id| id.parse::<u32>().unwrap());
        if by_key {
            shell.session.send_control('z').unwrap();
        } else {
            assert!(common::signal(both[0], "TSTP"));
        }
        wait_until("both are stopped", || both.map(state) == [Some('T'); 2]);
        shell.expect("Stopped");
        if !by_fg {
            assert!(common::signal(both[0], "CONT"));
            wait_until("both go on", || both.map(state).into_iter().all(|it| it != Some('T')));
        }
        shell.send_line("fg");
        wait_until("both go on", || both.map(state).into_iter().all(|it| it != Some('T')));
        std::fs::write(&go, "").unwrap();
        shell.expect("went");
        shell.assert_ended("7");
        std::fs::remove_file(&go).unwrap();
    }
}

/// In a container, `exec` is the first process and inherits every orphan. It must not take an orphan's end for its
/// secret command's.
#[test]
fn as_the_first_process_exec_reaps_orphans() {
    let sandbox = Sandbox::start();
    let world = World::new();
    let secret = world.file("secret", &sandbox.client_secret);
    let command = format!("sh -c '(sleep 0.2 &); cat \"{secret}\"'");
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-command", &command];
    world.run_words(&words).assert().success();
    // pgrep counts zombies too.
    let program = "for i in $(seq 50); do (sleep 0.2 &); done
        for i in $(seq 5); do
            curl -s -o /dev/null -w '%{http_code} ' --noproxy '*' \
                -H \"Authorization: Bearer $CORTI_AUTH_REFRESH_TOKEN\" \"$CORTI_AUTH_REFRESH_URL\"
        done
        n=0
        while pgrep -x sleep > /dev/null && [ $n -lt 60 ]; do n=$((n + 1)); sleep 0.1; done
        echo left: $(pgrep -x sleep | wc -l) parent: $PPID
        exit 5";
    let mut command = Command::new("unshare");
    command.env_clear().envs(world.variables()).args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg(common::binary()).args(["exec", "--full", "--refresh-url", "--", "bash", "-c", program]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "200 200 200 200 200 left: 0 parent: 1\n", "{errors}");
    assert_eq!(output.status.code(), Some(5));
}
