//! `exec --refresh-url` in a terminal's foreground: a signal from the keyboard reaches the program once, and so does
//! one from another process.

use crate::common;
use crate::common::shell::Shell;
use crate::common::{Sandbox, World};

/// A program in a process group of its own, which the terminal's keys do not reach: its signals come from its parent.
const COUNTING: &str = "
import os, signal, time
counts = {signal.SIGINT: 0, signal.SIGQUIT: 0, signal.SIGWINCH: 0}
def came(number, _):
    counts[number] += 1
    print('got', signal.Signals(number).name[3:], flush=True)
def asked(*_):
    print('interrupts:', counts[signal.SIGINT], 'quits:', counts[signal.SIGQUIT], flush=True)
    os._exit(5)
os.setpgid(0, 0)
for number in counts:
    signal.signal(number, came)
signal.signal(signal.SIGUSR1, asked)
print('ready', os.getppid(), '.', flush=True)
while True:
    time.sleep(1)
";

/// Starts it in a terminal. Also returns the process id of `exec`.
fn start_counting(world: &World) -> (Shell, u32) {
    world.file("counting.py", COUNTING);
    let mut shell = Shell::start(world);
    shell.send_line("\"$CORTI_AUTH\" exec --full --refresh-url -- python3 \"$HOME/counting.py\"");
    shell.expect("ready ");
    let parent = shell.expect(" .").parse().unwrap();
    (shell, parent)
}

#[test]
fn a_signal_from_the_keyboard_is_not_passed_on() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let (mut shell, parent) = start_counting(&world);
    shell.session.send_control('c').unwrap();
    shell.expect("^C");
    // USR1 comes after the key's signal: had that been passed on, it would have been counted.
    assert!(common::signal(parent, "USR1"));
    shell.expect("interrupts: 0");
    shell.assert_ended("5");
}

/// Whether a process has pending signals, according to `/proc`.
#[cfg(target_os = "linux")]
fn has_waiting_signals(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let waiting = status.lines().filter(|it| it.starts_with("SigPnd:") || it.starts_with("ShdPnd:"));
    waiting.filter_map(|line| line.split_whitespace().nth(1)).any(|mask| !mask.trim_matches('0').is_empty())
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_from_a_process_is_passed_on() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let (mut shell, parent) = start_counting(&world);
    for (key, echo, sent) in [('c', "^C", "INT"), ('\\', "^\\", "QUIT")] {
        shell.session.send_control(key).unwrap();
        shell.expect(echo);
        // Two pending signals of the same kind would count as one.
        common::wait_until("the key's signal is taken", || !has_waiting_signals(parent));
        assert!(common::signal(parent, sent));
        shell.expect(&format!("got {sent}"));
    }
    assert!(common::signal(parent, "WINCH"));
    shell.expect("got WINCH");
    assert!(common::signal(parent, "USR1"));
    // One each: from the process, not from the key.
    shell.expect("interrupts: 1 quits: 1");
    shell.assert_ended("5");
}
